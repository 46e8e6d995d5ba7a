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
from mappings.values import text_of

FITTING = 0.6
"""Share of a field's sample values that have to read as what its target holds."""
LOOKED_AT = 50
_ADDRESS = re.compile(r"[省市区县區縣].*[路街道巷弄镇鎮村].*[0-9０-９一二三四五六七八九十]+.*[号號栋棟楼樓室]?$")
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
