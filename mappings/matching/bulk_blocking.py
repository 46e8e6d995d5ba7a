"""Blocking keys of a whole table at once: the same keys as ``blocking`` gives record by record.

A chain's variants are worked out from coarse to fine, each only for the records whose coarser one is too large, and its
text and hash once for each distinct combination of values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from mappings.matching.blocking import soundex
from mappings.matching.model import Kind
from mappings.matching.table import Coded, Codes, Table, combined, renumbered

Keys = NDArray[np.int64]
_LENGTHS = (5, 8, 12)
_BITS = 1 << 22
_OPEN = -2
Columns = Sequence[Sequence[str | None]]
Texts = Callable[[str, int, Columns], Sequence[str]]
"""The texts of a level's variants behind a prefix, given the values of its parts, a column each."""


class KeyRows(NamedTuple):
    """One row per record and key, without repeats."""

    keys: Keys
    owners: Codes


class _Chain(NamedTuple):
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


class _Later(NamedTuple):
    """A function of a column, worked out only for the values that are asked for: few records need the finer parts."""

    codes: Codes
    worked: _Worked

    def of(self, rows: Codes) -> _Later:
        """The same of some records."""
        return _Later(self.codes[rows], self.worked)

    def at(self, rows: Codes) -> Coded:
        """The values of some records."""
        return self.worked.of(self.codes[rows])


Part = Coded | _Later


def bulk_keys(kind: Kind, table: Table, oversized: Collection[int], words: Mapping[str, float]) -> KeyRows:
    """What ``blocking.block_keys`` gives for every record, by record."""
    found = _run(kind, table, words, _is_in(oversized))
    keys, owners = found.keys[found.blocks.keys], found.blocks.owners
    order = np.lexsort((keys, owners))
    return KeyRows(keys[order], owners[order])


def shared_keys(
    kind: Kind, table: Table, oversized: Collection[int], words: Mapping[str, float]
) -> tuple[KeyRows, NDArray[np.bool_]]:
    """The same by key, with keys numbered from 0, and without most of the keys that one record alone has, which make no
    pairs and are the most by far; and for every record whether it has any key at all.
    """
    found = _run(kind, table, words, _is_in(oversized), shared_only=True)
    keyed = found.keyed
    keyed[found.blocks.owners] = True
    return found.blocks, keyed


def bulk_oversized(kind: Kind, table: Table, words: Mapping[str, float], cap: int) -> frozenset[int]:
    """What ``blocking.oversized_keys`` finds in the records, for a cap of at least 1."""
    return _run(kind, table, words, None, cap, shared_only=True).oversized


def _is_in(oversized: Collection[int]) -> Callable[[Keys], NDArray[np.bool_]]:
    """Whether keys are among these. Most are not, which one bit tells: only the rest are looked for."""
    known = np.sort(np.fromiter(oversized, dtype=np.int64, count=len(oversized)))
    bits = np.zeros(_BITS, dtype=bool)
    bits[known >> 1 & _BITS - 1] = True  # the last bit says what is proof

    def is_in(keys: Keys) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = bits[keys >> 1 & _BITS - 1]
        maybe = np.flatnonzero(found)
        if len(maybe):
            wanted = keys[maybe]
            found[maybe] = known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted
        return found

    return is_in


class _Made(NamedTuple):
    """Blocks (numbered; ``keys`` are their keys), those too large, and the records with keys that were left out."""

    blocks: KeyRows
    keys: Keys
    oversized: frozenset[int]
    keyed: NDArray[np.bool_]


def _run(
    kind: Kind,
    table: Table,
    words: Mapping[str, float],
    too_large: Callable[[Keys], NDArray[np.bool_]] | None,
    cap: int = 0,
    shared_only: bool = False,
) -> _Made:
    count, made = max(len(table), 1), 0
    keys, codes, oversized = [], [], set[int]()
    keyed = np.zeros(len(table), dtype=bool)
    for _question, grouped in groupby(_chains(kind, table, words), lambda chain: chain.question):
        chains = list(grouped)
        open_rows = [np.arange(len(chain.owners)) for chain in chains]
        for level in range(max(len(chain.parts) for chain in chains)):
            groups = [_groups(chain, level, rows) for chain, rows in zip(chains, open_rows, strict=True)]
            if shared_only and len(chains) == 1:  # a finer key of a record alone is its alone too
                alone, groups[0] = _without_single(groups[0])
                keyed[chains[0].owners[alone]] = True
                open_rows[0] = _without(open_rows[0], alone, len(chains[0].owners))
            found = _found(kind, chains, level, groups)
            large = _crowded(found, cap) if too_large is None else too_large(found.keys)
            for place, (chain, rows, at) in enumerate(zip(chains, found.rows, found.at, strict=True)):
                done = np.flatnonzero(~large[at])
                if too_large is not None:
                    codes.append((at[done] + made) * count + chain.owners[rows[done]])
                open_rows[place] = _without(open_rows[place], rows[done], len(chain.owners))
            if too_large is None:
                oversized.update(found.keys[large].tolist())
            keys.append(found.keys)
            made += len(found.keys)
    blocks = _once(np.concatenate(codes)) if codes else np.empty(0, dtype=np.int64)
    return _Made(KeyRows(*np.divmod(blocks, count)), np.concatenate(keys), frozenset(oversized), keyed)


