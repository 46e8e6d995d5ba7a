"""The promise of a shared call budget, and one for a single process.

All budgets pace calls by the generic cell rate algorithm (a leaky bucket as a meter, ITU-T I.371): the only state is
one point in time, up to which the calls made so far have used up the rate. A call may go when that point is less than
the burst ahead of now; otherwise it is told how long to wait, and its place is *reserved*, so that waiting callers go
first come, first served. ``connectors.redis_budget`` keeps the state in Redis for all processes of a vendor account.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from connectors.errors import BadConfiguration, WaitUntil

LONGEST_PAUSE = 86_400.0
"""Seconds; nobody is paused for more than a day by one answer."""

_ROUNDING = 1e-6
"""Seconds; differences of clock readings are not exact."""


class Budget(Protocol):
    """How many calls one vendor account may make, shared by every process that uses the account."""

    def take(self, weight: float = 1.0) -> None:
        """Wait (briefly) for ``weight`` calls, or raise ``WaitUntil`` when the wait would be long."""

    def pause_until(self, until: datetime) -> None:
        """The vendor asked everyone on this account to wait until then."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``calls`` per ``per`` seconds, of which ``burst`` may come at once (default: all of them)."""

    calls: float
    per: float = 1.0
    burst: float | None = None

    def __post_init__(self) -> None:
        """Refuse rates that allow nothing."""
        if self.calls <= 0 or self.per <= 0 or (self.burst is not None and self.burst < 1):
            raise BadConfiguration(
                "A rate of {calls} calls per {per} seconds with a burst of {burst} allows no calls.",
                calls=self.calls,
                per=self.per,
                burst=self.burst,
                setting="rate",
            )

    @property
    def interval(self) -> float:
        """Seconds between two calls at the steady rate."""
        return self.per / self.calls

    @property
    def depth(self) -> float:
        """Seconds of calls that may come at once."""
        return self.interval * max(1.0, self.calls if self.burst is None else self.burst)


@dataclass(frozen=True, slots=True)
class Decision:
    """``wait`` seconds; ``reserved``: the call may go after that, else it must ask again."""

    wait: float
    reserved: bool


class PacedBudget(ABC):
    """The waiting that is common to all budgets. ``patience`` is how many seconds ``take`` waits itself."""

    def __init__(
        self,
        account: str,
        *,
        patience: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account, self._patience, self._sleep, self._now = account, patience, sleep, now

    def take(self, weight: float = 1.0) -> None:
        """Wait (briefly) for ``weight`` calls, or raise ``WaitUntil`` when the wait would be long."""
        left, weight = self._patience, max(0.0, weight)
        while True:
            decision = self._decide(weight, left)
            if decision.wait <= 0:
                return
            if decision.wait > left:
                raise WaitUntil(
                    "The budget of calls to {account} is used up for now.",
                    until=self._now() + timedelta(seconds=decision.wait),
                    account=self.account,
                )
            self._sleep(decision.wait)
            left -= decision.wait
            if decision.reserved:
                weight = 0.0  # our place is kept; only a pause that came meanwhile can still hold us back

    def pause_until(self, until: datetime) -> None:
        """The vendor asked everyone on this account to wait until then. A pause is never shortened."""
        self._pause(min((until - self._now()).total_seconds(), LONGEST_PAUSE))

    @abstractmethod
    def _decide(self, weight: float, patience: float) -> Decision:
        """Let ``weight`` calls go, keep a place for them if that is at most ``patience`` seconds away, or refuse."""

    @abstractmethod
    def _pause(self, seconds: float) -> None:
        """Hold everyone back for so many seconds from now."""


class LocalBudget(PacedBudget):
    """A budget for the threads of one process. Without a rate it only keeps pauses."""

    def __init__(
        self,
        rate: Rate | None = None,
        account: str = "this account",
        *,
        patience: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(account, patience=patience, sleep=sleep, now=now)
        self._rate, self._clock, self._lock = rate, clock, threading.Lock()
        self._used_until = self._paused_until = float("-inf")

    def _decide(self, weight: float, patience: float) -> Decision:
        with self._lock:
            now = self._clock()
            if self._paused_until > now:
                return Decision(self._paused_until - now, reserved=False)
            if self._rate is None or weight == 0:
                return Decision(0.0, reserved=True)
            cost = weight * self._rate.interval
            used = max(self._used_until, now) + cost
            wait = used - now - max(self._rate.depth, cost)
            wait = wait if wait > _ROUNDING else 0.0
            if wait <= patience:
                self._used_until = used
            return Decision(wait, reserved=wait <= patience)

    def _pause(self, seconds: float) -> None:
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
