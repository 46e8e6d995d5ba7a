"""How many values two lists have in common, for many pairs of lists at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class _Lists(NamedTuple):
    """Lists of numbered values, one behind the other: list n is ``values[starts[n]:starts[n] + lengths[n]]``, sorted.

    ``signs`` has a bit set for each value of a list (by its number modulo 64): lists without a bit in common have no
    value in common. The last is that of no list.
    """

    starts: Numbers
    lengths: Numbers
    values: Numbers
    signs: NDArray[np.uint64]


class ListPools:
    """Two pools of lists of texts, whose values are numbered alike."""

    def __init__(self, one: _Lists, other: _Lists, count: int) -> None:
        self._one, self._other, self._count = one, other, count
        owners = np.repeat(np.arange(len(other.lengths)), other.lengths)
        self._members = owners * count + other.values

    @staticmethod
    def of(one: Sequence[Any], other: Sequence[Any]) -> ListPools | None:
        """The pools; None if a list holds anything but texts and None."""
        numbers: dict[Any, int] = {}
        left = _numbered(one, numbers)
        right = left if other is one else _numbered(other, numbers)
        return None if left is None or right is None else ListPools(left, right, max(len(numbers), 1))

    def common(self, left: Numbers, right: Numbers, null: NDArray[np.bool_]) -> Numbers:
        """For pairs of lists, by their places in the pools, how many different values both have; 0 where ``null``."""
        counts = np.zeros(len(left), dtype=np.int64)
        signs = self._one.signs[left] & self._other.signs[right]
        pairs = np.flatnonzero((signs != 0) & ~null)
        if not len(pairs):
            return counts
        lists, lengths = left[pairs], self._one.lengths[left[pairs]]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        values = self._one.values[np.repeat(self._one.starts[lists], lengths) + within]
        wanted = np.repeat(right[pairs].astype(np.int64) * self._count, lengths) + values
        places = np.minimum(np.searchsorted(self._members, wanted), len(self._members) - 1)
        hits = np.add.reduceat((self._members[places] == wanted).astype(np.int64), ends - lengths)
        counts[pairs] = hits
        return counts


def _numbered(pool: Sequence[Any], numbers: dict[Any, int]) -> _Lists | None:
    flat = list(chain.from_iterable(pool))
    if not set(map(type, flat)) <= {str, type(None)}:
        return None
    for value in dict.fromkeys(flat).keys() - numbers.keys() if numbers else ():
        numbers[value] = len(numbers)
    if not numbers:
        numbers.update(zip(dict.fromkeys(flat), range(len(flat)), strict=False))
    owners = np.repeat(np.arange(len(pool)), np.fromiter(map(len, pool), dtype=np.int64, count=len(pool)))
    values = np.fromiter(map(numbers.__getitem__, flat), dtype=np.int64, count=len(flat))
    there = values != numbers.get(None, -1)
    owners, values = np.divmod(np.unique(owners[there] * len(numbers) + values[there]), max(len(numbers), 1))
    lengths = np.bincount(owners, minlength=len(pool))
    starts = np.cumsum(lengths) - lengths
    bits = np.append(np.uint64(1) << (values.astype(np.uint64) % np.uint64(64)), np.uint64(0))
    signs = np.zeros(len(pool) + 1, dtype=np.uint64)
    there = lengths > 0
    if there.any():
        signs[:-1][there] = np.bitwise_or.reduceat(bits, starts[there])
    return _Lists(starts, lengths, values, signs)
