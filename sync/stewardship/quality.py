"""How good matching is, as far as the weights of compared pairs and the words of stewards tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from sync.master.bulk import bulk_for

LOWEST, HIGHEST = -10, 30
"""Weights beyond are counted with the outermost bins; vetoes lie below."""
MOST_WORDS = 10_000
"""The latest decisions that are looked at."""
_Z = 1.96  # 95 %

_WORDS = """
SELECT MAX(e.weight), MIN(d.verdict) FROM (
  SELECT id, verdict FROM steward_decision WHERE undone_by IS NULL AND verdict IN ('same', 'different')
  ORDER BY id DESC LIMIT ?
) d
JOIN steward_anchor a ON a.decision_id = d.id AND a.undone_by IS NULL
JOIN steward_anchor b ON b.decision_id = d.id AND b.undone_by IS NULL AND b.record_id > a.record_id
  AND b.side <> a.side
JOIN match_edge e ON e.left_id = a.record_id AND e.right_id = b.record_id
GROUP BY d.id
"""


class Bin(NamedTuple):
    """Compared pairs with a weight from ``low`` up to, but without, the next whole number."""

    low: int
    pairs: int


class Band(NamedTuple):
    """What stewards said of pairs with a weight from ``low`` to below ``high`` (None: no end)."""

    low: float | None
    high: float | None
    same: int
    different: int

    @property
    def share(self) -> float | None:
        """The share of pairs that are one customer; None where nobody said anything."""
        told = self.same + self.different
        return self.same / told if told else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true share lies with 95 % confidence, were the pairs drawn at random (Wilson, 1927)."""
        return wilson(self.same, self.same + self.different)


class Block(NamedTuple):
    """A blocking key that too many records share: what it asks, and what was done about it (refined or linked)."""

    question: str
    value: str
    action: str
    size: int
    pairs: int
    at: datetime


def histogram(connection: Connection) -> list[Bin]:
    """How many compared pairs have which weight, in bins of width one, from the lowest to the highest there is."""
    bulk = bulk_for(connection)
    rounded = "floor(weight)" if bulk.is_postgres else "CAST(weight + 1000 AS INTEGER) - 1000"
    clamped = (
        f"CASE WHEN weight < {LOWEST} THEN {LOWEST - 1} WHEN weight >= {HIGHEST} THEN {HIGHEST} ELSE {rounded} END"
    )
    rows = bulk.fetch(f"SELECT {clamped} AS low, count(*) FROM match_edge GROUP BY 1 ORDER BY 1")  # noqa: S608
    counted = {int(low): int(count) for low, count in rows}
    if not counted:
        return []
    return [Bin(low, counted.get(low, 0)) for low in range(min(counted), max(counted) + 1)]


def bands(connection: Connection, review_from: float, accept_from: float) -> list[Band]:
    """What stewards said below the review, in it, and above it, by the strongest pair of records they spoke of.

    Pairs that people look at are not drawn at random: above the review, mostly those that look wrong are looked at.
    """
    rows = bulk_for(connection).fetch(_WORDS, MOST_WORDS)
    limits: Sequence[tuple[float | None, float | None]] = (
        (None, review_from),
        (review_from, (review_from + accept_from) / 2),
        ((review_from + accept_from) / 2, accept_from),
        (accept_from, None),
    )
    found = []
    for low, high in limits:
        inside = [said for weight, said in rows if (low is None or weight >= low) and (high is None or weight < high)]
        found.append(Band(low, high, inside.count("same"), inside.count("different")))
    return found


def blocks(connection: Connection, limit: int = 20) -> list[Block]:
    """The recorded blocks of the version in force, the largest first."""
    rows = bulk_for(connection).fetch(
        "SELECT b.question, b.value, b.action, b.size, b.pairs, b.at FROM match_block b "
        "JOIN match_state s ON s.active = b.version ORDER BY b.size DESC, b.key LIMIT ?",
        limit,
    )
    return [Block(*row) for row in rows]


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """The score interval of a share at 95 %; None of nothing."""
    if of == 0:
        return None
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
