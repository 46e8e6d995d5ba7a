"""The questions of blocking to a whole table at once: which records have an answer, and its parts from coarse to fine.

The same questions as ``blocking`` asks record by record. Parts and texts are worked out once for each distinct value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mappings.matching.blocking import soundex
from mappings.matching.model import Kind
from mappings.matching.table import Coded, Codes, Table, combined, renumbered

_LENGTHS = (5, 8, 12)
_OPEN = -2
Columns = Sequence[Sequence[str | None]]
Texts = Callable[[str, int, Columns], Sequence[str]]
"""The texts of a level's variants behind a prefix, given the values of its parts, a column each."""


class Chain(NamedTuple):
    """One question of many records: ``owners`` may repeat a record that has several answers (two emails)."""

    question: str
    owners: Codes
    parts: Sequence[Part]
    texts: Texts


class _Worked:
    """A function of the values of a pool, worked out for those that are asked for, once."""

    def __init__(self, pool: Sequence[Any], function: Callable[[Any], Any]) -> None:
        self._pool, self._function = pool, function
        self._numbers = np.full(len(pool) + 1, _OPEN, dtype=np.int64)
        self._numbers[-1] = -1
        self._known: dict[Any, int] = {}
        self._values: list[Any] = []

    def of(self, codes: Codes) -> Coded:
        """What the function gives for the values with these numbers."""
        asked = np.zeros(len(self._numbers), dtype=bool)
        asked[codes] = True
        for code in np.flatnonzero(asked & (self._numbers == _OPEN)).tolist():
            self._numbers[code] = self._number(self._function(self._pool[code]))
        return Coded(self._numbers[codes], self._values)

    def _number(self, value: Any) -> int:
        if value is None:
            return -1
        number = self._known.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number


class Later(NamedTuple):
    """A function of a column, worked out only for the values that are asked for: few records need the finer parts."""

    codes: Codes
    worked: _Worked

    def of(self, rows: Codes) -> Later:
        """The same of some records."""
        return Later(self.codes[rows], self.worked)

    def at(self, rows: Codes) -> Coded:
        """The values of some records."""
        return self.worked.of(self.codes[rows])


Part = Coded | Later
Asked = Callable[[], list[Chain]]
"""Makes the chains of one or several questions, when it is their turn. Chains of one question stand together."""


def questions(kind: Kind, table: Table, words: Mapping[str, float]) -> list[Asked]:
    """What there is to ask, most laborious first."""
    return _to_persons(table) if kind == "person" else _to_organisations(table, words)


def _to_persons(table: Table) -> list[Asked]:
    given, family = _text(table, "given_latin"), _text(table, "family_latin")
    birth, city, postcode, street = (_text(table, name) for name in ("birth", "city", "postcode", "street"))
    first, last = _start(given, 1), _start(family, 1)
    year = birth.mapped(lambda v: v[:4] or None)
    initials = _joined(lambda g, f: (g or "") + (f or "") or None, _at_once(first), _at_once(last))
    return [
        lambda: _emails(table, initials),
        lambda: _sounds(given, family, first, year, birth),
        lambda: [_chain("w", _joined(_both_names, given, family), year)],
        lambda: _phones(table, initials),
        lambda: [_chain("f", family, first, _start(given, 3), year)],
        lambda: [_chain("g", given, last, _start(family, 3), year)],
        lambda: [_chain("c", _joined(_city_and_year, city, year), _later(birth, lambda v: v[5:] or None), first)],
        lambda: [_chain("b", birth, first, last)],
        lambda: [_chain("s", street, postcode, last)],
        lambda: [_chain("p", postcode, last, first)],
        lambda: [_chain("n|number", _text(table, "number"), texts=_last(["n"]))],
    ]


def _both_names(given: str | None, family: str | None) -> str | None:
    return " ".join(sorted((given, family))) if given and family else None


def _city_and_year(city: str | None, year: str | None) -> str | None:
    return f"{city} {year}" if city and year else None


def _sounds(given: Coded, family: Coded, first: Later, year: Coded, birth: Coded) -> list[Chain]:
    sounds = given.mapped(soundex), family.mapped(soundex)
    both = _joined(lambda f, g: f"{f} {g}" if f is not None and g else None, sounds[1], _at_once(first))
    decade, month = _later(year, lambda v: v[:3]), _later(birth, lambda v: v[5:7] or None)
    one, other = _known_only(sounds[0]), _known_only(sounds[1])
    return [
        _chain("x", both, one, year),
        _chain("y", other, decade, year, month),
        _chain("y", _unless_equal(one, other), decade, year, month),
    ]


def _to_organisations(table: Table, frequencies: Mapping[str, float]) -> list[Asked]:
    name, postcode, city, street = (_text(table, n) for n in ("name_latin", "postcode", "city", "street"))
    start = _start(name, 3)
    return [
        lambda: _rare_words(table, name, postcode, frequencies),
        lambda: _prefixes(name),
        lambda: _emails(table, start),
        lambda: _phones(table, start),
        lambda: [_chain("2", name.mapped(_two_words), postcode)],
        lambda: [_chain("s", street.mapped(_two_words), _start(name, 2))],
        lambda: [_chain("d", _text(table, "domain"), start)],
        lambda: [_chain("k", _text(table, "contact"), city)],
        lambda: [_chain("t|tax", _text(table, "tax"), texts=_last(["t"]))],
    ]


