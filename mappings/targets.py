"""Setters of the canonical fields: normalise, validate, and answer JSON-safe data that fits ``mappings.customer``.

Each is a function from a raw value to the field's JSON value, None for "no value"; ``RecordInvalid`` (with an empty
path) for a value that does not fit. They do by hand what pydantic would do, because they run for every record; a
property test holds them to the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, Literal

from mappings.errors import RecordInvalid
from mappings.instants import date_text, instant_text
from mappings.normalise.dates import normalise_birth_date
from mappings.values import (
    Convert,
    TextUpTo,
    boolean_of,
    clean,
    decimal_of,
    decimal_text,
    excerpt,
    is_empty,
    number_text,
    text_of,
    wrong_type,
)

AttributeType = Literal["text", "integer", "decimal", "boolean", "date", "datetime", "list"]
"""What an attribute declared in kehu.yaml may hold; ``list`` is a list of texts."""

NAME, PERSON_NAME, MAX_ITEMS, MAX_TAGS = 300, 120, 50, 200
_LONGEST_TAG = 35

TEXT_FIELDS = {
    "name": NAME,
    "legal_name": NAME,
    "trading_name": NAME,
    "native_name": NAME,
    "latin_name": NAME,
    "given_name": PERSON_NAME,
    "family_name": PERSON_NAME,
    "owner": 200,
}

DESCRIPTIVE = frozenset({"birth_date", "language", "website", "country", "email", "phone", "identifier"})
"""Rules whose failure by default drops the value with a note instead of rejecting the record."""

_KINDS = {
    "person": "person", "individual": "person", "contact": "person", "个人": "person", "自然人": "person",
    "organisation": "organisation", "organization": "organisation", "company": "organisation",
    "business": "organisation", "企业": "organisation", "公司": "organisation", "单位": "organisation",
}  # fmt: skip
_STATUSES = {
    "active": "active", "enabled": "active", "true": "active", "正常": "active", "启用": "active", "有效": "active",
    "inactive": "inactive", "disabled": "inactive", "archived": "inactive", "false": "inactive",
    "停用": "inactive", "禁用": "inactive", "无效": "inactive", "注销": "inactive",
    "prospect": "prospect", "lead": "prospect", "潜在": "prospect", "意向": "prospect",
    "blocked": "blocked", "frozen": "blocked", "冻结": "blocked", "黑名单": "blocked",
}  # fmt: skip
_CHANNELS = {name: name for name in ("email", "phone", "sms", "wechat", "post", "any")} | {
    "微信": "wechat",
    "短信": "sms",
}
_CURRENCIES = {
    "RMB": "CNY", "人民币": "CNY", "元": "CNY", "￥": "CNY", "¥": "CNY", "美元": "USD", "$": "USD", "US$": "USD",
    "欧元": "EUR", "€": "EUR", "英镑": "GBP", "£": "GBP", "日元": "JPY", "港币": "HKD", "港元": "HKD", "HK$": "HKD",
    "新台币": "TWD", "台币": "TWD", "韩元": "KRW", "新加坡元": "SGD", "澳元": "AUD", "加元": "CAD", "瑞士法郎": "CHF",
}  # fmt: skip
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}\Z")
_WEBSITE = r"(?:(?i:https?)://)?[^\s/<>\"'@:]+\.[^\s/<>\"'@:.]{2,}(?::\d{1,5})?(?:[/?#][^\s<>\"]*)?\Z"
_PRINTABLE_WEBSITE = re.compile(_WEBSITE.replace(r"\s", " "))
"""The same of printable text, whose only white space is the blank: sets of single characters are searched faster."""


def setter(field: str, zone: tzinfo) -> Convert:
    """The setter of a single-valued field of the canonical customer."""
    if field in TEXT_FIELDS:
        return TextUpTo(TEXT_FIELDS[field])
    if field in ("source_created_at", "source_changed_at", "last_contact_at"):
        return instant(zone)
    if field == "birth_date":
        return birth_date(zone)
    return _SETTERS[field]


def word_setter(field: str, words: Mapping[str, str]) -> Convert:
    """A setter that accepts the given words, without regard to case."""
    allowed = ", ".join(sorted(set(words.values())))

    def convert(value: Any) -> str | None:
        found = words.get(value) if value.__class__ is str else None
        if found is not None:
            return found
        text = ("true" if value else "false") if isinstance(value, bool) else text_of(value)
        if text is None:
            return None
        found = words.get(text.casefold())
        if found is None:
            raise RecordInvalid(
                "{path}: “{value}” is none of the {field} values {allowed}",
                path="",
                rule=field,
                value=excerpt(value),
                field=field,
                allowed=allowed,
                remedy="Translate it with a value table.",
            )
        return found

    return convert


def instant(zone: tzinfo) -> Convert:
    """The setter of points in time: ISO 8601 in UTC, which sorts as text."""

    def convert(value: Any) -> str | None:
        if value.__class__ is str and len(value) > 18 and value[:4] != "0001":
            try:
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is UTC:
                    return value[:19] + "+00:00" if len(value) == 20 and value[10] == "T" else moment.isoformat()
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=zone)
                return moment.astimezone(UTC).isoformat()
            except (ValueError, OverflowError):
                pass
        return instant_text(value, zone)

    return convert


def birth_date(zone: tzinfo) -> Convert:
    """The setter of dates of birth: nobody's dates (1900-01-01) do not count."""

    def convert(value: Any) -> str | None:
        text = text_of(value) if isinstance(value, str) else date_text(value, zone)
        if text is None or text.startswith("0000"):
            return None
        found = normalise_birth_date(text)
        if found is None:
            raise RecordInvalid(
                "{path}: “{value}” is no date of birth that can be read without doubt",
                path="",
                rule="birth_date",
                value=excerpt(value),
                remedy="Name its form in the mapping, e.g. `do: [date: '%d/%m/%Y']`.",
            )
        return found.isoformat()

    return convert


