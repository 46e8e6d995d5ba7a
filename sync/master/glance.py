"""The two hottest reads, single customers and plain pages of them, by the driver without a transaction around them.

A single statement is a snapshot by itself. Sessions are kept one a thread, and thrown away when anything goes wrong
with them: then the caller asks in the ordinary way, which tells what is wrong.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from sync.database import Database

_COLUMNS = "id, version, status, kind, name, golden, members, changed_at"
_ONE = f"SELECT {_COLUMNS} FROM customer WHERE id = ?"  # noqa: S608 - fixed columns
_PAGE = f"SELECT {_COLUMNS} FROM customer WHERE status = 'active' AND id > ? ORDER BY id LIMIT ?"  # noqa: S608


class Glance:
    """Reads of one database. Safe to use from several threads.

    ``waits``: whether the answer comes from another machine or process. SQLite reads a local file and never waits here:
    what is locked fails at once.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._mine = database, threading.local()
        self.waits = database.is_postgres
        mark = "%s" if database.is_postgres else "?"
        self._one, self._page = _ONE.replace("?", mark), _PAGE.replace("?", mark)

    def one(self, number: int) -> tuple[Any, ...] | None:
        """The row of a customer by its number, in the order of ``lookup.CustomerRow``; None if there is none."""
        found = self._fetch(self._one, (number,))
        return found[0] if found else None

    def page(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Active customers in order of number."""
        return self._fetch(self._page, (after, limit))

    def _fetch(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        session = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = self._opened()
        try:
            return session.execute(statement, values).fetchall()  # type: ignore[no-any-return]
        except BaseException:
            self._mine.session = None
            with suppress(Exception):
                session.close()
            raise

    def _opened(self) -> Any:
        fairy = self._database.engine.raw_connection()
        session: Any = fairy.driver_connection
        fairy.detach()  # ours from now on, with the settings the engine gave it
        if self._database.is_postgres:
            session.rollback()
            session.autocommit = True
        else:
            session.execute("PRAGMA busy_timeout=0")
        return session
