"""Provinces and cities of China (GB/T 2260), from the table that python-stdnum ships for identity card
numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from mappings.normalise.scripts import pinyin, simplify

MUNICIPALITIES = frozenset({"北京市", "上海市", "天津市", "重庆市"})
_LINE = re.compile(r'(\s*)(\d+) (?:province|county)="([^"]*)"')
_SUFFIXES = re.compile(r"(?:壮族|回族|维吾尔)?自治区$|特别行政区$|省$|市$|地区$|盟$|(?:[一-鿿]{1,4}族)+自治州$|自治州$")
_STREET = ("路", "街", "道", "大道", "大街", "东路", "西路", "南路", "北路", "中路")


class Divisions(NamedTuple):
    """Lookup tables: every spelling (full and short name) of provinces, and of cities with their province; and how
    long the names are, longest first, that begin with the same two characters.
    """

    provinces: dict[str, str]
    cities: dict[str, tuple[str, str]]
    province_lengths: dict[str, tuple[int, ...]]
    city_lengths: dict[str, tuple[int, ...]]


class Found(NamedTuple):
    """A division at the start of a text: its full name and how many characters of the text name it ("" and
    0: none).
    """

    name: str
    length: int


_NOTHING = Found("", 0)


def leading_province(text: str) -> Found:
    """The province that a simplified Chinese text starts with, with or without 省/市/自治区."""
    known = divisions()
    for length in known.province_lengths.get(text[:2], ()):
        name = known.provinces.get(text[:length])
        if name is not None and len(text) >= length and not text.startswith(_STREET, length):
            return Found(name, length)
    return _NOTHING


def leading_city(text: str, province: str = "") -> Found:
    """The city (prefecture, county-level city) that the text starts with, within ``province`` if it is
    given.
    """
    known = divisions()
    for length in known.city_lengths.get(text[:2], ()):
        entry = known.cities.get(text[:length])
        if (
            entry
            and len(text) >= length
            and (not province or entry[1] == province)
            and not text.startswith(_STREET, length)
        ):
            return Found(entry[0], length)
    return _NOTHING


def province_of(city: str) -> str:
    """The province of a city's full name; "" if unknown."""
    entry = divisions().cities.get(city)
    return entry[1] if entry else ""


@lru_cache(maxsize=1)
def latin_places() -> frozenset[str]:
    """Short names of provinces and cities in pinyin ("shenzhen"), as they stand in English company names."""
    known = divisions()
    short = [s for table in (known.provinces, known.cities) for s in table if not _SUFFIXES.search(s)]
    return frozenset("".join(pinyin(s)) for s in short) | {
        "china",
        "hongkong",
        "macau",
        "taiwan",
        "beijing",
        "shanghai",
    }


@lru_cache(maxsize=1)
def divisions() -> Divisions:
    """The tables, read once. Present names win over abolished ones, prefectures over county-level cities."""
    provinces: dict[str, str] = {}
    cities: dict[str, tuple[str, str]] = {}
    minor: dict[str, tuple[str, str]] = {}
    province = ""
    for indent, code, value in _rows():
        if not indent:
            province = simplify(value)
            _spell(provinces, province, province)
            continue
        name = simplify(_present(value))
        if code.endswith("00") and name and name != province:
            _spell(cities, name, (name, province))
        elif name.endswith("市"):
            minor[name] = (name, province)
            minor.setdefault(name[:-1] if len(name) > 2 else name, (name, province))
    towns = {**minor, **cities}
    return Divisions(provinces, towns, _lengths(provinces), _lengths(towns))


def _lengths(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    found: dict[str, set[int]] = {}
    for name in names:
        found.setdefault(name[:2], set()).add(len(name))
    return {start: tuple(sorted(lengths, reverse=True)) for start, lengths in found.items()}


def _rows() -> list[tuple[str, str, str]]:
    text = (files("stdnum") / "cn" / "loc.dat").read_text(encoding="utf-8")
    return [(m[1], m[2], m[3]) for line in text.splitlines() if (m := _LINE.match(line))]


def _present(value: str) -> str:
    """``[-2009]襄樊市,[2010-]襄阳市`` → 襄阳市; an abolished division or a heading (市辖区, 省直辖…) → ""."""
    last = value.split(",")[-1]
    match = re.match(r"\[(\d{4})?-(\d{4})?\](.*)", last)
    name = last if match is None else "" if match[2] else match[3]
    return "" if name in ("市辖区", "县", "市", "林区") or "直辖" in name else name


def _spell(table: dict, full: str, value: object) -> None:  # type: ignore[type-arg]
    table[full] = value
    short = _SUFFIXES.sub("", full)
    if len(short) > 1:
        table.setdefault(short, value)
