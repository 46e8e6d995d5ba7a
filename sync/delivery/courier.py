"""The courier of one endpoint: takes in changes, sends them, notes what became of them.

It holds the endpoint's lease, so that there is one at a time. Several customers' events fly at once, of each customer
one; a failure holds up the later events of its customer only. If everything fails, the endpoint pauses as a whole and
is tried with a single event; meanwhile nothing more is taken in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event as Signal
from typing import Any

from sqlalchemy import Connection, update

from sync.database import Database
from sync.delivery import addresses, attempts, endpoints, messages, notices, queue, retrying
from sync.delivery.endpoints import Endpoint
from sync.delivery.health import Health
from sync.delivery.lines import Item, Lines
from sync.delivery.sending import Outcome, Sender
from sync.delivery.tables import webhook_endpoint
from sync.errors import NotFound
from sync.master.identity import public_id
from sync.runs import lease
from sync.runs.lease import Keeper, Lease
from sync.runs.wording import Wording
from sync.vault import Vault

FLYING = 8
"""Messages under way at once to one endpoint."""
WINDOW = 400
"""Changes taken in ahead of what is sent."""
MOST_WAITING = 100_000
"""With so many rows in its queue an endpoint takes in nothing more."""
COMMIT_EVERY, COMMIT_AT = 0.1, 100
"""Seconds, or results, after which what was done is noted: a crash sends at most these again."""
LOOK_EVERY = 0.5
"""Seconds until a change of the endpoint is noticed."""
TELL_AT = 5
"""Failures of one event after which it is told that its customer's events are held up."""


@dataclass(frozen=True, slots=True)
class Post:
    """What all couriers of a process share."""

    database: Database
    vault: Vault
    allow_private: Sequence[str] = ()
    read: float = 15.0
    deadline: float = 20.0


