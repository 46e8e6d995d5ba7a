"""Waiting for changes without holding a thread or a database connection: futures that one poller resolves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from sync.database import Database
from sync.feed import reading
from sync.feed.reading import Batch
from sync.feed.tail import Tail
from sync.feed.tokens import Token


class Feed:
    """The change feed of one process, as its handlers read it and wait for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, set[asyncio.Future[None]]] = {}
        self.tail = Tail(database, self._wake)
        self.following = 0

    @contextmanager
    def followed(self) -> Iterator[None]:
        """While the block runs, one more consumer waits."""
        self.following += 1
        try:
            with self.tail.watched():
                yield
        finally:
            self.following -= 1

    async def read(self, token: Token, limit: int, types: Collection[str] = ()) -> Batch:
        """What comes after a token: out of memory if it is there. Raises TokenExpired."""
        found = self.tail.read(token, limit, types)
        return found if found is not None else await run_in_threadpool(self._from_database, token, limit, types)

    async def news(self, token: Token, seconds: float) -> None:
        """Return when there may be changes after a token, or after so many seconds."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self._waiting.setdefault(loop, set()).add(future)
        try:
            if not self.tail.behind(token):
                await asyncio.wait([future], timeout=seconds)
        finally:
            with self._lock:
                self._waiting.get(loop, set()).discard(future)

    def _from_database(self, token: Token, limit: int, types: Collection[str]) -> Batch:
        with self._database.reading() as connection:
            return reading.read(connection, token, limit, types)

    def _wake(self) -> None:
        """Called by the poller's thread: one call into each event loop, whatever the number of consumers."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for loop, futures in waiting.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, futures)


def feed_of(app: FastAPI) -> Feed:
    """The feed of an application; made when first asked for."""
    if not hasattr(app.state, "feed"):
        app.state.feed = Feed(app.state.project.database)
    made: Feed = app.state.feed
    return made


def _resolve(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
