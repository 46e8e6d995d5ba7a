"""How often anybody may ask: a token bucket for each API key or session, and one for each address without a known one.

In memory of this process: several web processes each grant the whole rate. What is not known yet counts against the
address, so that inventing keys buys nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

MOST_BUCKETS = 50_000


class Rate(NamedTuple):
    """So many requests a second in the long run, and so many at once."""

    per_second: float
    burst: float


class Buckets:
    """Full to begin with; each request takes one token out, time puts ``rate.per_second`` in."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left: dict[bytes | str, tuple[float, float]] = {}

    def take(self, who: bytes | str) -> float:
        """0.0 if it may go on; else in how many seconds it may."""
        now = self._clock()
        left, at = self._left.get(who, (self._rate.burst, now))
        left = min(self._rate.burst, left + (now - at) * self._rate.per_second)
        if left < 1:
            return (1 - left) / self._rate.per_second
        if len(self._left) >= MOST_BUCKETS and who not in self._left:
            self._forget(now)
        self._left[who] = (left - 1, now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop those that are full again; if all are in use, the oldest half."""
        full = self._rate.burst / self._rate.per_second
        self._left = {who: one for who, one in self._left.items() if now - one[1] < full}
        if len(self._left) >= MOST_BUCKETS:
            kept = sorted(self._left.items(), key=lambda one: one[1][1])[MOST_BUCKETS // 2 :]
            self._left = dict(kept)
