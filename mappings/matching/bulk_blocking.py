"""Blocking keys of a whole table at once: the same keys as ``blocking`` gives record by record.

A chain's variants are worked out from coarse to fine, each only for the records whose coarser one is too large, and its
text and hash once for each distinct combination of values. Questions know nothing of each other: the processors share
them out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from mappings.matching.bulk_questions import Asked, Chain, questions
from mappings.matching.model import Kind
from mappings.matching.processes import shared_out
from mappings.matching.table import Coded, Codes, Table, combined

Keys = NDArray[np.int64]
_BITS = 1 << 22
_MANY = 50_000
"""From so many records on it pays to share the questions out."""


class KeyRows(NamedTuple):
    """One row per record and key, without repeats."""

    keys: Keys
    owners: Codes


def bulk_keys(kind: Kind, table: Table, oversized: Collection[int], words: Mapping[str, float]) -> KeyRows:
    """What ``blocking.block_keys`` gives for every record, by record."""
    found = _run(kind, table, words, _is_in(oversized))
    blocks = _rows(found.codes, table)
    keys = found.keys[blocks.keys]
    order = np.lexsort((keys, blocks.owners))
    return KeyRows(keys[order], blocks.owners[order])


def shared_keys(
    kind: Kind, table: Table, oversized: Collection[int], words: Mapping[str, float], processes: int = 1
) -> tuple[KeyRows, NDArray[np.bool_]]:
    """The same by key, with keys numbered from 0, and without most of the keys that one record alone has, which make no
    pairs and are the most by far; and for every record whether it has any key at all.
    """
    found = _run(kind, table, words, _is_in(oversized), processes, shared_only=True)
    rows, keyed = _rows(found.codes, table), found.keyed
    keyed[rows.owners] = True
    return rows, keyed


def bulk_oversized(
    kind: Kind, table: Table, words: Mapping[str, float], cap: int, processes: int = 1
) -> frozenset[int]:
    """What ``blocking.oversized_keys`` finds in the records, for a cap of at least 1."""
    return _run(kind, table, words, partial(_crowded, cap), processes, shared_only=True).oversized


def _rows(codes: Codes, table: Table) -> KeyRows:
    return KeyRows(*np.divmod(codes, max(len(table), 1)))


def _is_in(oversized: Collection[int]) -> TooLarge:
    """Those that are among these. Most are not, which one bit tells: only the rest are looked for."""
    known = np.sort(np.fromiter(oversized, dtype=np.int64, count=len(oversized)))
    bits = np.zeros(_BITS, dtype=bool)
    bits[known >> 1 & _BITS - 1] = True  # the last bit says what is proof

    def is_in(found: _Found) -> NDArray[np.bool_]:
        large: NDArray[np.bool_] = bits[found.keys >> 1 & _BITS - 1]
        maybe = np.flatnonzero(large)
        if len(maybe):
            wanted = found.keys[maybe]
            large[maybe] = known[np.minimum(np.searchsorted(known, wanted), len(known) - 1)] == wanted
        return large

    return is_in


class _Made(NamedTuple):
    """What questions gave: ``codes`` are block · records + record, sorted (blocks are numbered; ``keys`` are theirs);
    keys that are too large, and the records with keys that were left out.
    """

    codes: Codes
    keys: Keys
    oversized: frozenset[int]
    keyed: NDArray[np.bool_]


def _run(
    kind: Kind,
    table: Table,
    words: Mapping[str, float],
    too_large: TooLarge,
    processes: int = 1,
    shared_only: bool = False,
) -> _Made:
    ask = partial(_answers, kind, len(table), too_large, shared_only)
    tasks = [partial(ask, asked) for asked in questions(kind, table, words)]
    parts = shared_out(tasks, processes if len(table) >= _MANY else 1)
    count, starts = max(len(table), 1), np.cumsum([0, *(len(part.keys) for part in parts)]).tolist()
    codes = [part.codes + start * count for part, start in zip(parts, starts, strict=False)]
    oversized = frozenset[int]().union(*(part.oversized for part in parts))
    keyed: NDArray[np.bool_] = np.logical_or.reduce([part.keyed for part in parts])
    return _Made(np.concatenate(codes), np.concatenate([part.keys for part in parts]), oversized, keyed)


def _answers(kind: Kind, records: int, too_large: TooLarge, shared_only: bool, asked: Asked) -> _Made:
    count, made = max(records, 1), 0
    keys, codes, oversized = [], [], set[int]()
    keyed = np.zeros(records, dtype=bool)
    for _question, grouped in groupby(asked(), lambda chain: chain.question):
        chains = list(grouped)
        open_rows = [np.arange(len(chain.owners)) for chain in chains]
        for level in range(max(len(chain.parts) for chain in chains)):
            groups = [_groups(chain, level, rows) for chain, rows in zip(chains, open_rows, strict=True)]
            if shared_only and len(chains) == 1:  # a finer key of a record alone is its alone too
                alone, groups[0] = _without_single(groups[0])
                keyed[chains[0].owners[alone]] = True
                open_rows[0] = _without(open_rows[0], alone, len(chains[0].owners))
            found = _found(kind, chains, level, groups)
            large = too_large(found)
            for place, (chain, rows, at) in enumerate(zip(chains, found.rows, found.at, strict=True)):
                done = np.flatnonzero(~large[at])
                codes.append((at[done] + made) * count + chain.owners[rows[done]])
                open_rows[place] = _without(open_rows[place], rows[done], len(chain.owners))
            oversized.update(found.keys[large].tolist())
            keys.append(found.keys)
            made += len(found.keys)
    return _Made(_once(np.concatenate(codes)), np.concatenate(keys), frozenset(oversized), keyed)


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
    chains: Sequence[Chain]
    rows: Sequence[Codes]
    at: Sequence[Codes]


TooLarge = Callable[[_Found], NDArray[np.bool_]]
"""Says which of the keys found are too large."""


def _groups(chain: Chain, level: int, rows: Codes) -> _Groups:
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


def _found(kind: Kind, chains: Sequence[Chain], level: int, groups: Sequence[_Groups]) -> _Found:
    hashed = [_hashed(kind, chain, level, one) for chain, one in zip(chains, groups, strict=True)]
    rows, at = [one.rows for one in groups], [one.at for one in groups]
    if len(chains) == 1:
        return _Found(hashed[0], chains, rows, at)
    keys, places = np.unique(np.concatenate(hashed), return_inverse=True)
    starts = np.cumsum([0, *map(len, hashed)])
    return _Found(keys, chains, rows, [places[start:][here] for start, here in zip(starts, at, strict=False)])


def _hashed(kind: Kind, chain: Chain, level: int, found: _Groups) -> Keys:
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


def _crowded(cap: int, found: _Found) -> NDArray[np.bool_]:
    """Which keys more than ``cap`` records have."""
    owners = [chain.owners[rows] for chain, rows in zip(found.chains, found.rows, strict=True)]
    count = max((int(one.max(initial=0)) for one in owners), default=0) + 1
    holders = _once(np.concatenate([at * count + one for at, one in zip(found.at, owners, strict=True)]))
    crowded: NDArray[np.bool_] = np.bincount(holders // count, minlength=len(found.keys)) > cap
    return crowded
