"""How patient calls to a vendor are: tries and waits of one call, and retries that all calls of a client share."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retries:
    """How patient one call is. Waits grow from ``first`` to ``longest`` seconds, with full jitter.

    ``short`` is the longest wait a server may ask for that is slept through here; a longer one becomes ``WaitUntil``.
    ``unasked`` is the wait after a 429 without a usable ``Retry-After`` once the tries are used up. ``spare`` bounds
    retries over all calls of a client: each costs one, each success gives back a tenth, so that a broken system is
    not asked four times as often as a healthy one.
    """

    tries: int = 4
    first: float = 0.5
    longest: float = 8.0
    short: float = 5.0
    unasked: float = 60.0
    spare: float = 20.0


class Spare:
    """A small store of retries shared by all calls of a client."""

    def __init__(self, most: float) -> None:
        self._most, self._left, self._lock = most, most, threading.Lock()

    def take(self) -> bool:
        """Whether there is one left, which is gone then."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def give_back(self) -> None:
        """A call went well: a tenth of a retry more."""
        with self._lock:
            self._left = min(self._most, self._left + 0.1)
