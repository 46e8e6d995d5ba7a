"""All components of a customer base clustered at once: what ``component.Component`` gives for each, without decisions.

Components of one size are clustered together, as one array of matrices; every step is the one that ``cluster`` takes,
with the same sums in the same order, so that the answer is the same to the last bit. Large components, and records that
do not even prove themselves, are left to ``Component``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mappings.matching.cluster import HIGHEST, LOWEST, MERGE_AT

Numbers = NDArray[np.int64]
Weights = NDArray[np.float64]
LARGEST = 32
"""Components of more records are clustered one by one."""
_CELLS = 4_000_000
"""Cells of matrices that are held at a time."""


class Links(NamedTuple):
    """Pairs of records that are heavy enough to connect them."""

    left: Numbers
    right: Numbers


def component_of(count: int, links: Links) -> Numbers:
    """For records 0..count-1 the lowest record of each one's component.

    Every record takes the lowest label of its neighbours, and then the label of its label, until nothing changes
    (FastSV, Zhang et al., 2020): a few rounds for components of any shape.
    """
    label = np.arange(count, dtype=np.int64)
    if not len(links.left):
        return label
    while True:
        left, right = label[links.left], label[links.right]
        low, high = np.minimum(left, right), np.maximum(left, right)
        if np.array_equal(low, high):
            return label
        np.minimum.at(label, high, low)
        while True:
            jumped = label[label]
            if np.array_equal(jumped, label):
                break
            label = jumped


class Groups(NamedTuple):
    """Records by component: ``members[starts[i]:starts[i] + sizes[i]]``, in ascending order."""

    members: Numbers
    starts: Numbers
    sizes: Numbers


def groups_of(labels: Numbers) -> Groups:
    """The records of every label."""
    members = np.argsort(labels, kind="stable")
    ordered = labels[members]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(labels) else np.empty(0, dtype=np.int64)
    return Groups(members, starts, np.diff(np.r_[starts, len(labels)]))


def cluster_all(
    count: int,
    links: Links,
    sizes: Numbers,
    by_itself: NDArray[np.bool_],
    weigh: Callable[[Numbers, Numbers], Weights],
) -> tuple[Numbers, list[list[int]]]:
    """For every record the lowest record of its cluster, and the components that are left to ``Component``.

    ``sizes`` says how many equal records stand behind each, ``by_itself`` which of them do not prove themselves;
    ``weigh`` gives the weights of pairs, −∞ for forbidden ones. Records of the left components have their own number.
    """
    label = component_of(count, links)
    groups = groups_of(label)
    cluster = np.arange(count, dtype=np.int64)
    left_over: list[list[int]] = []
    hard = np.zeros(count, dtype=bool)
    np.logical_or.at(hard, label, by_itself)
    for size in np.unique(groups.sizes).tolist():
        starts = groups.starts[groups.sizes == size]
        rows = groups.members[starts[:, None] + np.arange(size)]
        odd = hard[rows[:, 0]] | (size > LARGEST)
        left_over += rows[odd & ((size > 1) | hard[rows[:, 0]])].tolist()
        rows = rows[~odd]
        if size == 2:
            cluster[rows[:, 1]] = rows[:, 0]  # connected by a pair that is heavy enough
        elif size > 2:
            for part in _parts(rows, size):
                cluster[part] = np.take_along_axis(part, _average_link(part, sizes[part], weigh), axis=1)
    return cluster, left_over


def _parts(rows: Numbers, size: int) -> Iterator[Numbers]:
    step = max(1, _CELLS // (size * size))
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _average_link(rows: Numbers, sizes: Numbers, weigh: Callable[[Numbers, Numbers], Weights]) -> Numbers:
    """For every record of every component (a row each) the place of the first record of its cluster."""
    components, size = rows.shape
    one, other = np.triu_indices(size, 1)
    found = weigh(rows[:, one].ravel(), rows[:, other].ravel()).reshape(components, -1)
    clipped = np.where(found == -np.inf, found, np.clip(found, LOWEST, HIGHEST))
    total = np.zeros((components, size, size))
    total[:, one, other] = clipped
    total[:, other, one] = clipped
    count = sizes.astype(np.float64)
    total = total * count[:, :, None] * count[:, None, :]
    total[:, np.arange(size), np.arange(size)] = -np.inf
    label = np.tile(np.arange(size), (components, 1))
    at = np.arange(components)
    while len(at):
        sums, counts = total[at], count[at]
        mean = (sums / (counts[:, :, None] * counts[:, None, :])).reshape(len(at), -1)
        best = np.argmax(mean, axis=1)
        enough = mean[np.arange(len(at)), best] >= MERGE_AT
        at, best = at[enough], best[enough]
        low, high = np.minimum(best // size, best % size), np.maximum(best // size, best % size)
        total[at, low, :] += total[at, high, :]
        total[at, :, low] = total[at, low, :]
        total[at, low, low] = -np.inf
        total[at, high, :] = -np.inf
        total[at, :, high] = -np.inf
        count[at, low] += count[at, high]
        label[at] = np.where(label[at] == high[:, None], low[:, None], label[at])
    return label
