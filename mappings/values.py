"""Plain values out of whatever a source sends: text, decimals, booleans, and safe excerpts for messages.

All functions answer None for "no value" and raise ``RecordInvalid`` (with an empty path, which the caller fills in)
for a value of the wrong kind. What counts as no value: null, blanks, NaN, and for text also ``false``, because some
systems (Odoo) send it for every empty field.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from mappings.errors import RecordInvalid

Convert = Callable[[Any], Any]

MAX_TEXT = 100_000
_MAX_BITS = 128
_EXACT_FLOAT = 1e15
_MAX_DIGITS = 30
_EXCERPT = 200

_BLANKS = re.compile(r"\s+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MONEY = re.compile(r"[\s'’_]|[A-Z]{3}|RMB|US\$|[¥￥$€£元圆]", re.IGNORECASE)
_SIMPLE = re.compile(r"(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)

TRUE = frozenset({"true", "t", "yes", "y", "1", "on", "x", "是", "真", "有", "启用", "✓", "√"})
FALSE = frozenset({"false", "f", "no", "n", "0", "off", "否", "假", "无", "停用", "禁用", "×"})


def clean(text: str) -> str:
    """Text without control, zero-width and direction marks, blanks collapsed; a lone surrogate becomes U+FFFD."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    text = _CONTROL.sub("", _SURROGATE.sub("\ufffd", text))
    return _BLANKS.sub(" ", text).strip()


def excerpt(value: object) -> str:
    """At most 200 characters that show ``value`` in a message: never fails, is always valid Unicode."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value[:_EXCERPT]).replace("\x00", "\ufffd")
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _MAX_BITS:
        return "a number of more than 38 digits"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return excerpt("an object with " + ", ".join(excerpt(key)[:40] for key in list(value)[:5]))
    return str(value)[:_EXCERPT]


def text_of(value: Any) -> str | None:
    """``value`` as clean text of any length up to 100,000 characters."""
    if value.__class__ is str:
        if len(value) > MAX_TEXT:
            raise too_long(value, MAX_TEXT)
        return clean(value) or None
    if value is None or value is False or value in ([], {}):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong_type("text", value)
    return clean(value) or None if isinstance(value, str) else number_text(value)


def number_text(value: int | float) -> str | None:
    """A number as people write it: 13800000000.0 is "13800000000"."""
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise wrong_type("a number of at most 38 digits", value)
        return str(value)
    if value != value:  # NaN: how spreadsheets and data frames say "empty"
        return None
    if value in (float("inf"), float("-inf")):
        raise wrong_type("text", value)
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_FLOAT else repr(value)


class TextUpTo:
    """A converter to clean text of at most ``limit`` characters."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, value: Any) -> str | None:
        """The text; None if there is none. Raises ``RecordInvalid``."""
        if value.__class__ is str and len(value) <= self.limit and value.isprintable() and "  " not in value:
            text: str = value.strip()
            return text or None
        found = text_of(value)
        if found is not None and len(found) > self.limit:
            raise too_long(found, self.limit)
        return found


def decimal_of(value: Any) -> Decimal | None:
    """A finite decimal of at most 30 digits. Understands 1,234.56, 1.234,56, ¥1,000 and numbers as text."""
    if value is None or value in ([], {}) or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong_type("a number", value)
    if isinstance(value, str):
        return _decimal(_plain_number(value), value)
    if isinstance(value, float):
        return None if value != value else _decimal(repr(value), value)
    if value.bit_length() > _MAX_BITS:
        raise wrong_type("a number", value)
    return _decimal(str(value), value)


def decimal_text(value: Any) -> str | None:
    """The decimal as text without exponent and trailing zeros, so equal numbers are equal text."""
    if value.__class__ is int and -(10**15) < value < 10**15:
        return str(value)
    if value.__class__ is str and _SIMPLE.match(value):
        return value if "." not in value else value.rstrip("0").rstrip(".")
    number = decimal_of(value)
    if number is None:
        return None
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def boolean_of(value: Any) -> bool | None:
    """True or false from booleans, 1/0 and the usual words in English and Chinese."""
    if value is None or isinstance(value, bool):
        return value
    text = text_of(value)
    if text is None:
        return None
    word = text.casefold()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise RecordInvalid(
        "{path}: “{value}” is neither yes nor no",
        path="",
        rule="boolean",
        value=excerpt(value),
        remedy="Translate the words with a value table.",
    )


def scalar_key(value: Any) -> str | None:
    """How conditions and value tables compare: clean text; true and 1.0 equal "true" and "1"; None for no value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, dict | list):
        return None
    return text_of(value)


def is_empty(value: Any) -> bool:
    """No value: null, blank text, an empty list or object, NaN."""
    if value is None or value != value:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    return isinstance(value, list | dict) and not value


def wrong_type(expected: str, value: object) -> RecordInvalid:
    """The error for a value of the wrong kind."""
    return RecordInvalid(
        "{path}: expected {expected}, found {value}",
        path="",
        rule="type",
        value=excerpt(value),
        expected=expected,
        remedy="Point the mapping to a field of that kind; write `field[]` to take a list's items.",
    )


def too_long(value: str, limit: int) -> RecordInvalid:
    """The error for text over its limit."""
    return RecordInvalid(
        "{path}: {length} characters are too long, {limit} are allowed",
        path="",
        rule="length",
        value=excerpt(value),
        length=len(value),
        limit=limit,
        remedy="Correct the record, or shorten it with `do: [cut: {limit}]`.",
    )


def relocate(error: RecordInvalid, path: str) -> RecordInvalid:
    """The same error at ``path``."""
    params = {name: value for name, value in error.params.items() if name not in ("path", "rule", "value")}
    return RecordInvalid(error.template, path=path, rule=error.rule, value=error.value, remedy=error.remedy, **params)


def _plain_number(text: str) -> str:
    if len(text) > 100:
        raise wrong_type("a number", text)
    if _NUMBER.match(text):
        return text
    bare = _MONEY.sub("", unicodedata.normalize("NFKC", text))
    if bare.startswith("(") and bare.endswith(")"):
        bare = "-" + bare[1:-1]
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", bare):
        return bare.replace(",", "")
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d*|[+-]?\d+,\d{1,2}", bare):
        return bare.replace(".", "").replace(",", ".")
    return bare


def _decimal(text: str, value: object) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise wrong_type("a number", value) from None
    if not number.is_finite() or number.adjusted() >= _MAX_DIGITS or number.as_tuple().exponent < -_MAX_DIGITS:  # type: ignore[operator]
        raise wrong_type("a number of at most 30 digits", value)
    return number