def _once(codes: Codes) -> Codes:
    """Sorted, without repeats."""
    codes.sort()
    return codes[np.r_[True, codes[1:] != codes[:-1]]] if len(codes) else codes


class _Groups(NamedTuple):
    """The rows of a chain that have a variant, each one's place among the distinct ones, and the values of these."""

    rows: Codes
    at: Codes
    values: Sequence[Coded]


class _Found(NamedTuple):
    """The keys of a level of a question; of each chain the rows that have one, and the places of theirs among these."""

    keys: Keys
    chains: Sequence[_Chain]
    rows: Sequence[Codes]
    at: Sequence[Codes]


def _groups(chain: _Chain, level: int, rows: Codes) -> _Groups:
    empty = np.empty(0, dtype=np.int64)
    if level >= len(chain.parts):
        return _Groups(empty, empty, [])
    last = chain.parts[level].at(rows)
    known = last.codes >= 0
    rows = rows[known]
    if not len(rows):
        return _Groups(empty, empty, [])
    here = [*(part.at(rows) for part in chain.parts[:level]), Coded(last.codes[known], last.pool)]
    numbers, examples = combined(here)
    return _Groups(rows, numbers, [part.at(examples) for part in here])


def _without_single(found: _Groups) -> tuple[Codes, _Groups]:
    """The rows whose variant no other row has, and the rest."""
    if not len(found.rows):
        return found.rows, found
    several = np.bincount(found.at) > 1
    kept = several[found.at]
    places = np.cumsum(several) - 1
    values = [part.at(np.flatnonzero(several)) for part in found.values]
    return found.rows[~kept], _Groups(found.rows[kept], places[found.at[kept]], values)


def _without(rows: Codes, closed: Codes, count: int) -> Codes:
    is_closed = np.zeros(count, dtype=bool)
    is_closed[closed] = True
    return rows[~is_closed[rows]]


def _found(kind: Kind, chains: Sequence[_Chain], level: int, groups: Sequence[_Groups]) -> _Found:
    hashed = [_hashed(kind, chain, level, one) for chain, one in zip(chains, groups, strict=True)]
    rows, at = [one.rows for one in groups], [one.at for one in groups]
    if len(chains) == 1:
        return _Found(hashed[0], chains, rows, at)
    keys, places = np.unique(np.concatenate(hashed), return_inverse=True)
    starts = np.cumsum([0, *map(len, hashed)])
    return _Found(keys, chains, rows, [places[start:][here] for start, here in zip(starts, at, strict=False)])


def _hashed(kind: Kind, chain: _Chain, level: int, found: _Groups) -> Keys:
    """What ``blocking.key_of`` gives for the distinct variants."""
    columns = [_listed(part) for part in found.values]
    texts = chain.texts(f"{kind}|", level, columns) if columns else []
    return (_hashes(texts) & ~np.uint64(1)).view(np.int64)


def _listed(part: Coded) -> list[str | None]:
    pool = [*part.pool, None]  # -1 is the last
    return list(map(pool.__getitem__, part.codes.tolist()))


def _hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    try:
        return np.fromiter(map(xxh3_64_intdigest, map(str.encode, texts)), dtype=np.uint64, count=len(texts))
    except UnicodeEncodeError:  # lone surrogates
        encoded = (text.encode("utf-8", "surrogatepass") for text in texts)
        return np.fromiter(map(xxh3_64_intdigest, encoded), dtype=np.uint64, count=len(texts))