def currency(value: Any) -> str | None:
    """An ISO 4217 code, from the code itself, its sign, or its Chinese name."""
    if value.__class__ is str and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper():
        return "CNY" if value == "RMB" else str(value)
    text = text_of(value)
    if text is None:
        return None
    found = _CURRENCIES.get(text.upper(), text.upper())
    if not _CURRENCY.match(found):
        raise RecordInvalid(
            "{path}: “{value}” is no currency code of three letters",
            path="",
            rule="currency",
            value=excerpt(value),
            remedy="Translate it with a value table into a code such as CNY.",
        )
    return found


def language(value: Any) -> str | None:
    """A BCP 47 tag; zh_CN is zh-CN."""
    if value.__class__ is str and len(value) <= _LONGEST_TAG and (known := _known_tag(value)) is not None:
        return known
    text = text_of(value)
    if text is None:
        return None
    written = text.partition(".")[0]
    tag = _language_tag(written) if len(written) <= _LONGEST_TAG else None
    if tag is None:
        raise RecordInvalid(
            "{path}: “{value}” is no language tag such as zh-CN", path="", rule="language", value=excerpt(value)
        )
    return tag


@lru_cache(maxsize=1024)
def _known_tag(text: str) -> str | None:
    """The tag in a short text, as ``language`` finds it; None if there is none."""
    return _language_tag(clean(text).partition(".")[0])


def _language_tag(written: str) -> str | None:
    tag = written.replace("_", "-")
    if not _LANGUAGE.match(tag):
        return None
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


def website(value: Any) -> str | None:
    """A web address: http, https or none given."""
    if value.__class__ is str and len(value) <= NAME and value.isprintable() and _PRINTABLE_WEBSITE.match(value):
        return str(value)
    text = text_of(value)
    if text is None:
        return None
    if len(text) > NAME or not re.match(_WEBSITE, text):
        raise RecordInvalid("{path}: “{value}” is no web address", path="", rule="website", value=excerpt(value))
    return text


def attribute_setter(kind: AttributeType, zone: tzinfo) -> Convert:
    """The setter of an attribute of a declared type."""
    setters: dict[str, Convert] = {
        "text": TextUpTo(4_000),
        "integer": _integer,
        "decimal": decimal_text,
        "boolean": boolean_of,
        "date": lambda value: date_text(value, zone),
        "datetime": instant(zone),
        "list": _texts,
    }
    return setters[kind]


def texts_of(value: Any, limit: int) -> list[str]:
    """A list of distinct clean texts out of a list or a single value, in order."""
    items = value if isinstance(value, list) else [value]
    convert = TextUpTo(limit)
    return list(dict.fromkeys(text for item in items[:MAX_TAGS] if (text := convert(item)) is not None))


def display_name(customer: Mapping[str, Any]) -> str | None:
    """The name to show when the source names none: legal, trading, native, from its parts, Latin."""
    for field in ("legal_name", "trading_name", "native_name"):
        if field in customer:
            return str(customer[field])
    given, family = customer.get("given_name", ""), customer.get("family_name", "")
    if given or family:
        native = bool(family) and not (given + family).isascii() and all(len(part) <= 4 for part in (given, family))
        return f"{family}{given}" if native and _is_han(given + family) else f"{given} {family}".strip()
    latin = customer.get("latin_name")
    return None if latin is None else str(latin)


kind = word_setter("kind", _KINDS)
status = word_setter("status", _STATUSES)
channel = word_setter("channel", _CHANNELS)

_SETTERS: dict[str, Convert] = {
    "kind": kind,
    "status": status,
    "currency": currency,
    "credit_limit": decimal_text,
    "language": language,
    "website": website,
}


def _texts(value: Any) -> list[str] | None:
    if is_empty(value):
        return None
    return texts_of(value, 400) or None


def _integer(value: Any) -> int | None:
    found = decimal_of(value)
    if found is None:
        return None
    if found != found.to_integral_value() or abs(found) >= 2**63:
        raise wrong_type("a whole number of at most 18 digits", value)
    return int(found)


def _is_han(text: str) -> bool:
    return all("\u3400" <= sign <= "\u9fff" or "\U00020000" <= sign <= "\U0003ffff" for sign in text)


__all__ = [
    "DESCRIPTIVE",
    "AttributeType",
    "attribute_setter",
    "channel",
    "currency",
    "display_name",
    "instant",
    "kind",
    "number_text",
    "setter",
    "status",
    "texts_of",
]
