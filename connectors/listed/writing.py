"""Writing where the system has neither upserts nor entity tags: look, compare, then send what differs.

A new record is looked up by its natural key first, so that a write whose answer was lost meets its own record.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from datetime import datetime
from typing import Any, ClassVar

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.listed.stream import Row
from connectors.writing import RecordWriter, differing, ensure_seen, missing


class KeyedWriter(RecordWriter):
    """Writes one stream. ``number`` names the field of the natural key, ``longest`` how long it may be.

    ``prefix`` begins the numbers that are made for records without one; empty: none are made.
    """

    what: ClassVar[str] = "customer"
    number: ClassVar[str]
    longest: ClassVar[int]

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @abstractmethod
    def by_key(self, key: str) -> Row | None:
        """The record with this key as it is now."""

    @abstractmethod
    def by_number(self, number: str, write: Write) -> Row | None:
        """The record with this natural key as it is now."""

    @abstractmethod
    def key(self, row: Row) -> str:
        """A record's key."""

    @abstractmethod
    def changed(self, row: Row) -> datetime | None:
        """A record's change stamp."""

    @abstractmethod
    def create(self, write: Write, body: Row) -> WriteResult:
        """Create a record; ``body`` holds its natural key."""

    @abstractmethod
    def update(self, key: str, there: Row, changed: Row) -> None:
        """Send the changed fields of a record."""

    def found_again(self, key: str, there: Row) -> None:
        """A record that was to be created is there already: finish what an earlier try may have left undone."""

    def same(self, write: Write, there: Row) -> WriteResult:
        """Bring a record that is there to what is wanted."""
        key = self.key(there)
        changed = self.changes(write, there)
        if changed:
            ensure_seen(write, key=key, etag=None, stamp=self.changed(there))
            self.update(key, there, changed)
        return WriteResult(key)

    def body(self, write: Write) -> Row:
        """What is wanted, in the system's own names."""
        return dict(write.body)

    def changes(self, write: Write, there: Row) -> Row:
        """What is wanted and not there yet."""
        return differing(self.body(write), there)

    def _update(self, write: Write, key: str) -> WriteResult:
        there = self.by_key(key)
        if there is None:
            raise missing(self.what, key)
        return self.same(write, there)

    def _create(self, write: Write) -> WriteResult:
        number = self._number(write)
        known = self.by_number(number, write)
        if known is None:
            return self.create(write, {**self.body(write), self.number: number})
        result = self.same(write, known)
        self.found_again(self.key(known), known)
        return result

    def _number(self, write: Write) -> str:
        given = str(write.body.get(self.number) or "").strip()
        if given:
            return self._fitting(given)
        if not self._prefix:
            raise RecordRejected(
                "A new customer needs {path}, by which an existing one is looked up.",
                path=self.number,
                rule="not empty",
                remedy="Map a number, or set `number_prefix` so that numbers are made.",
            )
        digest = hashlib.sha256(write.idempotency_key.encode()).hexdigest().upper()
        return (self._prefix + digest)[: min(self.longest, len(self._prefix) + 16)]

    def _fitting(self, number: str) -> str:
        if len(number) > self.longest:
            raise RecordRejected(
                "{number} is longer than {longest} characters, the most that {path} may have.",
                path=self.number,
                value=number,
                number=number,
                longest=self.longest,
                rule=f"at most {self.longest} characters",
            )
        return number


def says(text: Any, *words: str) -> bool:
    """Whether a system's message holds one of these words, whatever their case."""
    lowered = str(text).lower()
    return any(word in lowered for word in words)
