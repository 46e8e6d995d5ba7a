"""The newest changes, kept in memory, for all who wait in one process: one poller reads them once and wakes everybody.

While nobody watches, nothing is asked. While somebody does, one connection asks for changes after the last known one
every ``POLL`` seconds: on PostgreSQL and SQLite alike, since NOTIFY would cost every commit of the sync path a lock of
the whole server, and does not pass through transaction poolers (docs/adr/110-one-poller-wakes-all-who-wait.md).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sync.database import Database, database_errors
from sync.feed import tokens
from sync.feed.events import Event, of_rows
from sync.feed.reading import COLUMNS, Batch, only
from sync.feed.tokens import Token
from sync.logs import Logger
from sync.master.bulk import Bulk, bulk_for

POLL, BUSY = 0.02, 1.5
"""Seconds between two looks while somebody watches; so many times as long after one that brought something."""
AGAIN_AFTER = 1.0
"""Seconds after a fault of the database."""
LINGER = 50
"""Looks that are still taken when nobody watches any more: the next long poll usually comes at once."""
PAGE = 2_000
MOST, MOST_CHARACTERS = 20_000, 32_000_000
"""What is kept at most."""

log = Logger(__name__)


class Tail:
    """Follows the feed of a database in a thread of its own. Safe to use from any thread."""

    def __init__(self, database: Database, wake: Callable[[], None], *, poll: float = POLL) -> None:
        self._database, self._wake, self._poll = database, wake, poll
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._size = 0
        self._feed = 0
        self._first = self._last = -1
        self._watchers = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While the block runs, somebody wants to know of changes."""
        with self._changed:
            self._watchers += 1
            # Whoever comes back from an answer must not hurry the next look: all would be told of ever smaller parts.
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="change feed", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watchers -= 1

    def read(self, token: Token, limit: int, types: Collection[str] = ()) -> Batch | None:
        """The events after a token, if they are all in memory; None: ask the database."""
        with self._changed:
            known = token.after is None and token.feed == self._feed and self._first <= token.seq <= self._last
            if not known or self._first < 0:
                return None
            skipped = token.seq - self._first  # numbers have no gaps
            end = min(skipped + limit, len(self._events))
            found = [self._events[place] for place in range(skipped, end)]
            last = self._last
        reached = found[-1].token.seq if found else token.seq
        return Batch(only(found, types), Token(token.feed, reached), reached < last)

    def behind(self, token: Token) -> bool:
        """Whether changes after this token are known of."""
        with self._changed:
            return self._last > token.seq

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._stop.set()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _follow(self) -> None:
        while self._wanted():
            try:
                self._session()
            except database_errors() as error:
                log.warning("the feed cannot be read", kind=type(error).__name__)
            except Exception as error:
                log.error("the feed cannot be followed", exc_info=error)
            with self._changed:
                self._forget()
                watched = self._watchers > 0
            if watched:
                self._stop.wait(AGAIN_AFTER)

    def _wanted(self) -> bool:
        """Waits until somebody watches; False at the end."""
        with self._changed:
            while not self._watchers and not self._stop.is_set():
                self._changed.wait()
            return not self._stop.is_set()

    def _session(self) -> None:
        """Look again and again over one connection, until nobody has watched for a while."""
        with self._connected() as look:
            self._begin(look(tokens.bounds))
            idle, pause = 0, self._poll
            while idle < LINGER:
                if self._stop.wait(pause):
                    return
                with self._changed:
                    idle = 0 if self._watchers else idle + 1
                while (taken := self._take(look(self._newer))) == PAGE:
                    pass
                # a burst is told in fewer, larger parts: each part costs every consumer an answer
                pause = self._poll * BUSY if taken else self._poll

    @contextmanager
    def _connected(self) -> Iterator[Callable[[Callable[[Bulk], Any]], Any]]:
        """A way to run one read after the other. On PostgreSQL without transactions: one round trip each."""
        if not self._database.is_postgres:
            yield self._in_transaction
            return
        with self._database.engine.connect() as connection:
            bulk = bulk_for(connection.execution_options(isolation_level="AUTOCOMMIT"))
            yield lambda read: read(bulk)

    def _in_transaction(self, read: Callable[[Bulk], Any]) -> Any:
        with self._database.reading() as connection:
            return read(bulk_for(connection))

    def _newer(self, bulk: Bulk) -> list[Event]:
        statement = f"SELECT {COLUMNS} FROM change WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - our own columns
        return of_rows(self._feed, bulk.fetch(statement, self._last, PAGE))

    def _begin(self, known: tokens.Bounds) -> None:
        with self._changed:
            self._feed, self._first, self._last = known.feed, known.head, known.head
        self._wake()

    def _take(self, found: list[Event]) -> int:
        if found:
            with self._changed:
                if any(event.kind == "erased" for event in found):  # what came before is told anew, without the person
                    self._events.clear()
                    self._size, self._first = 0, self._last
                self._events.extend(found)
                self._size += sum(event.size for event in found)
                self._last = found[-1].token.seq
                while len(self._events) > MOST or self._size > MOST_CHARACTERS:
                    dropped = self._events.popleft()
                    self._first, self._size = dropped.token.seq, self._size - dropped.size
            self._wake()
        return len(found)

    def _forget(self) -> None:
        """What is in memory may soon be followed by a gap."""
        self._events.clear()
        self._size, self._first, self._last = 0, -1, -1
