"""What a field's values look like: the canonical target that most of them read as."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from mappings.errors import RecordInvalid
from mappings.normalise.addresses import country_code
from mappings.normalise.emails import normalise_email
from mappings.normalise.identifiers import is_valid_uscc, normalise_identifier
from mappings.normalise.organisations import split_organisation_name
from mappings.normalise.phones import normalise_phone
from mappings.normalise.scripts import has_han
from mappings.normalise.vocabulary import words
from mappings.values import text_of

FITTING = 0.6
"""Share of a field's sample values that have to read as what its target holds."""
LOOKED_AT = 50
_ADDRESS = re.compile(r"[省市区县區縣].*[路街道巷弄镇鎮村].*[0-9０-９一二三四五六七八九十]+.*[号號栋棟楼樓室]?$")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/])(\d{1,2})[-/](\d{4})")
_NEARLY = 0.95
_REGISTERED = re.compile(r"(?:公司|企業|企业|集团|集團|事务所|事務所|工厂|工廠|合作社|学校|學校|医院|醫院)$")


def look(values: Sequence[Any]) -> tuple[str | None, float]:
    """The target that the values look like, and the share of them that does; None where too few do."""
    texts = [text for value in values[:LOOKED_AT] if (text := _text(value))]
    if not texts:
        return None, 0.0
    for target, fits in _TESTS:
        share = sum(map(fits, texts)) / len(texts)
        if share >= FITTING:
            return target, share
    return None, 0.0


_HONORIFICS = words("mr mrs ms miss mx dr prof sir rev herr frau mme mlle m sr sra 先生 女士 小姐")
_STATES = words(
    """
    AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR
    PA PR RI SC SD TN TX UT VT VA WA WV WI WY
    """
)


def are_honorifics(values: Sequence[Any]) -> bool:
    """Whether the values are forms of address ("Mr", "Frau Dr."), not what somebody does."""
    texts = [text.casefold() for value in values[:LOOKED_AT] if (text := _text(value))]
    known = [text for text in texts if _HONORIFICS.issuperset(text.replace(".", " ").split())]
    return bool(texts) and len(known) >= FITTING * len(texts)


def are_states(values: Sequence[Any]) -> bool:
    """Whether the values are postal codes of states of the USA: all of them, and not all of countries too."""
    texts = {text for value in values[:LOOKED_AT] if (text := _text(value))}
    return bool(texts) and texts <= _STATES and any(country_code(text) is None for text in texts)


def year_last_format(values: Sequence[Any]) -> str:
    """The strptime format of dates like 23/04/1980, if nearly all are written so and say which number is the day: some
    first or second numbers are past 12, and next to none of the others. "" if not; one date alone may be ambiguous.
    """
    texts = [text for value in values if (text := _text(value))]
    found = [match for text in texts if (match := _YEAR_LAST.fullmatch(text.strip()))]
    signs = {match[2] for match in found}
    if len(signs) != 1 or len(found) < _NEARLY * len(texts):
        return ""
    first, second = (sum(int(match[place]) > 12 for match in found) for place in (1, 3))
    if max(first, second) < _NEARLY * (first + second) or first == second:
        return ""
    sign = signs.pop()
    return sign.join(("%d", "%m", "%Y") if first > second else ("%m", "%d", "%Y"))


def _text(value: Any) -> str | None:
    try:
        return text_of(value)
    except RecordInvalid:
        return None


def _is_email(text: str) -> bool:
    return "@" in text and normalise_email(text) is not None


def _is_phone(text: str) -> bool:
    bare = re.sub(r"[\s()+-]", "", text)
    if not bare.isdigit() or not 10 <= len(bare) <= 14:
        return False
    found = normalise_phone(text, "CN")
    return found is not None and found.valid


def is_european_vat(text: str) -> bool:
    """Whether a text is a VAT number of the European Union, with its country's letters and a right check digit."""
    found = normalise_identifier("eu.vat", text) if text[:2].isalpha() else None
    return found is not None and found.valid


def _is_website(text: str) -> bool:
    return text.startswith(("http://", "https://", "www."))


def _is_country(text: str) -> bool:
    return len(text) == 2 and text.isupper() and country_code(text) is not None


def _is_address(text: str) -> bool:
    return 8 <= len(text) <= 200 and has_han(text) and _ADDRESS.search(text) is not None


def _is_organisation(text: str) -> bool:
    """A name that ends in a legal form; a bank's branch and a note do not."""
    if not 4 <= len(text) <= 100:
        return False
    if has_han(text):
        return _REGISTERED.search(text) is not None
    parts = split_organisation_name(text)
    return parts is not None and bool(parts.legal_form) and " " in text and not text[0].isdigit()


_TESTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("emails", _is_email),
    ("identifiers", lambda text: is_valid_uscc(text.upper()) or is_european_vat(text)),
    ("phones", _is_phone),
    ("website", _is_website),
    ("addresses.country", _is_country),
    ("name", _is_organisation),
    ("addresses.text", _is_address),
)
