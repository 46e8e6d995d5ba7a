"""DuckDB's functions as Splink's models use them, answering as DuckDB 1 and 2 do (checked against it by
tests).

Two traps are kept on purpose: similarity works on the bytes of UTF-8, not on characters, and
``try_strptime`` takes a year of one to four digits ("000-04-23" is a day of 1 BC).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import DamerauLevenshtein, Jaro, JaroWinkler, Levenshtein

from mappings.errors import SpecError

_ISO_DATE = re.compile(r"[ \t\n\v\f\r]*([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})[ \t\n\v\f\r]*")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH_DAY = 719_468
_REMEMBERED = 1 << 16  # a comparison asks for the same similarity at several thresholds
_SAFE_PATTERNS = {pattern: re.compile(pattern) for pattern in ("^[^@]+", "@([^@]+)$", "[^@]+$")}


def _units(text: str) -> str | bytes:
    return text if text.isascii() else text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=_REMEMBERED)
def jaro_winkler_similarity(left: str, right: str) -> float:
    """0 to 1; two empty texts have 0."""
    return JaroWinkler.similarity(_units(left), _units(right)) if left and right else 0.0


def jaro_similarity(left: str, right: str) -> float:
    """0 to 1; two empty texts have 0."""
    return Jaro.similarity(_units(left), _units(right)) if left and right else 0.0


@lru_cache(maxsize=_REMEMBERED)
def levenshtein(left: str, right: str) -> int:
    """Edits between the bytes of two texts."""
    return Levenshtein.distance(_units(left), _units(right))


def damerau_levenshtein(left: str, right: str) -> int:
    """Edits and transpositions between the bytes of two texts (unrestricted)."""
    return DamerauLevenshtein.distance(_units(left), _units(right))


def jaccard(left: str, right: str) -> float | None:
    """Of the sets of bytes; NULL for an empty text, where DuckDB fails."""
    one, other = set(left.encode()), set(right.encode())
    return len(one & other) / len(one | other) if one and other else None


def try_strptime(text: str, form: str) -> float | None:
    """Seconds since 1970 of an ISO date (the only format supported), NULL for text that is none."""
    if form != "%Y-%m-%d":
        raise SpecError("the date format {form} is not supported in conditions", form=form)
    found = _ISO_DATE.fullmatch(text)
    return None if found is None else _seconds(int(found[1]), int(found[2]), int(found[3]))


def _seconds(year: int, month: int, day: int) -> float | None:
    """Proleptic Gregorian, with a year 0 (which ``datetime`` lacks); algorithm by H. Hinnant,
    days_from_civil.
    """
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1] + (leap and month == 2):
        return None
    year -= month <= 2
    era, month_from_march = year // 400, (month + 9) % 12
    year_of_era = year - era * 400
    day_of_year = (153 * month_from_march + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return float((era * 146_097 + day_of_era - _EPOCH_DAY) * 86_400)


def regexp_extract(text: str, pattern: str, group: int = 0) -> str:
    """The match or "" (DuckDB); only the patterns that Splink's library writes, which are all linear."""
    safe = _SAFE_PATTERNS.get(pattern)
    if safe is None:
        raise SpecError("the pattern {pattern} is not supported in conditions", pattern=pattern[:100])
    found = safe.search(text)
    return found.group(group) or "" if found else ""


def substr(text: str, start: int, length: int = 1 << 30) -> str:
    """Characters from ``start`` (1 is the first)."""
    return text[start - 1 : start - 1 + length] if start > 0 else text[start:][:length]


def list_intersect(left: list[Any], right: list[Any]) -> list[Any]:
    """What both lists hold, once each, without NULL."""
    return [value for value in dict.fromkeys(left) if value is not None and value in right]


def nullif(left: Any, right: Any) -> Any:
    """NULL if the two are equal, else the first."""
    return None if left == right else left


def coalesce(*values: Any) -> Any:
    """The first value that is not NULL."""
    return next((value for value in values if value is not None), None)


def _epoch(seconds: float) -> float:
    return seconds


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "jaro_winkler_similarity": jaro_winkler_similarity,
    "jaro_similarity": jaro_similarity,
    "levenshtein": levenshtein,
    "damerau_levenshtein": damerau_levenshtein,
    "jaccard": jaccard,
    "try_strptime": try_strptime,
    "epoch": _epoch,
    "abs": abs,
    "regexp_extract": regexp_extract,
    "substr": substr,
    "substring": substr,
    "left": lambda text, length: substr(text, 1, length),
    "length": len,
    "len": len,
    "array_length": len,
    "lower": str.lower,
    "list_intersect": list_intersect,
    "array_intersect": list_intersect,
    "list_contains": lambda values, value: value in values,
    "nullif": nullif,
    "coalesce": coalesce,
}
"""Functions by lower-case name. All but coalesce and nullif are NULL when an argument is (the compiler sees
to it).
"""
