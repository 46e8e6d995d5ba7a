"""Messages of dead workers, brought back within seconds.

dramatiq does this itself, but by chance (on one command in a thousand, after a minute of silence): on a quiet system
a dead worker's messages were not back after seven minutes. Here every command does it. A worker that was merely slow
finds its message delivered twice, which does no harm.
"""

from __future__ import annotations

import redis
import structlog
from dramatiq.errors import BrokerConnectionError

from sync.runs.dispatch import QUEUES, make_broker

SILENCE = 10_000
"""Milliseconds without a sign of life after which a worker process counts as dead."""

ALWAYS = 1_000_000
"""dramatiq's ``maintenance_chance``, in millionths."""

log = structlog.get_logger(__name__)


class Recovery:
    """Puts the unfinished messages of dead workers back into their queues, at every pulse."""

    def __init__(self, url: str, *, silence: int = SILENCE) -> None:
        self._broker = make_broker(url, heartbeat_timeout=silence, maintenance_chance=ALWAYS)

    def pulse(self) -> bool:
        """Look once at all queues. False if the broker cannot be reached."""
        try:
            for queue in QUEUES:
                self._broker.do_qsize(queue)
                self._broker.do_qsize(f"{queue}.DQ")
        except (redis.RedisError, BrokerConnectionError) as error:
            log.warning("the broker cannot be reached", kind=type(error).__name__)
            return False
        return True