@dataclass(slots=True)
class _Done:
    delivered: list[int] = field(default_factory=list)
    later: dict[int, Item] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    told: list[tuple[str, int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.log) + len(self.later)


class Courier:
    """Delivers to one endpoint while it holds the lease. ``bell`` is set when there may be news."""

    def __init__(self, post: Post, held: Lease, endpoint_id: str, bell: Signal) -> None:
        self._post, self._lease, self._id, self._bell = post, held, endpoint_id, bell
        self._pool = ThreadPoolExecutor(FLYING, thread_name_prefix=f"webhook {endpoint_id}")
        self._flying: dict[Future[Outcome], Item] = {}
        self._done = _Done()
        self._last_look = self._last_commit = self._last_turn = self._last_asked = 0.0
        self._more = True
        self._sender: Sender | None = None

    def run(self, stop: Signal) -> None:
        """Work until told to stop, until the endpoint is disabled, or until the lease is lost (LeaseLost)."""
        try:
            with lease.kept(self._post.database, self._lease) as keeper:
                if self._load():
                    while not stop.is_set() and self._turn(keeper):
                        pass
                    self._land()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            if self._sender is not None:
                self._sender.close()

    def _turn(self, keeper: Keeper) -> bool:
        """One round; False when the endpoint is no longer to be served."""
        keeper.alive()
        self._renew_after_a_gap()
        if time.monotonic() - self._last_look > LOOK_EVERY and not self._looked():
            return False
        self._take_in()
        self._send()
        self._gather()
        if self._is_time_to_commit():
            self._commit()
        return not self._health.over

    def _load(self) -> bool:
        """Read the endpoint and its queue anew; False if it is not to be served."""
        with self._post.database.reading() as connection:
            try:
                self._endpoint: Endpoint = endpoints.get(connection, self._id)
            except NotFound:
                return False
            keys = endpoints.signing_keys(connection, self._post.vault, self._id)
            rows = queue.waiting(connection, self._id)
        self._lines, self._health = Lines(), Health.of(self._endpoint)
        self._lines.add(Item(*row) for row in rows)
        self._position = self._endpoint.position
        self._keys_until = self._endpoint.old_secret_until
        if self._sender is not None:
            self._sender.close()
        post = self._post
        self._sender = Sender(self._endpoint.url, keys, post.allow_private, read=post.read, deadline=post.deadline)
        self._last_look = time.monotonic()
        return self._endpoint.is_active

    def _looked(self) -> bool:
        """Notice what people have changed; what flies is awaited first."""
        self._last_look = time.monotonic()
        with self._post.database.reading() as connection:
            try:
                found = endpoints.get(connection, self._id)
            except NotFound:
                return False
        over = self._keys_until is not None and self._keys_until <= datetime.now(UTC)
        if found.revision == self._endpoint.revision and not over:
            return True
        self._land()
        return self._load()

    def _take_in(self) -> None:
        crowded = self._lines.moving >= WINDOW // 2 or self._lines.length >= MOST_WAITING
        if self._bell.is_set():  # noted even where it is not followed now: with a bell that stays set nobody rests
            self._bell.clear()
            self._more = True
        due = self._more or time.monotonic() - self._last_asked > LOOK_EVERY
        if crowded or not due or self._health.failing_since is not None:
            return
        self._last_asked = time.monotonic()
        with self._post.database.reading() as connection:
            self._more = queue.has_news(connection, self._position)
        if not self._more:
            return
        with self._post.database.transaction() as connection:
            events, self._position = queue.take_in(connection, self._endpoint, self._position, WINDOW)
            lease.renew(connection, self._lease)
        self._lines.add(Item(event.token.seq, event.customer_id, event=event) for event in events)

    def _send(self) -> None:
        now = time.time()
        at_once = 1 if self._health.failing_since is not None else FLYING
        if self._health.resume_at > now or self._health.gone:
            return
        items = list(self._lines.take(now, at_once - len(self._flying)))
        missing = [item.seq for item in items if item.event is None]
        found = {}
        if missing:
            with self._post.database.reading() as connection:
                found = messages.load(connection, missing)
        for item in items:
            item.event = item.event or found.get(item.seq)
            self._fly(item)

    def _fly(self, item: Item) -> None:
        if item.event is None:  # compacted in the meantime
            error = Wording("The change {seq} is no longer kept.", {"seq": item.seq})
            self._give_up(item, Outcome(datetime.now(UTC), 0, None, error), "customer.updated")
            return
        sender, message = self._sender, messages.of_event(item.event, thin=self._endpoint.thin)
        assert sender is not None  # noqa: S101 - loaded before
        self._flying[self._pool.submit(sender.send, message)] = item

    def _gather(self) -> None:
        """Take in what has landed; wait a moment if there is nothing else to do."""
        if not self._flying:
            if not len(self._done):
                self._rest()
            return
        landed, _ = wait_for(self._flying, timeout=COMMIT_EVERY, return_when=FIRST_COMPLETED)
        for future in landed:
            self._judge(self._flying.pop(future), future.result())

    def _judge(self, item: Item, outcome: Outcome) -> None:
        event, now = item.event, time.time()
        item.attempts += 1
        kind = event.type if event is not None else "customer.updated"
        self._health.note(item.customer_id, outcome, now)
        if outcome.delivered:
            self._done.delivered.append(item.seq)
            self._done.later.pop(item.seq, None)
            self._log(item, kind, outcome)
            if item.attempts > TELL_AT:
                self._done.told.append(("released", item.customer_id, item.seq))
            self._lines.done(item)
            return
        again = retrying.delay(item.attempts, outcome.wish)
        if again is None and self._health.failing_since is not None:
            again = retrying.DELAYS[-1]  # the endpoint is at fault, not the event
        if again is None:
            self._give_up(item, outcome, kind)
            return
        item.next_at, item.event = now + again, None
        self._log(item, kind, outcome)
        if item.attempts == TELL_AT and self._health.failing_since is None:
            self._done.told.append(("held", item.customer_id, item.seq))
        self._done.later[item.seq] = item
        self._lines.put_back(item)

    def _give_up(self, item: Item, outcome: Outcome, kind: str) -> None:
        self._done.delivered.append(item.seq)
        self._done.later.pop(item.seq, None)
        self._log(item, kind, outcome)
        self._done.log[-1]["outcome"] = attempts.GIVEN_UP
        self._done.told.append(("given_up", item.customer_id, item.seq))
        self._lines.done(item)

    def _log(self, item: Item, kind: str, outcome: Outcome) -> None:
        url = addresses.shown(self._endpoint.url)
        row = attempts.row(self._id, url, item.seq, item.customer_id, kind, max(1, item.attempts), outcome)
        self._done.log.append(row)

    def _rest(self) -> None:
        """Until the bell rings, something is due, or it is time to look."""
        next_at = self._lines.next_at()
        moment = LOOK_EVERY if next_at is None else max(next_at, self._health.resume_at) - time.time()
        self._bell.wait(min(LOOK_EVERY, max(0.001, moment)))

    def _land(self) -> None:
        """Wait for what flies, note it."""
        if self._flying:
            wait_for(self._flying)
            self._gather()
        self._commit()

    def _is_time_to_commit(self) -> bool:
        waited = time.monotonic() - self._last_commit >= COMMIT_EVERY
        return len(self._done) > 0 and (waited or len(self._done) >= COMMIT_AT or not self._flying)

    def _commit(self) -> None:
        self._last_commit = time.monotonic()
        done, health = self._done, self._health
        if not len(done) and not health.over:
            return
        if "recovered" in health.news:
            done.later |= {item.seq: item for item in self._lines.hurry()}
        with self._post.database.transaction() as connection:
            queue.settle(connection, self._id, done.delivered, [item.due for item in done.later.values()])
            attempts.note(connection, done.log)
            self._tell(connection)
            lease.renew(connection, self._lease)
        self._done = _Done()
        health.news.clear()

    def _tell(self, connection: Connection) -> None:
        """The endpoint's own row, and the notices."""
        health = self._health
        values: dict[str, Any] = {
            "failures": health.failures,
            "failing_since": health.failing_since,
            "resume_at": health.resume_at,
            "delivered_at": health.delivered_at,
        }
        if health.over:
            reason = endpoints.GONE if health.gone else endpoints.FAILING
            values |= {"state": endpoints.DISABLED, "reason": reason}
        connection.execute(update(webhook_endpoint).where(webhook_endpoint.c.id == self._id).values(values))
        tellers = {"failing": notices.failing, "recovered": notices.recovered, "gone": notices.gone}
        for news in health.news:
            tellers[news](connection, self._id)
        if health.hopeless and not health.gone:
            notices.stopped(connection, self._id)
        for kind, customer_id, seq in self._done.told:
            customer = public_id(customer_id)
            if kind == "given_up":
                notices.given_up(connection, self._id, customer, seq)
            else:
                (notices.held if kind == "held" else notices.released)(connection, self._id, customer)

    def _renew_after_a_gap(self) -> None:
        """A process that was stopped for long finds out before it sends whether another has taken over."""
        now = time.monotonic()
        if self._last_turn and now - self._last_turn > self._lease.expiry / 2:
            with self._post.database.transaction() as connection:
                lease.renew(connection, self._lease)
        self._last_turn = now
