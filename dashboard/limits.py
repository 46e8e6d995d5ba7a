"""How often anybody may ask: a token bucket for each API key or session, and one for each address without a known one.

In memory of this process: several web processes each grant the whole rate. What is not known yet counts against the
address, so that inventing keys buys nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import permissions
from dashboard.api.problems import Problem

FREE = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines that must not be refused."""
MOST_BUCKETS = 50_000


class Rate(NamedTuple):
    """So many requests a second in the long run, and so many at once."""

    per_second: float
    burst: float


class Buckets:
    """Full to begin with; each request takes one token out, time puts ``rate.per_second`` in."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left: dict[bytes | str, tuple[float, float]] = {}

    def take(self, who: bytes | str) -> float:
        """0.0 if it may go on; else in how many seconds it may."""
        now = self._clock()
        left, at = self._left.get(who, (self._rate.burst, now))
        left = min(self._rate.burst, left + (now - at) * self._rate.per_second)
        if left < 1:
            return (1 - left) / self._rate.per_second
        if len(self._left) >= MOST_BUCKETS and who not in self._left:
            self._forget(now)
        self._left[who] = (left - 1, now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop those that are full again; if all are in use, the oldest half."""
        full = self._rate.burst / self._rate.per_second
        self._left = {who: one for who, one in self._left.items() if now - one[1] < full}
        if len(self._left) >= MOST_BUCKETS:
            kept = sorted(self._left.items(), key=lambda one: one[1][1])[MOST_BUCKETS // 2 :]
            self._left = dict(kept)


class Limited:
    """Middleware: who asks too often is told when to come back."""

    def __init__(self, app: ASGIApp, limits: Buckets, fault: Callable[[Request, Exception], Response]) -> None:
        self.app, self._limits, self._fault = app, limits, fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in FREE or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        wait = self._limits.take(who(request))
        if wait > 0:
            await self._fault(request, too_many(wait))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def who(request: Request) -> bytes | str:
    """Whose bucket it is: of a key or session that is known at this moment, else of the address."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    token = key.strip() if scheme.lower() == "bearer" else "" if scheme else permissions.session_token(request)
    known = permissions.recalled(token) if token else None
    if known is not None:
        return known[0]
    return "" if request.client is None else request.client.host


def too_many(wait: float) -> Problem:
    """What who asks too often is told."""
    seconds = ceil(wait)
    return Problem(
        "Too many requests; the next one is answered in {seconds} s.",
        status=429,
        code="too_many_requests",
        seconds=seconds,
        headers={"Retry-After": str(seconds)},
        remedy="Wait as long as Retry-After says. `web: limit:` in kehu.yaml sets how many are allowed.",
    )
