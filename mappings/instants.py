"""Dates and times out of the many ways systems write them, as aware UTC instants and calendar dates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mappings.errors import RecordInvalid
from mappings.values import excerpt

_MAX_TEXT = 60
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a calendar date, serial number 0
_WRITTEN = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
    r"(?:[T\s]*(\d{1,2})\s*[:时]\s*(\d{1,2})(?:\s*[:分]\s*(\d{1,2})(?:[.,](\d{1,9}))?)?\s*[秒分]?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?\Z",
    re.IGNORECASE | re.ASCII,
)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\Z", re.ASCII)
_MICROSOFT = re.compile(r"/Date\((-?\d{1,15})([+-]\d{4})?\)/\Z", re.ASCII)
_NOTHING = re.compile(r"(0000-00-00|0001-01-01|00/00/0000)(?:[T ]00:00:00(?:\.0+)?Z?)?\Z", re.ASCII)


def zone_named(name: str) -> tzinfo:
    """The time zone of an IANA name or ``UTC``. Raises ``ValueError`` for an unknown one."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"unknown time zone {name}") from error


def instant_text(value: Any, zone: tzinfo) -> str | None:
    """``value`` as ISO 8601 in UTC (sorts as text). A time without zone is read in ``zone``; a date is its midnight."""
    moment = moment_of(value, zone)
    if moment is None:
        return None
    try:
        if moment.tzinfo is not UTC:
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        raise not_a_date(value) from None
    return moment.isoformat()


def date_text(value: Any, zone: tzinfo) -> str | None:
    """The calendar date in ``value`` as YYYY-MM-DD; an aware time is dated in ``zone``."""
    moment = moment_of(value, zone)
    if moment is None:
        return None
    try:
        return (moment.astimezone(zone) if moment.tzinfo else moment).date().isoformat()
    except (OverflowError, ValueError):
        raise not_a_date(value) from None


def moment_of(value: Any, zone: tzinfo) -> datetime | None:
    """A date-time, naive if the source names no zone. Numbers are seconds or milliseconds since 1970 by their size.

    Raises ``RecordInvalid`` for anything else, and for dates such as 02/01/2026 whose order needs a ``format``.
    """
    if value.__class__ is str:
        try:
            return datetime.fromisoformat(value) if value[:4] != "0001" else _read(value)
        except ValueError:
            return _read(value)
    if value is None or value is False or value in ([], {}):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None if value != value or value == 0 else _number(value)
    if isinstance(value, str):
        return _read(str(value))
    raise not_a_date(value)


def parse(value: str, pattern: str) -> datetime:
    """``value`` by one strptime pattern. Raises ``RecordInvalid``."""
    try:
        return datetime.strptime(value[:_MAX_TEXT], pattern)  # noqa: DTZ007 - the zone is the caller's
    except (ValueError, OverflowError):
        raise not_a_date(value) from None


def excel_moment(value: Any) -> datetime:
    """The date of a spreadsheet's serial number (days since 1899-12-30, as Excel and LibreOffice count)."""
    try:
        return _EXCEL_EPOCH + timedelta(days=float(value))
    except (TypeError, ValueError, OverflowError):
        raise not_a_date(value) from None


def not_a_date(value: object) -> RecordInvalid:
    """The error for something that is no date, or not one that can be read without doubt."""
    return RecordInvalid(
        "{path}: “{value}” is not a date that can be read without doubt",
        path="",
        rule="date",
        value=excerpt(value),
        remedy="Name its form in the mapping, e.g. `do: [date: '%d/%m/%Y']`.",
    )


def _read(text: str) -> datetime | None:
    text = text[: _MAX_TEXT + 20].strip()
    if not text or _NOTHING.match(text):
        return None
    if len(text) > _MAX_TEXT:
        raise not_a_date(text)
    try:
        return _forms(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        raise not_a_date(text) from None


def _forms(text: str) -> datetime | None:
    if written := _WRITTEN.match(text):
        return _written(written)
    if dotted := _DOTTED.match(text):
        day, month, year = map(int, dotted.groups())
        return datetime(year, month, day)  # noqa: DTZ001
    if microsoft := _MICROSOFT.match(text):
        return _epoch(int(microsoft[1]) / 1000)
    if text.isascii() and text.isdigit() and len(text) in (10, 13):
        return _number(int(text))
    if text[:1].isalpha() or (text[:1].isdigit() and "," in text) or " " in text:
        return parsedate_to_datetime(text)
    raise ValueError(text)


def _written(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micro = int((match[7] or "").ljust(6, "0")[:6] or 0)
    moment = datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001 - zone follows
    offset = match[8]
    if not offset:
        return moment
    if offset[0] not in "+-":
        return moment.replace(tzinfo=UTC)
    digits = offset[1:].replace(":", "")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return moment.replace(tzinfo=timezone(-shift if offset[0] == "-" else shift))


def _number(value: float) -> datetime:
    try:
        if 1e7 < value < 1e8 and value == int(value):
            return datetime.strptime(str(int(value)), "%Y%m%d")  # noqa: DTZ007
        if 1e8 <= abs(value) < 1e11:
            return _epoch(value)
        if 1e11 <= abs(value) < 1e14:
            return _epoch(value / 1000)
    except (ValueError, OverflowError):
        pass
    raise not_a_date(value)


def _epoch(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
