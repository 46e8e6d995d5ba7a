"""Clustering by average link: two groups become one while the mean weight between their members is high
enough.

All pairs of a component count, not only those that blocking found, so that one strong but wrong pair cannot
chain two groups of strangers together. Weights are clipped, so that no single pair outweighs everything; a
forbidden pair weighs −∞ and keeps its groups apart for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MERGE_AT = -1.0
"""Groups merge while their mean weight is at least this (log2 odds)."""
LOWEST, HIGHEST = -3.0, 10.0
Weights = NDArray[np.float64]


def weight_matrix(count: int, weight: Callable[[int, int], float]) -> Weights:
    """The clipped weights of all pairs of 0..count-1; −∞ stays −∞; the diagonal is 0."""
    matrix = np.zeros((count, count))
    for left in range(count):
        for right in range(left + 1, count):
            matrix[left, right] = matrix[right, left] = clipped(weight(left, right))
    return matrix


def clipped(weight: float) -> float:
    """A weight within [LOWEST, HIGHEST]; −∞ stays."""
    return weight if weight == -np.inf else min(max(weight, LOWEST), HIGHEST)


def average_link(
    weights: Weights,
    sizes: Sequence[int],
    joined: Iterable[tuple[int, int]] = (),
    proven: Iterable[tuple[int, int]] = (),
    *,
    merge_at: float = MERGE_AT,
) -> list[list[int]]:
    """Groups of indices, each sorted, by their first index.

    ``sizes`` says how many equal records stand behind an index; ``joined`` pairs, then ``proven`` ones, are merged
    first unless forbidden. Ties go to the pair with the lowest indices, so number records by seniority. Cost O(n²) per
    merge round in numpy, fine up to some thousands.
    """
    state = _Groups(weights, sizes)
    for left, right in (*sorted(joined), *sorted(proven)):
        state.join(left, right)
    while True:
        pair = state.best(merge_at)
        if pair is None:
            return state.groups()
        state.merge(*pair)


class _Groups:
    """Sums of weights between groups; group i lives at the row of its first member."""

    def __init__(self, weights: Weights, sizes: Sequence[int]) -> None:
        count = len(sizes)
        self._members: list[list[int]] = [[i] for i in range(count)]
        self._at = list(range(count))
        self._size = np.asarray(sizes, dtype=np.float64)
        self._sum = weights * self._size[:, None] * self._size[None, :]
        np.fill_diagonal(self._sum, -np.inf)

    def best(self, merge_at: float) -> tuple[int, int] | None:
        """The two groups with the greatest mean weight, if it is enough."""
        if len(self._at) < 2:
            return None
        mean = self._sum / (self._size[:, None] * self._size[None, :])
        place = int(np.argmax(mean))
        left, right = divmod(place, mean.shape[1])
        return (min(left, right), max(left, right)) if mean[left, right] >= merge_at else None

    def merge(self, left: int, right: int) -> None:
        """One group of two rows."""
        self._members[left] = self._members[left] + self._members[right]
        self._sum[left, :] += self._sum[right, :]
        self._sum[:, left] = self._sum[left, :]
        self._sum[left, left] = -np.inf
        self._size[left] += self._size[right]
        keep = np.arange(len(self._size)) != right
        self._sum = self._sum[np.ix_(keep, keep)]
        self._size = self._size[keep]
        del self._members[right]
        del self._at[right]

    def join(self, left: int, right: int) -> None:
        """Merge the groups of two indices unless that is forbidden."""
        one, other = sorted((self._row(left), self._row(right)))
        if one != other and self._sum[one, other] != -np.inf:
            self.merge(one, other)

    def _row(self, index: int) -> int:
        return next(row for row, members in enumerate(self._members) if index in members)

    def groups(self) -> list[list[int]]:
        """The groups as they are."""
        return sorted(sorted(members) for members in self._members)
