"""Blocking keys of a whole table at once: the same keys as ``blocking`` gives record by record.

A chain's variants are worked out from coarse to fine, each only for the records whose coarser one is too large, and its
text and hash once for each distinct combination of values.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mappings.matching.blocking import key_of, soundex
from mappings.matching.model import Kind
from mappings.matching.table import Coded, Codes, Table, combined, renumbered

Keys = NDArray[np.int64]
_LENGTHS = (5, 8, 12)
Text = Callable[[int, Sequence[str | None]], str]


class KeyRows(NamedTuple):
    """One row per record and key, without repeats, by record."""

    keys: Keys
    owners: Codes


class _Chain(NamedTuple):
    """One question of many records: ``owners`` may repeat a record that has several answers (two emails)."""

    question: str
    owners: Codes
    parts: Sequence[Coded]
    text: Text


def bulk_keys(kind: Kind, table: Table, oversized: Container[int], words: Mapping[str, float]) -> KeyRows:
    """What ``blocking.block_keys`` gives for every record."""
    return _run(kind, table, words, _is_in(oversized)).rows


def shared_keys(
    kind: Kind, table: Table, oversized: Container[int], words: Mapping[str, float]
) -> tuple[KeyRows, NDArray[np.bool_]]:
    """The same without most of the keys that one record alone has, which make no pairs and are the most by far; and
    for every record whether it has any key at all.
    """
    found = _run(kind, table, words, _is_in(oversized), shared_only=True)
    keyed = found.keyed
    keyed[found.rows.owners] = True
    return found.rows, keyed


def bulk_oversized(kind: Kind, table: Table, words: Mapping[str, float], cap: int) -> frozenset[int]:
    """What ``blocking.oversized_keys`` finds in the records, for a cap of at least 1."""
    return _run(kind, table, words, None, cap, shared_only=True).oversized


def _is_in(oversized: Container[int]) -> Callable[[Keys], NDArray[np.bool_]]:
    return lambda keys: np.array([key in oversized for key in keys.tolist()], dtype=bool)


class _Made(NamedTuple):
    """Keys, those found to be too large, and the records that have keys of their own (left out of ``rows``)."""

    rows: KeyRows
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
    keys, owners, oversized = [], [], set[int]()
    keyed = np.zeros(len(table), dtype=bool)
    grouped: dict[str, list[_Chain]] = {}
    for chain in _chains(kind, table, words):
        grouped.setdefault(chain.question, []).append(chain)
    for chains in grouped.values():
        open_rows = [np.arange(len(chain.owners)) for chain in chains]
        for level in range(max(len(chain.parts) for chain in chains)):
            if shared_only and len(chains) == 1:  # a finer key of a record alone is its alone too
                alone = _alone(chains[0], level, open_rows[0])
                keyed[chains[0].owners[open_rows[0][alone]]] = True
                open_rows[0] = open_rows[0][~alone]
            found = [_level(kind, c, level, rows) for c, rows in zip(chains, open_rows, strict=True)]
            large = _too_large(found, too_large, cap)
            for place, (rows, at, key, distinct, chain) in enumerate(found):
                bad = np.isin(distinct, large)[at] if len(large) else np.zeros(len(at), dtype=bool)
                done = key[~bad]
                keys.append(done)
                owners.append(chain.owners[rows[~bad]])
                closed = np.zeros(len(chain.owners), dtype=bool)
                closed[rows[~bad]] = True
                open_rows[place] = open_rows[place][~closed[open_rows[place]]]
            if too_large is None:
                oversized.update(large.tolist())
    return _Made(_distinct(keys, owners), frozenset(oversized), keyed)


def _alone(chain: _Chain, level: int, rows: Codes) -> NDArray[np.bool_]:
    """Of the chain's rows those whose variant no other row has."""
    alone = np.zeros(len(rows), dtype=bool)
    at = np.flatnonzero(chain.parts[level].codes[rows] >= 0)
    if len(at):
        numbers, examples = combined([part.at(rows[at]) for part in chain.parts[: level + 1]])
        alone[at] = np.bincount(numbers, minlength=len(examples))[numbers] == 1
    return alone


class _Found(NamedTuple):
    """Keys of one variant: the chain's rows that have it, their place among the distinct keys, the keys."""

    rows: Codes
    at: Codes
    keys: Keys
    distinct: Keys
    chain: _Chain


def _level(kind: Kind, chain: _Chain, level: int, rows: Codes) -> _Found:
    parts = chain.parts[: level + 1]
    empty = np.empty(0, dtype=np.int64)
    if level >= len(chain.parts):
        return _Found(empty, empty, empty, empty, chain)
    rows = rows[parts[-1].codes[rows] >= 0]
    if not len(rows):
        return _Found(rows, empty, empty, empty, chain)
    here = [part.at(rows) for part in parts]
    numbers, examples = combined(here)
    columns = [[p.pool[c] if c >= 0 else None for c in p.codes[examples].tolist()] for p in here]
    texts = [chain.text(level, values) for values in zip(*columns, strict=True)]
    distinct = np.array([key_of(kind, text) for text in texts], dtype=np.int64)
    return _Found(rows, numbers, distinct[numbers], distinct, chain)


