"""The hottest reads on PostgreSQL, in the event loop: libpq sends, the loop waits, libpq reads.

Between the threads of a pool and the loop a request is handed over twice, which takes more CPU than asking (measured:
200 of 360 µs). Here nothing blocks and nothing is handed over: a session that has sent its
statement waits for its socket.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sync.database import Database
from sync.master.glance import Reading

SESSIONS = 8
"""Statements under way at once in a process; more go the ordinary way."""
TIMEOUT = 5.0
TUPLES_OK = 2
"""libpq's PGRES_TUPLES_OK."""

_NAMES = {Reading.ONE: b"kehu_one", Reading.PAGE: b"kehu_page"}


class Busy(Exception):
    """All sessions are waiting for answers."""


class PostgresGlance:
    """Reads of one database from the event loop that first asked; from another one it begins anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: list[_Session] = []
        self._open = 0

    async def read(self, what: Reading, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
        """Rows in the order of ``lookup.CustomerRow``. Raises Busy, TimeoutError, or what the driver raises."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._free, self._open = loop, [], 0
        session = self._free.pop() if self._free else await self._opened(loop)
        try:
            rows = await session.fetch(what, values)
        except BaseException:
            self._open -= 1
            session.close()
            raise
        self._free.append(session)
        return rows

    async def _opened(self, loop: asyncio.AbstractEventLoop) -> _Session:
        if self._open >= SESSIONS:
            raise Busy
        self._open += 1
        try:
            driver = await loop.run_in_executor(None, self._connected)
        except BaseException:
            self._open -= 1
            raise
        return _Session(driver, loop)

    def _connected(self) -> Any:
        fairy = self._database.engine.raw_connection()
        driver: Any = fairy.driver_connection
        fairy.detach()  # ours from now on, with the settings the engine gave it
        driver.rollback()
        driver.autocommit = True
        driver.execute("SET TimeZone TO 'UTC'")
        driver.execute("SET client_encoding TO 'UTF8'")
        for what, name in _NAMES.items():
            first, _, rest = what.partition("?")
            statement = f"{first}$1::bigint{rest.replace('?', '$2::bigint')}"
            driver.pgconn.prepare(name, statement.encode())
        return driver


class _Session:
    """One connection, one statement at a time."""

    def __init__(self, driver: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._driver, self._pgconn, self._loop = driver, driver.pgconn, loop
        self._answer: asyncio.Future[Any] | None = None
        self._result: Any = None
        self._pgconn.nonblocking = 1
        self._file: int = self._pgconn.socket  # a session that broke no longer tells it
        loop.add_reader(self._file, self._readable)

    async def fetch(self, what: Reading, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
        self._answer, self._result = self._loop.create_future(), None
        late = self._loop.call_later(TIMEOUT, self._too_late)
        try:
            self._pgconn.send_query_prepared(_NAMES[what], [b"%d" % value for value in values])
            while self._pgconn.flush():
                await asyncio.sleep(0)
            result = await self._answer
        finally:
            late.cancel()
            self._answer = None
        if result is None or result.status != TUPLES_OK:
            raise OSError("the statement failed")
        return [_row(result, place) for place in range(result.ntuples)]

    def _readable(self) -> None:
        answer = self._answer
        try:
            self._pgconn.consume_input()
            while answer is not None and not answer.done() and not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:  # the statement has ended
                    answer.set_result(self._result)
                self._result = result or self._result
        except Exception as error:
            if answer is not None and not answer.done():
                answer.set_exception(error)
            else:
                self.close()

    def _too_late(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(TimeoutError())

    def close(self) -> None:
        """Give it up."""
        with suppress(Exception):
            self._loop.remove_reader(self._file)
        with suppress(Exception):
            self._driver.close()


def _row(result: Any, place: int) -> tuple[Any, ...]:
    """A row as the driver would give it, but the golden record as bytes."""
    number, version, status, kind, name, golden, members, changed = (result.get_value(place, c) for c in range(8))
    moment = datetime.fromisoformat(changed.decode()).astimezone(UTC)
    called = None if name is None else name.decode()
    return int(number), int(version), status.decode(), kind.decode(), called, golden, int(members), moment
