"""One call budget per vendor account, kept in Redis or Valkey for all processes on all machines.

One Lua script decides atomically, by the server's clock. The state is two points in time: up to where the rate is used
up, and until when the vendor asked us to wait. Redis may lose both at any moment (``FLUSHALL``, a restart): every
process remembers what it was last told and brings it along with its next question, so that a lost pause is in force
again with the first question of anyone who knew of it. While Redis cannot be reached no calls are made.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis

from connectors.budget import _ROUNDING, LONGEST_PAUSE, Decision, PacedBudget, Rate
from connectors.errors import RetryLater

_SCRIPT = """
-- KEYS: used, pause.  ARGV: cost, depth, patience, add_pause, known_used, known_pause, longest_pause (microseconds)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost, depth, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local room = math.max(depth, cost)
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), math.min(tonumber(ARGV[5]), now + room + patience))
local pause = math.max(tonumber(redis.call('GET', KEYS[2]) or 0), math.min(tonumber(ARGV[6]), now + tonumber(ARGV[7])))
if tonumber(ARGV[4]) > 0 then pause = math.max(pause, now + tonumber(ARGV[4])) end
if pause > now then
  redis.call('SET', KEYS[2], string.format('%.0f', pause), 'PX', math.ceil((pause - now) / 1000) + 1000)
  return {pause - now, 0, used, pause}
end
if cost == 0 then return {0, 1, used, pause} end
local after = math.max(used, now) + cost
local wait = math.max(0, after - now - room)
if wait > patience then return {wait, 0, used, pause} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 1000)
return {wait, 1, after, pause}
"""
_MICRO = 1_000_000


class RedisBudget(PacedBudget):
    """A budget shared by every process that names the same ``account`` on the same Redis.

    ``client`` must decode nothing special; its time-outs should be short. All processes should give the same rate.
    Raises ``RetryLater`` from ``take`` when Redis cannot be reached within the patience.
    """

    def __init__(
        self,
        client: redis.Redis,
        account: str,
        rate: Rate | None = None,
        *,
        patience: float = 5.0,
        prefix: str = "kehu:budget:",
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(account, patience=patience, sleep=sleep, now=now)
        self._rate = rate
        self._client, self._script = client, client.register_script(_SCRIPT)
        # the braces keep both keys on one node of a cluster
        self._keys = [f"{prefix}{{{account}}}:used", f"{prefix}{{{account}}}:pause"]
        self._lock = threading.Lock()
        self._known_used = self._known_pause = 0
        self._owed_pause = 0.0

    def left(self) -> int | None:
        """How many calls may go at once now, for people who watch; None without a rate. Raises redis.RedisError."""
        if self._rate is None:
            return None
        _wait, _reserved, used, paused = self._told(0.0, 0.0, 0.0, 0.0)
        seconds, micros = self._client.time()
        now = seconds * _MICRO + micros
        room = self._rate.depth - max(0, used - now) / _MICRO
        return 0 if paused > now else max(0, int(room / self._rate.interval + _ROUNDING))

    def _decide(self, weight: float, patience: float) -> Decision:
        interval = self._rate.interval if self._rate else 0.0
        depth = self._rate.depth if self._rate else 0.0
        wait, reserved = self._ask(weight * interval, depth, patience, 0.0)
        return Decision(wait, reserved)

    def _pause(self, seconds: float) -> None:
        try:
            self._ask(0.0, 0.0, 0.0, seconds)
        except RetryLater:
            with self._lock:  # told to the server with the next question that reaches it
                self._owed_pause = max(self._owed_pause, time.monotonic() + seconds)

    def _ask(self, cost: float, depth: float, patience: float, pause: float) -> tuple[float, bool]:
        """One round trip, tried again while Redis is away, for as long as the patience lasts."""
        end = time.monotonic() + patience
        while True:
            try:
                return self._asked(cost, depth, patience, pause)
            except redis.RedisError as error:
                if time.monotonic() + 0.2 > end:
                    raise RetryLater(
                        "The shared budget of calls to {account} cannot be reached.",
                        account=self.account,
                        remedy="Check the Redis server; it is tried again by itself.",
                    ) from error
            self._sleep(0.2)

    def _asked(self, cost: float, depth: float, patience: float, pause: float) -> tuple[float, bool]:
        wait, reserved, _used, _paused = self._told(cost, depth, patience, pause)
        return wait / _MICRO, bool(reserved)

    def _told(self, cost: float, depth: float, patience: float, pause: float) -> tuple[int, int, int, int]:
        """What the script answers: microseconds to wait, whether a place is kept, and both points in time."""
        with self._lock:
            known_used, known_pause, owed = self._known_used, self._known_pause, self._owed_pause
        pause = max(pause, owed - time.monotonic() if owed else 0.0)
        amounts = [int(v * _MICRO) for v in (cost, depth, patience, pause)]
        answer: Any = self._script(
            keys=self._keys, args=[*amounts, known_used, known_pause, int(LONGEST_PAUSE * _MICRO)]
        )
        wait, reserved, used, paused = (int(v) for v in answer)
        with self._lock:
            self._known_used, self._known_pause = used, paused
            if self._owed_pause == owed:
                self._owed_pause = 0.0
        return wait, reserved, used, paused
