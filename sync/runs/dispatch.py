"""The doorbell: messages that carry ids only, sent after the commit of what they speak of.

A message that is lost, late or doubled does no harm: everything it would do is found again by a query
(``sync.runs.sweeper``). So a bell that cannot be rung is only noted.
"""

from __future__ import annotations

from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError

from sync.runs.states import Trigger

NAMESPACE = "kehu"
INTERACTIVE, BULK = "interactive", "bulk"
QUEUES = (INTERACTIVE, BULK)
RUN_SYNC, RUN_SYNC_NOW, RESOLVE_PENDING = "run_sync", "run_sync_now", "resolve_pending"
RUN_EXPORT = "run_export"

QUEUE_OF = {RUN_SYNC: BULK, RUN_SYNC_NOW: INTERACTIVE, RESOLVE_PENDING: INTERACTIVE, RUN_EXPORT: BULK}
"""Actors and their queues: what a human or a webhook waits for does not stand in line behind bulk work."""

TIMEOUT = 3.0

log = structlog.get_logger(__name__)


class Broker(RedisBroker):
    """Gives out at most ``bulk_at_once`` messages of bulk work at a time to a worker process, if that is set."""

    bulk_at_once: int | None = None

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:
        """A consumer of a queue; it takes up to ``prefetch`` messages before the first of them is done."""
        if queue_name == BULK and self.bulk_at_once is not None:
            prefetch = min(prefetch, self.bulk_at_once)
        consumer: dramatiq.Consumer = super().consume(queue_name, prefetch, timeout)
        return consumer


def make_broker(url: str, *, middleware: list[dramatiq.Middleware] | None = None, **options: Any) -> Broker:
    """A broker on Redis or Valkey with our queues declared. Connects when first used."""
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, health_check_interval=30)
    broker = Broker(  # type: ignore[no-untyped-call]
        client=client, namespace=NAMESPACE, middleware=middleware or [], **options
    )
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


class Doorbell:
    """Rings for runs and for pending work. Use after the commit."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker

    @classmethod
    def at(cls, url: str) -> Doorbell:
        """A doorbell for processes that only send."""
        return cls(make_broker(url))

    def run(self, run_id: int, trigger: Trigger = Trigger.MANUAL) -> bool:
        """Ask a worker to work on a run. False if the broker could not be reached: the sweeper will ask again."""
        return self._send(RUN_SYNC if trigger is Trigger.SCHEDULE else RUN_SYNC_NOW, run_id)

    def pending(self) -> bool:
        """Ask a worker to resolve what was landed and not resolved."""
        return self._send(RESOLVE_PENDING)

    def export(self, job_id: int) -> bool:
        """Ask a worker to make the file of an export. False if the broker could not be reached."""
        return self._send(RUN_EXPORT, job_id)

    def depths(self) -> dict[str, int] | None:
        """How many messages of each queue wait or are being worked on; None if the broker cannot be reached."""
        try:
            return {queue: _size(self._broker, queue) for queue in QUEUES}
        except (redis.RedisError, BrokerConnectionError):
            return None

    def queued(self) -> int | None:
        """How many messages wait or are being worked on; None if the broker cannot be reached."""
        depths = self.depths()
        return None if depths is None else sum(depths.values())

    def _send(self, actor: str, *args: int) -> bool:
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=QUEUE_OF[actor], actor_name=actor, args=args, kwargs={}, options={}
        )
        try:
            self._broker.enqueue(message)
        except (redis.RedisError, BrokerConnectionError) as error:
            log.warning("the bell could not be rung", actor=actor, kind=type(error).__name__)
            return False
        return True


def _size(broker: Any, queue: str) -> int:
    return int(broker.do_qsize(queue))