def _two_words(text: str) -> str | None:
    return " ".join(text.split(" ", 2)[:2]) or None


def _prefixes(name: Coded) -> list[Chain]:
    compact = name.mapped(lambda v: v.replace(" ", ""))
    finer = [_start(compact, length) for length in _LENGTHS[1:]]
    return [_chain("p5", _at_once(_start(compact, _LENGTHS[0])), *finer, texts=_last([f"p{n}" for n in _LENGTHS]))]


def _rare_words(table: Table, name: Coded, postcode: Coded, frequencies: Mapping[str, float]) -> list[Chain]:
    rare = table.column("words").mapped(lambda v: sorted(v, key=lambda w: (frequencies.get(w, 0.0), w)))
    return [
        _chain("r", _known(name, rare.mapped(lambda v: v[0] if v else None)), postcode),
        _chain("rr", _known(name, rare.mapped(lambda v: f"{v[0]} {v[1]}" if len(v) > 1 else None)), postcode),
    ]


def _emails(table: Table, refinement: Part) -> list[Chain]:
    owners, emails = _exploded(table.column("emails"))
    finer = _of(refinement, owners)
    local = emails.mapped(lambda v: v.rpartition("@")[0] or None)
    return [Chain("e", owners, [emails, finer], _finer("e")), Chain("l", owners, [local, finer], _finer("l"))]


def _phones(table: Table, refinement: Part) -> list[Chain]:
    owners, phones = _exploded(table.column("phones"))
    last = phones.mapped(lambda v: v[-7:] or None)
    return [Chain("t", owners, [last, _of(refinement, owners)], _finer("t"))]


def _of(part: Part, rows: Codes) -> Part:
    return part.of(rows) if isinstance(part, Later) else part.at(rows)


def _chain(question: str, first: Coded, *finer: Part, texts: Texts | None = None) -> Chain:
    """A question to every record that has its first part."""
    owners = np.flatnonzero(first.codes >= 0)
    parts = [_of(part, owners) for part in (first, *finer)]
    return Chain(question, owners, parts, texts or _finer(question))


def _finer(question: str) -> Texts:
    """Variants that each add one more part; parts that are unknown add nothing."""

    def texts(prefix: str, level: int, columns: Columns) -> list[str]:
        start = f"{prefix}{level}{question}|"
        if len(columns) == 1 and all(columns[0]):
            return [f"{start}{value}" for value in columns[0]]
        if all(map(all, columns)):
            return [start + text for text in map("|".join, zip(*columns, strict=True))]
        rows = zip(*columns, strict=True)
        return [start + "|".join(value for value in values if value) for values in rows]

    return texts


def _last(prefixes: Sequence[str]) -> Texts:
    """Variants of which each is one part alone."""
    return lambda prefix, level, columns: [f"{prefix}{prefixes[level]}|{value}" for value in columns[level]]


def _exploded(lists: Coded) -> tuple[Codes, Coded]:
    """A row for every value of the records' lists."""
    lengths = np.array([len(one) for one in lists.pool] + [0], dtype=np.int64)
    starts = np.append(np.cumsum(lengths)[:-1] - lengths[:-1], 0) if len(lists.pool) else np.zeros(1, dtype=np.int64)
    numbers, pool = renumbered([value or None for one in lists.pool for value in one])
    counts = lengths[lists.codes]
    owners = np.repeat(np.arange(len(lists.codes)), counts)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = starts[lists.codes[owners]] + within
    return owners, Coded(numbers[places] if len(places) else places, pool)


def _text(table: Table, name: str) -> Coded:
    """A column in which nothing and "" are the same."""
    return _known_only(table.column(name))


def _known_only(column: Coded) -> Coded:
    if "" not in column.pool:
        return column
    return Coded(np.where(column.codes == column.pool.index(""), -1, column.codes), column.pool)


def _start(column: Coded, length: int) -> Later:
    return _later(column, lambda value: value[:length] or None)


def _later(column: Coded, function: Callable[[Any], Any]) -> Later:
    return Later(column.codes, _Worked(column.pool, function))


def _at_once(later: Later) -> Coded:
    return later.worked.of(later.codes)


def _known(column: Coded, other: Coded) -> Coded:
    """``other`` where ``column`` is known."""
    return Coded(np.where(column.codes >= 0, other.codes, -1), other.pool)


def _unless_equal(one: Coded, other: Coded) -> Coded:
    """``one`` where it differs from ``other``: of two equal sounds a record asks once."""
    numbers = {value: number for number, value in enumerate(other.pool)}
    there = np.array([numbers.get(value, -2) for value in one.pool] + [-3], dtype=np.int64)
    return Coded(np.where(there[one.codes] == other.codes, -1, one.codes), one.pool)


def _joined(function: Callable[[Any, Any], str | None], one: Coded, other: Coded) -> Coded:
    """A function of two columns, worked out once for each combination."""
    if not len(one.codes):
        return Coded(one.codes, [])
    numbers, examples = combined([one, other])
    firsts, seconds = one.at(examples), other.at(examples)
    values = [
        function(one.pool[a] if a >= 0 else None, other.pool[b] if b >= 0 else None)
        for a, b in zip(firsts.codes.tolist(), seconds.codes.tolist(), strict=True)
    ]
    codes, pool = renumbered(values)
    return Coded(codes[numbers], pool)
