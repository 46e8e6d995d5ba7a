"""The pairs of records that share a blocking key, in bulk."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]


def shared_key_pairs(keys: Iterable[Sequence[int]]) -> Pairs:
    """The pairs of records with a key in common: rows (left, right) with left < right, each once, sorted.

    ``keys`` are the signed 64-bit keys of records 0, 1, 2, … A block of n records makes n²/2 pairs: leave out keys of
    crowds before. Memory: 24 bytes per key and 16 per pair and block.
    """
    flat, owners = array("q"), array("q")
    count = 0
    for number, found in enumerate(keys):
        flat.extend(found)
        owners.extend([number] * len(found))
        count = number + 1
    if not flat:
        return np.empty((0, 2), dtype=np.int64)
    return pairs_of(np.frombuffer(flat, np.int64), np.frombuffer(owners, np.int64), count)


def pairs_of(keys: NDArray[np.int64], owners: NDArray[np.int64], count: int) -> Pairs:
    """The same for keys and their records in two columns; ``count`` is the number of records."""
    if not len(keys):
        return np.empty((0, 2), dtype=np.int64)
    codes = _codes(keys, owners, count)
    codes.sort()
    codes = codes[np.r_[True, codes[1:] != codes[:-1]]] if len(codes) else codes
    pairs = np.empty((len(codes), 2), dtype=np.int64)
    np.floor_divide(codes, count, out=pairs[:, 0])
    np.remainder(codes, count, out=pairs[:, 1])
    return pairs


class Agreeing(NamedTuple):
    """Pairs of records with equal values: how many there are, and some of them at even distances."""

    total: int
    left: NDArray[np.int64]
    right: NDArray[np.int64]


def agreeing_pairs(values: Sequence[tuple[Hashable, ...]], most: int) -> Agreeing:
    """The pairs of records 0, 1, 2, … whose values are equal and known (no None), at most ``most`` of them."""
    groups: dict[tuple[Hashable, ...], list[int]] = defaultdict(list)
    for number, value in enumerate(values):
        if None not in value:
            groups[value].append(number)
    found = [group for group in groups.values() if len(group) > 1]
    sizes = np.array([len(group) for group in found], dtype=np.int64)
    counts = sizes * (sizes - 1) // 2
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    taken = min(total, most)
    at = np.arange(taken, dtype=np.int64) * total // max(taken, 1)
    group_of = np.searchsorted(ends, at, side="right")
    within = at - (ends - counts)[group_of] if taken else at
    later = ((1 + np.sqrt(1 + 8 * within.astype(np.float64))) / 2).astype(np.int64)
    earlier = within - later * (later - 1) // 2
    places = list(zip(group_of.tolist(), earlier.tolist(), later.tolist(), strict=True))
    left = np.array([found[g][one] for g, one, _other in places], dtype=np.int64)
    right = np.array([found[g][other] for g, _one, other in places], dtype=np.int64)
    return Agreeing(total, left, right)


def _codes(keys: NDArray[np.int64], owners: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Codes left · count + right of all pairs, block by block; blocks of one size together."""
    order = np.argsort(keys, kind="stable")  # owners stay ascending
    keys, owners = keys[order], owners[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    sizes = np.diff(np.r_[starts, len(keys)])
    codes = []
    for size in np.unique(sizes[sizes > 1]):
        members = owners[starts[sizes == size][:, None] + np.arange(size)]
        left, right = np.triu_indices(size, 1)
        codes.append((members[:, left] * count + members[:, right]).ravel())
    return np.concatenate(codes) if codes else np.empty(0, dtype=np.int64)
