"""When is tried again what failed: an event over three days, an endpoint of which everything fails for five.

All delays grow by up to a third at random, never shrink, so that what failed together does not come back together and
the promised time is kept.
"""

from __future__ import annotations

import random
from datetime import timedelta

MINUTE, HOUR = 60.0, 3600.0
DELAYS = (5.0, 30.0, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, *[8 * HOUR] * 9)
"""After the first, second, ... failure of an event. Their sum is more than three days; then it is given up."""
OPEN_AFTER = 5
"""Failures in a row, of whatever customers, after which the endpoint itself is taken to be at fault."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 15 * MINUTE
DISABLE_AFTER = timedelta(days=5)
"""An endpoint of which nothing was accepted for so long is disabled; what it missed stays to be delivered."""
LONGEST_WISH = HOUR
"""How far a receiver's Retry-After is followed."""


def delay(failures: int, wish: float = 0.0) -> float | None:
    """Seconds until an event is tried again after so many failures; None: never again."""
    if failures > len(DELAYS):
        return None
    return max(_spread(DELAYS[failures - 1]), min(wish, LONGEST_WISH))


def pause(failures: int) -> float:
    """Seconds for which nothing is sent to an endpoint after so many failures in a row; 0: it is not at fault yet."""
    if failures < OPEN_AFTER:
        return 0.0
    return _spread(min(FIRST_PAUSE * 2.0 ** min(failures - OPEN_AFTER, 20), LONGEST_PAUSE))


def _spread(seconds: float) -> float:
    return seconds * random.uniform(1.0, 4 / 3)  # noqa: S311 - jitter
