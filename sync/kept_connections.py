"""Connections of the sync path that stay taken between two units of work."""

from __future__ import annotations

from contextlib import suppress
from threading import get_ident
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine

GATHERING = "kehu.gathering"
"""In a connection's ``info``: whoever sends statements below SQLAlchemy, some of them later than they were said."""
USED = "kehu.used"
"""There too: when the connection was given back to its pool."""
TRUSTED = 1.0
"""A connection that was in use so many seconds ago is taken to be there; else it is asked. Costs a sixth of a
transaction of one record.
"""
_KEPT = 5
"""So many connections of the sync path stay taken from their pool."""


class KeptConnections:
    """Connections that stay taken from their pool between two units of work that follow closely: taking and giving
    back costs as much as ten small statements.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[tuple[Connection, float]] = []
        self._begun: dict[int, tuple[Connection, float]] = {}

    def take(self) -> Connection:
        """The one on which this thread's transaction has begun; else the one that was used last, if that was a moment
        ago; else one from the pool, which asks whether it is there.
        """
        if self._begun and (begun := self._taken(get_ident())) is not None:
            return begun
        while self._idle:
            with suppress(IndexError):  # another thread took the last one
                connection, used = self._idle.pop()
                if monotonic() - used < TRUSTED and not connection.closed and not connection.invalidated:
                    return connection
                _give_back(connection, used)
        return self._engine.connect()

    def keep(self, connection: Connection) -> None:
        """For the next one to take; not if somebody left a transaction open on it, which giving back ends."""
        gathering = connection.info.get(GATHERING)
        if gathering is not None and gathering.has_begun:
            self._begun[get_ident()] = connection, monotonic()
            return
        driver = connection.connection.driver_connection
        if len(self._idle) < _KEPT and not connection.in_transaction() and _is_idle(driver):
            self._idle.append((connection, monotonic()))
        else:
            connection.close()

    def let_go(self) -> None:
        """Roll back what this thread's last commit has begun, if the thread did not go on with it."""
        self._end(get_ident())

    def close(self) -> None:
        """Give all of them back."""
        for thread in list(self._begun):
            self._end(thread)
        while self._idle:
            with suppress(IndexError):
                _give_back(*self._idle.pop())

    def _taken(self, thread: int) -> Connection | None:
        """The connection on which a thread's transaction has begun. Those that were left longer than a moment are given
        back: they hold locks.
        """
        for one, (_, since) in list(self._begun.items()):
            if monotonic() - since > TRUSTED:
                self._end(one)
        begun = self._begun.pop(thread, None)
        if begun is None:
            return None
        begun[0].info[GATHERING].go_on()
        return begun[0]

    def _end(self, thread: int) -> None:
        """Roll back what nobody went on with."""
        begun = self._begun.pop(thread, None)
        if begun is not None:
            begun[0].info[GATHERING].drop()
            begun[0].close()


def _is_idle(driver: Any) -> bool:
    return bool(driver.pgconn.transaction_status == 0)


def _give_back(connection: Connection, used: float) -> None:
    info = {} if connection.closed or connection.invalidated else connection.info
    connection.close()
    info[USED] = used  # it was not in use while it was kept
