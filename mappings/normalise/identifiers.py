"""Official numbers of customers, validated by their own check digit (python-stdnum; GB 32100-2015 for the
USCC).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from operator import mul
from typing import Any, NamedTuple

from stdnum import get_cc_module, lei
from stdnum.exceptions import ValidationError

from mappings.normalise.placeholders import is_placeholder_identifier
from mappings.normalise.vocabulary import words

MAX_VALUE = 80
_SEPARATORS = str.maketrans("", "", " -./_\t\u00a0\u2010\u2011\u2012\u2013\u2014")

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUES = {character: value for value, character in enumerate(_USCC_ALPHABET)}
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))


class NormalisedIdentifier(NamedTuple):
    """A number without separators in upper case, and whether its scheme's check accepts it."""

    value: str
    valid: bool


def normalise_identifier(scheme: str, text: str) -> NormalisedIdentifier | None:
    """The number in ``text`` under ``scheme`` (cn.uscc, eu.vat, gb.vat, us.ein, de.vat, lei, gln, ...).

    ``<country>.<number>`` reaches every module of python-stdnum. Schemes without a check (duns,
    ``<system>.<name>``, unknown ones) are never valid. Old Chinese tax numbers of 15 digits are kept as not
    valid. None for fillers ("000000000", "123456789") and for text that holds no number.
    """
    if len(text) > MAX_VALUE * 2:
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    value = text.translate(_SEPARATORS).upper()
    if not value.isascii():  # letters and accents may stand together only now
        value = unicodedata.normalize("NFKC", value)
    if not value or len(value) > MAX_VALUE or is_placeholder_identifier(value) or not value.isprintable():
        return None
    if not (check := _checks(scheme)):
        return NormalisedIdentifier(value, False)
    canonical = check(value)
    return NormalisedIdentifier(canonical or value, canonical is not None)


def is_valid_uscc(value: str) -> bool:
    """Whether 18 characters form a unified social credit code by the check character of GB 32100-2015
    (weights 3^i mod 31).
    """
    if len(value) != 18:
        return False
    try:
        numbers = list(map(_USCC_VALUES.__getitem__, value))
    except KeyError:
        return False
    if not value[2:8].isdigit():
        return False
    check = numbers.pop()
    return bool(check == -sum(map(mul, _USCC_WEIGHTS, numbers)) % 31)


def _uscc(value: str) -> str | None:
    return value if is_valid_uscc(value) else None


Check = Callable[[str], str | None]


@lru_cache(maxsize=512)
def _checks(scheme: str) -> Check | None:
    if scheme == "cn.uscc":
        return _uscc
    if scheme == "lei":
        return _stdnum_check(lei)
    if scheme in ("gln", "ean"):
        return _gln
    if scheme == "eu.vat":
        return _stdnum_check(get_cc_module("eu", "vat"))
    country, _, name = scheme.partition(".")
    module = _country_module(country, name)
    if module is None:
        return None
    return _with_country_prefix(country, module) if name == "vat" else _stdnum_check(module)


def _country_module(country: str, name: str) -> Any:
    if len(country) != 2 or not country.isalpha() or not name.isidentifier() or name.startswith("_"):
        return None
    try:
        module = get_cc_module(country, name)
    except Exception:  # a name that is no module of the country raises whatever the import raises
        return None
    return module if hasattr(module, "validate") else None


def _stdnum_check(module: Any) -> Check:
    def check(value: str) -> str | None:
        try:
            return str(module.validate(value)).translate(_SEPARATORS).upper()
        except ValidationError:
            return None
        except (ValueError, KeyError, IndexError, TypeError):  # stdnum modules on hostile text
            return None

    return check


def _with_country_prefix(country: str, module: Any) -> Check:
    """VAT numbers travel with their country's letters ("DE136695976"); stdnum's country modules leave them
    off.
    """
    inner, prefix = _stdnum_check(module), "EL" if country == "gr" else country.upper()

    def check(value: str) -> str | None:
        found = inner(value)
        if found is None:
            return None
        return found if found.startswith(prefix) else prefix + found

    return check


def _gln(value: str) -> str | None:
    """GS1 global location number: 13 digits with the GS1 modulo-10 check digit."""
    if len(value) != 13 or not (value.isascii() and value.isdigit()):
        return None
    total = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(value[:12]))
    return value if (10 - total % 10) % 10 == int(value[12]) else None


_TAX_NAMES = words(
    """
    uscc vat tax tin ein ubn gstin abn bn cnpj rut cuit nit ruc rfc nip inn trn regcode orgnr cvr
    btw tva ust iva pan
    """
)


def tax_authority(scheme: str, value: str) -> str | None:
    """``scheme`` and country if the number is one that a taxpayer has exactly one of there, else None.

    Two different valid numbers under one authority mean two different taxpayers. The country of an EU
    number is in its first two letters; a group may hold numbers in several countries.
    """
    country, _, name = scheme.partition(".")
    if name not in _TAX_NAMES:
        return None
    if name == "vat":
        member = value[:2] if country == "eu" else country.upper()
        return f"vat:{'EL' if member == 'GR' else member}"
    return scheme
