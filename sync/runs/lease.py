"""Who may work on something: a lease in the database, with a fencing number, by the database's clock.

The holder renews its lease inside each of its transactions (``renew``), and a background thread does so while the
holder waits for the outside world (``kept``). A lease that ran out is never renewed, even if nobody took it: a worker
that was stalled finds that out at its next commit, which is refused, and stops without having written anything.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from uuid import uuid4

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from sync.database import Database
from sync.errors import SyncError
from sync.logs import Logger
from sync.runs import clock

EXPIRY = 30.0
"""Seconds without a beat after which others may take over."""

BEAT = 5.0
"""Seconds between the beats of the background thread."""

STUCK_AFTER = 1800.0
"""Seconds without a sign of life of the working thread after which its beats stop."""

log = Logger(__name__)


class LeaseLost(SyncError):
    """Somebody else may have taken over: whoever gets this must write nothing more."""

    code = "lease_lost"
    default_remedy = "Nothing to do: another worker goes on."


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lease. ``fence`` grows with every change of hands; old numbers cannot commit."""

    name: str
    owner: str
    fence: int
    expiry: float = EXPIRY


def acquire(connection: Connection, name: str, *, expiry: float = EXPIRY) -> Lease | None:
    """Take the lease if it is free or ran out; None if somebody holds it.

    A beat from the future means that the database's clock was set back: then the lease counts as run out.
    """
    owner = f"{socket.gethostname()[:60]}:{os.getpid()}:{uuid4().hex[:12]}"
    fence = connection.execute(
        _acquire(connection.dialect.name), {"name": name, "owner": owner, "expiry": expiry}
    ).scalar_one_or_none()
    return None if fence is None else Lease(name, owner, fence, expiry)


def renew(connection: Connection, lease: Lease) -> None:
    """Prove inside a transaction that we still hold it, and prolong it. Raises LeaseLost; then roll back.

    Call it last before the commit: until then another worker can take over, afterwards the row is locked.
    """
    touched = connection.execute(
        _renew(connection.dialect.name),
        {"name": lease.name, "owner": lease.owner, "fence": lease.fence, "expiry": lease.expiry},
    ).rowcount
    if touched != 1:
        raise LeaseLost("The lease {name} was lost; another worker goes on.", name=lease.name)


def release(connection: Connection, lease: Lease) -> None:
    """Give it back in the transaction that ends the work. Raises LeaseLost."""
    renew(connection, lease)
    connection.execute(
        text("UPDATE lease SET expires_at = 0 WHERE name = :name AND fence = :fence"),
        {"name": lease.name, "fence": lease.fence},
    )


class Keeper:
    """Beats in the background for as long as the working thread gives signs of life."""

    def __init__(self, database: Database, lease: Lease, *, every: float = BEAT, stuck_after: float = STUCK_AFTER):
        self._database, self._lease, self._every, self._stuck_after = database, lease, every, stuck_after
        self._alive_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"beat {lease.name}", daemon=True)
        self.lost = False

    def alive(self) -> None:
        """A sign of life of the working thread. Raises LeaseLost if a beat was refused meanwhile."""
        self._alive_at = time.monotonic()
        if self.lost:
            raise LeaseLost("The lease {name} was lost; another worker goes on.", name=self._lease.name)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """No more beats when this returns."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._every) and not self.lost:
            if time.monotonic() - self._alive_at > self._stuck_after:
                log.error("no sign of life, the beats stop", lease=self._lease.name)
                return
            self._beat_once()

    def _beat_once(self) -> None:
        try:
            with self._database.transaction() as connection:
                renew(connection, self._lease)
        except LeaseLost:
            self.lost = True
        except DBAPIError:
            log.warning("the database did not take a beat", lease=self._lease.name)


@contextmanager
def kept(
    database: Database, lease: Lease, *, every: float = BEAT, stuck_after: float = STUCK_AFTER
) -> Iterator[Keeper]:
    """Hold the lease while the block works, however long the outside world takes to answer."""
    keeper = Keeper(database, lease, every=every, stuck_after=stuck_after)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


@lru_cache
def _acquire(dialect: str) -> TextClause:
    now = clock.expression(dialect)
    return text(
        "INSERT INTO lease (name, owner, fence, expires_at, beat_at) "  # noqa: S608 - the clock is a constant
        f"VALUES (:name, :owner, 1, {now} + :expiry, {now}) "
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = lease.fence + 1, "
        "expires_at = excluded.expires_at, beat_at = excluded.beat_at "
        f"WHERE lease.expires_at <= {now} OR lease.beat_at > {now} + :expiry RETURNING fence"
    )


@lru_cache
def _renew(dialect: str) -> TextClause:
    now = clock.expression(dialect)
    return text(
        f"UPDATE lease SET expires_at = {now} + :expiry, beat_at = {now} "  # noqa: S608 - the clock is a constant
        f"WHERE name = :name AND owner = :owner AND fence = :fence AND expires_at > {now}"
    )
