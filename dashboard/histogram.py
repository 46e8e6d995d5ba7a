"""A histogram of weights as geometry: bars on a logarithmic axis, and the places of the thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dashboard.charts import HEIGHT, WIDTH
from sync.stewardship.quality import LOWEST, Bin

VETO, NONE, REVIEW, MERGED = "bad", "none", "review", "merged"


class Column(NamedTuple):
    """One bin with its bar; ``zone``: what becomes of such pairs."""

    low: int
    pairs: int
    zone: str
    x: float
    y: float
    width: float
    height: float


class Histogram(NamedTuple):
    """The columns, gridlines (height in the box, value), and the places of the thresholds."""

    columns: list[Column]
    lines: list[tuple[float, int]]
    review: float | None
    accept: float | None


def histogram(bins: Sequence[Bin], review_from: float | None, accept_from: float | None) -> Histogram:
    """The geometry; thresholds that lie outside of the bins are left out."""
    top = max(1, math.ceil(_log(max((one.pairs for one in bins), default=1))))
    step = WIDTH / max(1, len(bins))
    columns = []
    for place, one in enumerate(bins):
        height = max(_log(one.pairs) / top * HEIGHT, 1.5) if one.pairs else 0.0
        zone = _zone(one.low, review_from, accept_from)
        columns.append(
            Column(
                one.low, one.pairs, zone, _r(place * step + step * 0.1), _r(HEIGHT - height), _r(step * 0.8), _r(height)
            )
        )
    first = bins[0].low if bins else 0
    places = [
        None if mark is None or not bins or not first <= mark <= bins[-1].low + 1 else _r((mark - first) * step)
        for mark in (review_from, accept_from)
    ]
    lines = [(_r(HEIGHT * (1 - power / top)), int(10**power)) for power in range(1, top + 1)]
    return Histogram(columns, lines, *places)


def _zone(low: int, review_from: float | None, accept_from: float | None) -> str:
    if low < LOWEST:
        return VETO
    if review_from is not None and low < math.floor(review_from):
        return NONE
    return REVIEW if accept_from is not None and low < math.floor(accept_from) else MERGED


def _log(count: int) -> float:
    return math.log10(1 + count)


def _r(value: float) -> float:
    return round(value, 1)
