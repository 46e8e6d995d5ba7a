"""Moments in the company's past; nothing depends on the day on which the example is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

LAST = datetime(2026, 3, 31, 18, 0, tzinfo=UTC)
"""The latest moment that any system knows of."""


def moment(rng: Random, days: int = 700) -> datetime:
    """A working hour within the last ``days``, to the second."""
    return LAST - timedelta(days=rng.randrange(days), seconds=rng.randrange(10 * 3600))
