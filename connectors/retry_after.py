"""How long a server asks us to wait: every form of ``Retry-After`` met in the field (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 86_400.0
"""A server that asks for more than a day is taken at one day."""

_EPOCH = 1_000_000_000
"""A reset header above this is a point in time (epoch seconds), below it a number of seconds."""


def wait_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait from ``now``, or None when the server did not say (absent, garbage, negative).

    ``Retry-After`` may be seconds (also with decimals) or an HTTP date. A date is compared with the answer's own
    ``Date`` header where there is one, so that a server whose clock differs from ours is still understood. Without
    ``Retry-After`` the reset headers of the IETF draft (``RateLimit-Reset``) and of common vendors are read.
    """
    for name in ("Retry-After", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "X-Sib-RateLimit-Reset"):
        text = headers.get(name, "").strip()
        wait = _number(text, now) if text else None
        if wait is None and text and name == "Retry-After":
            wait = _date(text, headers, now)
        if wait is not None:
            return min(wait, LONGEST)
    return None


def _number(text: str, now: datetime) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value) or value < 0:
        return None
    return max(0.0, value - now.timestamp()) if value > _EPOCH else value


def _date(text: str, headers: Mapping[str, str], now: datetime) -> float | None:
    until = http_date(text)
    if until is None:
        return None
    server_now = http_date(headers.get("Date", "")) or now
    return max(0.0, (until - server_now).total_seconds())


def http_date(text: str) -> datetime | None:
    """A date of RFC 9110 in any of its three forms, aware; None for anything else."""
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when
