"""The review queue as a desk holds it: read anew as often as that is cheap, without what was just decided."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from threading import Lock, Thread

import structlog

from mappings.contract import Matcher
from sync.database import Database
from sync.errors import NotFound
from sync.master.inforce import MatcherSource
from sync.stewardship.review import Candidate, queue

MOST = 500
"""Pairs that are held; the most consequential ones."""
QUICK = 0.05
"""Seconds: a reading that takes no longer is made while the visitor waits, any other one beside."""
SHARE = 20
"""A reading is believed for so many times as long as it took,"""
SOON = 4
"""after a decision for so many times,"""
LONGEST = 60.0
"""but never for more seconds than this."""

log = structlog.get_logger(__name__)


class Worklist:
    """The most consequential pairs to review. One for a process; its threads share it.

    On a small master every look is fresh. On a large one, where ranking all open pairs takes a second, a look may be
    some seconds old, and nobody waits for the next: it is read beside. Whoever opens a pair looks at the pair itself,
    which is always fresh, and what was decided is left out at once.
    """

    def __init__(self, database: Database, matcher: Matcher | MatcherSource) -> None:
        self._database, self._matcher = database, matcher
        self._lock, self._reading = Lock(), Lock()
        self._held: list[Candidate] | None = None
        self._decided: set[str] = set()
        self._took = self._ended = self._until = 0.0

    def pairs(self) -> list[Candidate]:
        """The pairs to review, those first whose decision would touch most records; at most ``MOST``."""
        if self._held is None or (self._took <= QUICK and self._is_old()):
            with self._reading:
                if self._held is None or self._is_old():
                    self._read()
        elif self._is_old() and self._reading.acquire(blocking=False):
            Thread(target=self._read_beside, name="worklist", daemon=True).start()
        with self._lock:
            return list(self._held or ())

    def at_hand(self) -> list[Candidate] | None:
        """The same, but nobody waits: None while the first reading is under way, which this begins."""
        if self._held is None:
            if self._reading.acquire(blocking=False):
                Thread(target=self._read_beside, name="worklist", daemon=True).start()
            return None
        return self.pairs()

    def forget(self, customers: Collection[str]) -> None:
        """Leave out, until the next reading, every pair with one of these customers: their case was decided."""
        with self._lock:
            self._decided |= set(customers)
            self._held = None if self._held is None else self._without(self._held)

    def renew(self) -> None:
        """Read anew soon, e.g. because a decision was taken back: with the next look, where that is cheap."""
        with self._lock:
            self._until = min(self._until, self._ended + (0.0 if self._took <= QUICK else SOON * self._took))

    def _is_old(self) -> bool:
        return time.monotonic() >= self._until

    def _read_beside(self) -> None:
        """Holds ``_reading``, which the caller has taken."""
        try:
            self._read()
        except Exception as error:  # what is held stays; the next visitor tries again
            log.warning("the review queue could not be read", kind=type(error).__name__)
        finally:
            self._reading.release()

    def _read(self) -> None:
        began = time.monotonic()
        with self._lock:
            self._decided.clear()
        found: list[Candidate] = []
        with self._database.reading() as connection, suppress(NotFound):  # before the first registration there are none
            found = queue(connection, self._matcher, MOST)
        with self._lock:
            self._held = self._without(found)  # what was decided meanwhile is not in the reading
            self._ended = time.monotonic()
            self._took = self._ended - began
            self._until = self._ended + min(self._took * SHARE, LONGEST)

    def _without(self, pairs: list[Candidate]) -> list[Candidate]:
        return [one for one in pairs if not {one.left.customer, one.right.customer} & self._decided]