def _crowded(found: _Found, cap: int) -> NDArray[np.bool_]:
    """Which keys more than ``cap`` records have."""
    owners = [chain.owners[rows] for chain, rows in zip(found.chains, found.rows, strict=True)]
    count = max((int(one.max(initial=0)) for one in owners), default=0) + 1
    holders = _once(np.concatenate([at * count + one for at, one in zip(found.at, owners, strict=True)]))
    crowded: NDArray[np.bool_] = np.bincount(holders // count, minlength=len(found.keys)) > cap
    return crowded


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


def _chains(kind: Kind, table: Table, words: Mapping[str, float]) -> Iterator[_Chain]:
    return _person_chains(table) if kind == "person" else _organisation_chains(table, words)


def _chain(question: str, first: Coded, *finer: Part, texts: Texts | None = None) -> _Chain:
    """A question to every record that has its first part."""
    owners = np.flatnonzero(first.codes >= 0)
    parts = [part.of(owners) if isinstance(part, _Later) else part.at(owners) for part in (first, *finer)]
    return _Chain(question, owners, parts, texts or _finer(question))


def _person_chains(table: Table) -> Iterator[_Chain]:
    given, family = _text(table, "given_latin"), _text(table, "family_latin")
    birth, city, postcode, street = (_text(table, name) for name in ("birth", "city", "postcode", "street"))
    first, last = _start(given, 1), _start(family, 1)
    year = birth.mapped(lambda v: v[:4] or None)
    initials = _joined(lambda g, f: (g or "") + (f or "") or None, _at_once(first), _at_once(last))
    yield from _contact_chains(table, initials)
    yield _chain("n|number", _text(table, "number"), texts=_last(["n"]))
    yield _chain("b", birth, first, last)
    yield _chain("f", family, first, _start(given, 3), year)
    yield _chain("g", given, last, _start(family, 3), year)
    yield _chain("p", postcode, last, first)
    yield _chain("s", street, postcode, last)
    sounds = given.mapped(soundex), family.mapped(soundex)
    both = _joined(lambda f, g: f"{f} {g}" if f is not None and g else None, sounds[1], _at_once(first))
    yield _chain("x", both, _known_only(sounds[0]), year)
    yield _chain("w", _joined(lambda g, f: " ".join(sorted((g, f))) if g and f else None, given, family), year)
    decade, month = _later(year, lambda v: v[:3]), _later(birth, lambda v: v[5:7] or None)
    one, other = _known_only(sounds[0]), _known_only(sounds[1])
    yield _chain("y", other, decade, year, month)
    yield _chain("y", _unless_equal(one, other), decade, year, month)
    there = _joined(lambda c, y: f"{c} {y}" if c and y else None, city, year)
    yield _chain("c", there, _later(birth, lambda v: v[5:] or None), first)


def _organisation_chains(table: Table, frequencies: Mapping[str, float]) -> Iterator[_Chain]:
    name, postcode, city, street = (_text(table, n) for n in ("name_latin", "postcode", "city", "street"))
    yield from _contact_chains(table, _start(name, 3))
    yield _chain("t|tax", _text(table, "tax"), texts=_last(["t"]))
    yield _chain("d", _text(table, "domain"), _start(name, 3))
    yield _chain("2", name.mapped(lambda v: " ".join(v.split(" ", 2)[:2]) or None), postcode)
    compact = name.mapped(lambda v: v.replace(" ", ""))
    finer = [_start(compact, length) for length in _LENGTHS[1:]]
    yield _chain("p5", _at_once(_start(compact, _LENGTHS[0])), *finer, texts=_last([f"p{n}" for n in _LENGTHS]))
    rare = table.column("words").mapped(lambda v: sorted(v, key=lambda w: (frequencies.get(w, 0.0), w)))
    yield _chain("r", _known(name, rare.mapped(lambda v: v[0] if v else None)), postcode)
    yield _chain("rr", _known(name, rare.mapped(lambda v: f"{v[0]} {v[1]}" if len(v) > 1 else None)), postcode)
    yield _chain("s", street.mapped(lambda v: " ".join(v.split(" ", 2)[:2]) or None), _start(name, 2))
    yield _chain("k", _text(table, "contact"), city)


def _contact_chains(table: Table, refinement: Part) -> Iterator[_Chain]:
    owners, emails = _exploded(table.column("emails"))
    finer = refinement.of(owners) if isinstance(refinement, _Later) else refinement.at(owners)
    yield _Chain("e", owners, [emails, finer], _finer("e"))
    local = emails.mapped(lambda v: v.rpartition("@")[0] or None)
    yield _Chain("l", owners, [local, finer], _finer("l"))
    owners, phones = _exploded(table.column("phones"))
    finer = refinement.of(owners) if isinstance(refinement, _Later) else refinement.at(owners)
    yield _Chain("t", owners, [phones.mapped(lambda v: v[-7:] or None), finer], _finer("t"))


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


def _start(column: Coded, length: int) -> _Later:
    return _later(column, lambda value: value[:length] or None)


def _later(column: Coded, function: Callable[[Any], Any]) -> _Later:
    return _Later(column.codes, _Worked(column.pool, function))


def _at_once(later: _Later) -> Coded:
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
