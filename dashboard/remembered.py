"""Counts over the whole master are remembered for some seconds: a page must not wait for a million rows.

Whoever asks for something that is too old gets it, and it is counted anew meanwhile; only the very first one waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import structlog
from fastapi import Request

FRESH = 5.0
PATIENCE = 0.03
T = TypeVar("T")
log = structlog.get_logger(__name__)


class Remembered:
    """Values by name with the time they were made."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, Any]] = {}
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], T], fresh: float = FRESH) -> T:
        """The value of that name, made by ``make`` in this thread or, if there is an older one, in another."""
        known = self._values.get(name)
        if known is None:
            return self._make(name, make)
        if time.monotonic() - known[0] > fresh:
            with self._lock:
                busy = name in self._busy
                self._busy.add(name)
            if not busy:
                threading.Thread(target=self._again, args=(name, make), daemon=True).start()
        return cast(T, known[1])

    def soon(self, name: str, make: Callable[[], T], fresh: float = FRESH, patience: float = PATIENCE) -> T | None:
        """The same, but not even the first visitor waits for longer than ``patience`` seconds: None, come again."""
        if name not in self._values:
            with self._lock:
                busy = name in self._busy
                self._busy.add(name)
            if not busy:
                threading.Thread(target=self._again, args=(name, make), daemon=True).start()
            deadline = time.monotonic() + patience
            while name in self._busy and time.monotonic() < deadline:
                time.sleep(0.002)
        return self.get(name, make, fresh) if name in self._values else None

    def _make(self, name: str, make: Callable[[], T]) -> T:
        value = make()
        self._values[name] = (time.monotonic(), value)
        return value

    def _again(self, name: str, make: Callable[[], Any]) -> None:
        try:
            self._make(name, make)
        except Exception as error:  # the older value stays; the next visitor tries again
            log.warning("a count could not be renewed", name=name, kind=type(error).__name__)
        finally:
            self._busy.discard(name)


def of(request: Request) -> Remembered:
    """What this application remembers."""
    state = request.app.state
    if not hasattr(state, "remembered"):
        state.remembered = Remembered()
    found: Remembered = state.remembered
    return found