def _too_large(found: Sequence[_Found], known: Callable[[Keys], NDArray[np.bool_]] | None, cap: int) -> Keys:
    """The keys of a level that are too large: by what is known, else by counting records."""
    if known is not None:
        distinct = np.unique(np.concatenate([one.distinct for one in found]))
        return distinct[known(distinct)] if len(distinct) else distinct
    rows = _distinct([one.keys for one in found], [one.chain.owners[one.rows] for one in found])
    distinct, counts = np.unique(rows.keys, return_counts=True)
    return distinct[counts > cap]


def _distinct(keys: Sequence[Keys], owners: Sequence[Codes]) -> KeyRows:
    if not keys:
        return KeyRows(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    key, owner = np.concatenate(keys), np.concatenate(owners).astype(np.int64)
    order = np.lexsort((key, owner))
    key, owner = key[order], owner[order]
    first = np.ones(len(key), dtype=bool)
    first[1:] = (key[1:] != key[:-1]) | (owner[1:] != owner[:-1])
    return KeyRows(key[first], owner[first])


def _finer(question: str) -> Text:
    """Variants that each add one more part; parts that are unknown add nothing."""

    def text(level: int, values: Sequence[str | None]) -> str:
        return f"{level}{question}|" + "|".join(value for value in values if value)

    return text


def _chains(kind: Kind, table: Table, words: Mapping[str, float]) -> Iterator[_Chain]:
    return _person_chains(table) if kind == "person" else _organisation_chains(table, words)


def _chain(question: str, *parts: Coded, text: Text | None = None) -> _Chain:
    """A question to every record that has its first part."""
    owners = np.flatnonzero(parts[0].codes >= 0)
    return _Chain(question, owners, [part.at(owners) for part in parts], text or _finer(question))


def _person_chains(table: Table) -> Iterator[_Chain]:
    given, family = _text(table, "given_latin"), _text(table, "family_latin")
    birth, city, postcode, street = (_text(table, name) for name in ("birth", "city", "postcode", "street"))
    year, first, last = birth.mapped(lambda v: v[:4] or None), _start(given, 1), _start(family, 1)
    sounds = given.mapped(lambda v: soundex(v) or None), family.mapped(lambda v: soundex(v) or None)
    initials = _joined(lambda g, f: (g[:1] if g else "") + (f[:1] if f else "") or None, given, family)
    yield from _contact_chains(table, initials)
    number = table.column("number").mapped(lambda v: v or None)
    yield _chain("n|number", number, text=lambda level, values: f"n|{values[0]}")
    yield _chain("b", birth, first, last)
    yield _chain("f", family, first, _start(given, 3), year)
    yield _chain("g", given, last, _start(family, 3), year)
    yield _chain("p", postcode, last, first)
    yield _chain("s", street, postcode, last)
    both = _joined(lambda f, g: f"{soundex(f)} {g[0]}" if f and g else None, family, given)
    yield _chain("x", both, sounds[0], year)
    yield _chain("w", _joined(lambda g, f: " ".join(sorted((g, f))) if g and f else None, given, family), year)
    decade, month = year.mapped(lambda v: v[:3]), birth.mapped(lambda v: v[5:7] or None)
    yield _chain("y", sounds[1], decade, year, month)
    yield _chain("y", _unless_equal(sounds[0], sounds[1]), decade, year, month)
    there = _joined(lambda c, y: f"{c} {y}" if c and y else None, city, year)
    yield _chain("c", there, birth.mapped(lambda v: v[5:] or None), first)


def _organisation_chains(table: Table, frequencies: Mapping[str, float]) -> Iterator[_Chain]:
    name, postcode, city, street = (_text(table, n) for n in ("name_latin", "postcode", "city", "street"))
    yield from _contact_chains(table, _start(name, 3))
    yield _chain("t|tax", _text(table, "tax"), text=lambda level, values: f"t|{values[0]}")
    yield _chain("d", _text(table, "domain"), _start(name, 3))
    yield _chain("2", name.mapped(lambda v: " ".join(v.split(" ")[:2]) or None), postcode)
    compact = name.mapped(lambda v: v.replace(" ", ""))
    beginnings = [_start(compact, length) for length in _LENGTHS]
    yield _chain("p5", *beginnings, text=lambda level, values: f"p{_LENGTHS[level]}|{values[level]}")
    rare = table.column("words").mapped(lambda v: sorted(v, key=lambda w: (frequencies.get(w, 0.0), w)))
    yield _chain("r", _known(name, rare.mapped(lambda v: v[0] if v else None)), postcode)
    yield _chain("rr", _known(name, rare.mapped(lambda v: f"{v[0]} {v[1]}" if len(v) > 1 else None)), postcode)
    yield _chain("s", street.mapped(lambda v: " ".join(v.split(" ")[:2]) or None), _start(name, 2))
    yield _chain("k", _text(table, "contact"), city)


def _contact_chains(table: Table, refinement: Coded) -> Iterator[_Chain]:
    owners, emails = _exploded(table.column("emails"))
    yield _Chain("e", owners, [emails, refinement.at(owners)], _finer("e"))
    local = emails.mapped(lambda v: v.rpartition("@")[0] or None)
    yield _Chain("l", owners, [local, refinement.at(owners)], _finer("l"))
    owners, phones = _exploded(table.column("phones"))
    yield _Chain("t", owners, [phones.mapped(lambda v: v[-7:] or None), refinement.at(owners)], _finer("t"))


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
    return table.column(name).mapped(lambda value: value or None)


def _start(column: Coded, length: int) -> Coded:
    return column.mapped(lambda value: value[:length] or None)


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
