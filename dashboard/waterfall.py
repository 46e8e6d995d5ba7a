"""A pair's weight as a waterfall: each step's bar begins where the one before it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH = 600
"""The box in units of its own; SVG stretches it."""


class Step(NamedTuple):
    """One row: what was compared, the level that held, what it weighs, and its bar from ``x`` on."""

    name: str
    level: str
    weight: float
    x: float
    width: float


class Bar(NamedTuple):
    """Where a bar begins, and how long it is."""

    x: float
    width: float


class Waterfall(NamedTuple):
    """The rows, the comparisons that said nothing, the total with its bar, the places of zero and of the thresholds
    (None: there is no such).
    """

    steps: list[Step]
    silent: list[str]
    total: float
    bar: Bar
    zero: float
    review: float | None
    accept: float | None


def waterfall(
    prior: float, steps: Sequence[dict[str, Any]], review_from: float | None, accept_from: float | None
) -> Waterfall:
    """The geometry of an explanation's steps (``comparison``, ``level``, ``weight``, ``adjustment``)."""
    parts = [("prior", "", prior)]
    parts += [(step["comparison"], step["level"], step["weight"] + step["adjustment"]) for step in steps]
    loud = [part for part in parts if abs(part[2]) >= 0.005]
    ends = [0.0]
    for _name, _level, weight in loud:
        ends.append(ends[-1] + weight)
    marks = [mark for mark in (review_from, accept_from) if mark is not None]
    low, high = min(*ends, *marks, 0.0) - 1, max(*ends, *marks, 0.0) + 1

    def place(weight: float) -> float:
        return round((weight - low) / (high - low) * WIDTH, 1)

    def bar(begin: float, end: float) -> Bar:
        left, right = sorted((place(begin), place(end)))
        return Bar(left, round(max(right - left, 2.0), 1))

    rows = [
        Step(name, level, weight, *bar(begin, end))
        for (name, level, weight), begin, end in zip(loud, ends, ends[1:], strict=False)
    ]
    silent = [name for name, _level, weight in parts if abs(weight) < 0.005]
    at = [None if mark is None else place(mark) for mark in (review_from, accept_from)]
    return Waterfall(rows, silent, ends[-1], bar(0.0, ends[-1]), place(0.0), at[0], at[1])
