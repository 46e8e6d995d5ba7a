"""Dates of birth as people and systems write them."""

from __future__ import annotations

import calendar
import re
import unicodedata
from datetime import date
from typing import Literal

Order = Literal["day_first", "month_first"]

EARLIEST_YEAR = 1880
_PLACEHOLDERS = frozenset({date(1900, 1, 1), date(1899, 12, 30), date(1899, 12, 31), date(1901, 1, 1)})
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[T ]\d.*)?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*[-/.]\s*(\d{4})")
_NAMED_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?[\s-]*([A-Za-z]{3,9})\.?,?[\s-]*(\d{4})")
_NAMED_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.?\s*(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name}


def normalise_birth_date(text: str, order: Order | None = None, latest: date | None = None) -> date | None:
    """The date of birth in ``text``; None if it is no date, impossible (30 February) or nobody's (before
    1880, 1900-01-01).

    Year-first forms (1980-04-03, 1980/4/3, 19800403, 1980年4月3日), month names, and numeric forms with the
    year last. For the last, ``order`` says which number is the day; without it "03/04/1980" is ambiguous
    (None), "3.4.1980" is read day first as everywhere where dots are used, "23/04/1980" has one reading.
    ``latest`` refuses dates after it.
    """
    parts = _parts(text, order)
    if parts is None:
        return None
    try:
        found = date(*parts)
    except ValueError:
        return None
    if found.year < EARLIEST_YEAR or found in _PLACEHOLDERS or (latest is not None and found > latest):
        return None
    return found


def _parts(text: str, order: Order | None) -> tuple[int, int, int] | None:
    match = _ISO.fullmatch(text)
    if match is None:
        if len(text) > 60:
            return None
        text = unicodedata.normalize("NFKC", text).strip()
        match = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if match:
        return int(match[1]), int(match[2]), int(match[3])
    return _named(text) or _year_last(text, order)


def _named(text: str) -> tuple[int, int, int] | None:
    if match := _NAMED_DAY_FIRST.fullmatch(text):
        day, month, year = match.groups()
    elif match := _NAMED_MONTH_FIRST.fullmatch(text):
        month, day, year = match.groups()
    else:
        return None
    number = _MONTHS.get(month[:3].lower())
    return (int(year), number, int(day)) if number else None


def _year_last(text: str, order: Order | None) -> tuple[int, int, int] | None:
    match = _YEAR_LAST.fullmatch(text)
    if match is None:
        return None
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if order is None:
        order = _only_reading(first, second, match[2])
    if order is None:
        return None
    return (year, second, first) if order == "day_first" else (year, first, second)


def _only_reading(first: int, second: int, separator: str) -> Order | None:
    if first > 12 or first == second or separator == ".":
        return "day_first"
    return "month_first" if second > 12 else None
