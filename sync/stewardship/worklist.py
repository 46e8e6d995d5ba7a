"""The review queue as a desk holds it: read anew as often as that is cheap, without what was just decided."""

from __future__ import annotations

import time
from collections.abc import Collection
from threading import Lock

from mappings.contract import Matcher
from sync.database import Database
from sync.master.inforce import MatcherSource
from sync.stewardship.review import Candidate, queue

MOST = 500
"""Pairs that are held; the most consequential ones."""
SHARE = 20
"""A reading is believed for so many times as long as it took,"""
LONGEST = 60.0
"""but never for more seconds than this."""


class Worklist:
    """The most consequential pairs to review. One for a process; its threads share it.

    On a small master every look is fresh; on a large one, where ranking all open pairs takes a second, a look may be
    some seconds old. Whoever opens a pair looks at the pair itself, which is always fresh.
    """

    def __init__(self, database: Database, matcher: Matcher | MatcherSource) -> None:
        self._database, self._matcher, self._lock = database, matcher, Lock()
        self._held: list[Candidate] = []
        self._until = 0.0

    def pairs(self) -> list[Candidate]:
        """The pairs to review, those first whose decision would touch most records; at most ``MOST``."""
        with self._lock:
            if time.monotonic() >= self._until:
                began = time.monotonic()
                with self._database.reading() as connection:
                    self._held = queue(connection, self._matcher, MOST)
                took = time.monotonic() - began
                self._until = time.monotonic() + min(took * SHARE, LONGEST)
            return list(self._held)

    def forget(self, customers: Collection[str]) -> None:
        """Leave out, until the next reading, every pair with one of these customers: their case was decided."""
        with self._lock:
            self._held = [one for one in self._held if not {one.left.customer, one.right.customer} & set(customers)]

    def renew(self) -> None:
        """Read anew with the next look, e.g. because a decision was taken back."""
        with self._lock:
            self._until = 0.0
