"""The office: keeps a courier at work for every active endpoint, of which this process can get the lease.

Any number of processes may have one. Runs inside of the maintenance process.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from threading import Event as Signal
from threading import Thread

from sync.database import database_errors
from sync.delivery import endpoints
from sync.delivery.courier import Courier, Post
from sync.feed.tail import Tail
from sync.logs import Logger
from sync.runs import lease
from sync.runs.lease import Lease, LeaseLost

LOOK_EVERY = 0.5
POLL = 0.05
"""Seconds between two looks for changes, while there is an endpoint."""

log = Logger(__name__)


@dataclass(slots=True)
class _Round:
    thread: Thread
    bell: Signal = field(default_factory=Signal)


class Office:
    """Starts couriers, and wakes them when something changes."""

    def __init__(self, post: Post, *, expiry: float = lease.EXPIRY) -> None:
        self._post, self._expiry = post, expiry
        self._rounds: dict[str, _Round] = {}
        self._tail = Tail(post.database, self._ring, poll=POLL)

    def run(self, stop: Signal) -> None:
        """Until told to stop."""
        with ExitStack() as watching:
            watched = False
            while not stop.is_set():
                with suppress(*database_errors()):
                    self._look(stop)
                if self._rounds and not watched:
                    watching.enter_context(self._tail.watched())
                    watched = True
                elif not self._rounds and watched:
                    watching.pop_all().close()
                    watched = False
                stop.wait(LOOK_EVERY)
        self._ring()
        for one in list(self._rounds.values()):
            one.thread.join(timeout=8)
        self._tail.close()

    def _look(self, stop: Signal) -> None:
        self._rounds = {name: one for name, one in self._rounds.items() if one.thread.is_alive()}
        with self._post.database.reading() as connection:
            active = [one.id for one in endpoints.all_endpoints(connection) if one.is_active]
        for endpoint_id in active:
            if endpoint_id not in self._rounds:
                self._start(endpoint_id, stop)

    def _start(self, endpoint_id: str, stop: Signal) -> None:
        name = f"webhook:{endpoint_id}"
        with self._post.database.transaction() as connection:
            held = lease.acquire(connection, name, expiry=self._expiry)
        if held is None:
            return
        bell = Signal()
        courier = Courier(self._post, held, endpoint_id, bell)
        thread = Thread(target=self._work, args=(courier, held, stop), name=name, daemon=True)
        self._rounds[endpoint_id] = _Round(thread, bell)
        thread.start()

    def _work(self, courier: Courier, held: Lease, stop: Signal) -> None:
        try:
            courier.run(stop)
        except LeaseLost:
            return
        except database_errors() as error:
            log.warning("webhooks wait for the database", lease=held.name, kind=type(error).__name__)
        except Exception as error:
            log.error("webhooks could not be delivered", lease=held.name, exc_info=error)
            stop.wait(5.0)  # a fault of ours is not tried in a tight loop
        with suppress(LeaseLost, *database_errors()), self._post.database.transaction() as connection:
            lease.release(connection, held)

    def _ring(self) -> None:
        for one in list(self._rounds.values()):
            one.bell.set()
