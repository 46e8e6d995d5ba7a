"""The two hottest reads, single customers and plain pages of them, by the driver without a transaction around them.

A single statement is a snapshot by itself. When anything goes wrong, the session is thrown away and the caller asks in
the ordinary way, which tells what is wrong.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from enum import StrEnum
from typing import Any

from sync.database import Database

_COLUMNS = "id, version, status, kind, name, golden, members, changed_at"


class Reading(StrEnum):
    """What can be read, and its values: a number; or a number after which, and how many."""

    ONE = f"SELECT {_COLUMNS} FROM customer WHERE id = ?"  # noqa: S608 - fixed columns
    PAGE = f"SELECT {_COLUMNS} FROM customer WHERE status = 'active' AND id > ? ORDER BY id LIMIT ?"  # noqa: S608


class Glance:
    """Reads of a SQLite file. It never waits: what is locked fails at once. Safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database, self._mine = database, threading.local()

    async def read(self, what: Reading, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
        """Rows in the order of ``lookup.CustomerRow``."""
        session = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = self._opened()
        try:
            return session.execute(what, values).fetchall()  # type: ignore[no-any-return]
        except BaseException:
            self._mine.session = None
            with suppress(Exception):
                session.close()
            raise

    def _opened(self) -> Any:
        fairy = self._database.engine.raw_connection()
        session: Any = fairy.driver_connection
        fairy.detach()  # ours from now on, with the settings the engine gave it
        session.execute("PRAGMA busy_timeout=0")
        return session
