"""Charts as geometry: numbers in, rectangles in a box of fixed units out. Templates draw them as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 600, 120
"""The box in units of its own; SVG stretches it."""


class Bar(NamedTuple):
    """One rectangle of a chart."""

    x: float
    y: float
    width: float
    height: float


class Scale(NamedTuple):
    """The vertical axis: its top value, and gridlines as (height in the box, value)."""

    top: float
    lines: tuple[tuple[float, float], ...]


def scale(values: Sequence[float]) -> Scale:
    """An axis from zero to a round number above the largest value."""
    top = _round_up(max([*values, 0.0]))
    return Scale(top, tuple((round(HEIGHT * (1 - part), 1), top * part) for part in (0.5, 1.0)))


def stacked(columns: Sequence[Sequence[float]], top: float, gap: float = 0.25) -> list[list[Bar]]:
    """Columns of stacked values, the first value lowest. ``gap`` is the share of a column left empty."""
    if not columns or top <= 0:
        return [[] for _ in columns]
    step = WIDTH / len(columns)
    width = step * (1 - gap)
    return [_column(values, index * step + (step - width) / 2, width, top) for index, values in enumerate(columns)]


def _column(values: Sequence[float], x: float, width: float, top: float) -> list[Bar]:
    bars, base = [], float(HEIGHT)
    for value in values:
        height = HEIGHT * value / top
        if value > 0:  # what is there is seen, however little
            height = max(height, 1.5)
        base -= height
        bars.append(Bar(round(x, 1), round(base, 1), round(width, 1), round(height, 1)))
    return bars


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(power * step for step in (1, 2, 2.5, 5, 10, 20) if power * step >= value)
