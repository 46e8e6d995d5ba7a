"""How long to wait for a system that says it limits us, but never for how long: twice as long each time, then anew."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta


class GrowingPause:
    """Seconds from ``first`` doubling to ``longest``; ``reset`` when the system answers again. Thread-safe."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest, self._next = first, longest, first
        self._lock = threading.Lock()

    def until(self, now: datetime) -> datetime:
        """When to try again; the following pause is twice as long."""
        with self._lock:
            wait, self._next = self._next, min(self._longest, self._next * 2)
        return now + timedelta(seconds=wait)

    def reset(self) -> None:
        """The system answers again."""
        with self._lock:
            self._next = self._first
