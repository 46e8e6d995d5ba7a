"""Emails, phones, countries and the like out of one raw value of a source."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mappings.errors import RecordInvalid
from mappings.normalise.addresses import country_code, normalise_postcode, split_chinese_address
from mappings.normalise.emails import split_emails
from mappings.normalise.numbering import plain_e164
from mappings.normalise.phones import normalise_phone, split_phones
from mappings.normalise.rounded import lost_digits
from mappings.values import Convert, excerpt, is_empty, text_of

MAX_EMAILS = 5_000
_BETWEEN_EMAILS = re.compile(r"[;；、\n]|(?<=>)\s*[,，]|[,，](?=\s*[^\s,<>@\"]{1,64}@)")
SCHEME = re.compile(r"[a-z][a-z0-9_.-]{0,39}\Z")
_EXTENSION = 12
_ONE_NUMBER = 16
"""Text up to this length holds one number at most, of those that are valid."""
_DIGITS_KEPT = 20


def emails_in(text: str) -> list[str]:
    """Every address, also where each has its display name ("Ann" <a@x.cn>; "Lee, Bo" <b@x.cn>)."""
    if len(text) > MAX_EMAILS:
        return []
    pieces = _BETWEEN_EMAILS.split(text) if text.count("@") > 1 else [text]
    return list(dict.fromkeys(address for piece in pieces for address in split_emails(piece)))


def phones_in(text: str, region: str) -> list[dict[str, Any]]:
    """Every number in a text, as entries. Raises ``RecordInvalid``."""
    plain = plain_e164(text, region) if len(text) <= _ONE_NUMBER else None
    if plain is not None:
        return [{"value": plain}]
    single = normalise_phone(text, region) if len(text) <= _ONE_NUMBER else None
    if single is not None and single.valid and not single.extension:
        return [{"value": single.value}]
    numbers = split_phones(text, region)
    if not numbers:
        ensure_whole(text, "phone")
        raise RecordInvalid("{path}: “{value}” is no phone number", path="", rule="phone", value=excerpt(text))
    found = []
    for number in numbers:
        entry = {"value": number.value}
        if number.extension and len(number.extension) <= _EXTENSION:
            entry["extension"] = number.extension
        found.append(entry)
    return found


def plain_phone(region: str) -> Callable[[str], str | None]:
    """What ``phones_in`` finds in a text that is one plain number; None where it has to look closer."""

    def read(text: str) -> str | None:
        return plain_e164(text, region) if len(text) <= _ONE_NUMBER else None

    return read


def ensure_whole(text: str, rule: str) -> None:
    """Raise ``RecordInvalid`` by this rule for a number in scientific notation that lost digits."""
    lost = lost_digits(text) if "E" in text or "e" in text else None
    if lost is not None:
        raise RecordInvalid(
            "{path}: “{value}” has lost digits: a spreadsheet wrote a long number in scientific notation",
            path="",
            rule=rule,
            value=excerpt(lost),
            remedy="Format the column as text in the spreadsheet, enter the numbers again and export it anew.",
        )


def of_whole_numbers(convert: Convert) -> Convert:
    """The same conversion of an id, but for numbers that lost digits, which raise ``RecordInvalid``."""

    def read(value: Any) -> Any:
        text = convert(value)
        if isinstance(text, str):
            ensure_whole(text, "identifier")
        return text

    return read


def country_of(value: Any) -> str | None:
    """The ISO code of a named country. Raises ``RecordInvalid`` for one that is not known."""
    if value == "CN":
        return "CN"
    text = value if value.__class__ is str else text_of(value)
    code = country_code(text.strip()) if text else None
    if code is None and not is_empty(text):
        raise RecordInvalid(
            "{path}: “{value}” is no country that is known here",
            path="",
            rule="country",
            value=excerpt(value),
            remedy="Translate it with a value table into a code such as CN.",
        )
    return code


def set_postcode(entry: dict[str, Any]) -> None:
    """Bring an address's postcode into its country's form, where that is known."""
    written = entry["postcode"]
    if written.isascii() and written.isdigit() and len(written) <= _DIGITS_KEPT and entry.get("country") != "JP":
        return  # digits alone have one form but in Japan
    entry["postcode"] = normalise_postcode(written, entry.get("country")) or written.upper()[:20]


def take_apart(entry: dict[str, Any]) -> None:
    """Fill an address's fields from its Chinese ``text``."""
    parts = split_chinese_address(entry["text"])
    if parts is None:
        return
    for name, part, limit in (
        ("region", parts.province, 120),
        ("city", parts.city, 120),
        ("district", parts.district, 120),
        ("street", parts.street, 300),
        ("postcode", parts.postcode, 20),
    ):
        if part:
            entry.setdefault(name, part[:limit])


def region_of(value: Any) -> str | None:
    """The region for phone numbers out of a country's code or name; None if unknown."""
    text = value if isinstance(value, str) else None
    return country_code(text.strip()) if text else None


def scheme_of(value: Any) -> str:
    """An identifier scheme out of a record. Raises ``RecordInvalid``."""
    text = (text_of(value) or "").lower()
    if not text:
        raise RecordInvalid("{path}: the number has no scheme", path="", rule="identifier")
    if not SCHEME.match(text):
        raise RecordInvalid("{path}: “{value}” is no identifier scheme", path="", rule="scheme", value=excerpt(value))
    return text


def extension_of(value: Any) -> str | None:
    """An extension that fits its field."""
    text = text_of(value)
    return text if text is not None and len(text) <= _EXTENSION else None
