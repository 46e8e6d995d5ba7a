"""The promise of a shared call budget; the Redis implementation keeps one budget per vendor account."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Budget(Protocol):
    """How many calls one vendor account may make, shared by every process that uses the account."""

    def take(self, weight: float = 1.0) -> None:
        """Wait (briefly) for ``weight`` calls, or raise ``WaitUntil`` when the wait would be long."""

    def pause_until(self, until: datetime) -> None:
        """The vendor asked everyone on this account to wait until then."""
