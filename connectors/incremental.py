"""Cursors that never pass a row that was not read: (value, key) with look-back, for sources of every quality.

A source is *ordered* when it gives its rows by (value, key) ascending; then the cursor follows the rows. Every other
source is read to its end first: the cursor keeps the old value and only remembers how far this scan has come. In both
cases the value stored at the end is at most the time the scan began, because a row changed during the scan may have
been passed by. Each new run steps back by the look-back (late commits) and to the start of a coarse unit (a source that
stamps whole seconds may add a row to the second we have just read); the engine drops what it reads again unchanged.

The cursor is JSON: ``value`` and ``key`` (continue after these), and while a scan is under way ``scan`` (the pager's
position), ``from`` (the value it started from), ``high`` (the highest value seen) and ``began``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from connectors.contract import Cursor, Mode, Read
from connectors.errors import CursorExpired

_DOTNET = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
_EMPTY = re.compile(r"^(?:0000-00-00|0001-01-01)(?:[T ]00:00:00.*)?$")
_SECONDS_UP_TO = 100_000_000_000
"""Numbers up to here are epoch seconds (year 5138), above milliseconds."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """Where a row stands: its change value (a time in ``iso`` form, or a number) and its key."""

    value: str | int
    key: str = ""


def parse_stamp(value: Any, *, zone: tzinfo = UTC) -> datetime | None:
    """A source's change stamp as aware UTC, or None when there is none (null, empty, zero date, not a time).

    Understands ISO 8601 in its usual misspellings, epoch seconds and milliseconds (also as text) and ``/Date(ms)/``.
    A stamp without a zone is in ``zone``.
    """
    if isinstance(value, datetime):
        return _aware(value, zone)
    if isinstance(value, str):
        return _parsed(value.strip(), zone)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _epoch(value)
    return None


def first_stamp(*values: Any, zone: tzinfo = UTC) -> datetime | None:
    """The first that is a stamp: for systems whose change stamp is null until the first edit, give created last."""
    for value in values:
        stamp = parse_stamp(value, zone=zone)
        if stamp is not None:
            return stamp
    return None


def iso(stamp: datetime) -> str:
    """UTC, always with microseconds and ``Z``: such texts sort as the times do. Year 1 to 9999."""
    return stamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


class Scan:
    """One incremental read of one stream: where to start, what cursor each page gets, and the last one.

    ``began`` is where the source stands when the scan begins: the time by the source's own clock where it tells it
    (``Response.date``), else ours; for numbered changes the highest number, if known. ``ordered`` only when the
    source is known to sort by (value, key). ``lookback`` and ``coarse`` are seconds; where values are numbers,
    ``lookback`` is in their unit. The look-back that the request asks for comes before the stream's own.
    """

    def __init__(
        self,
        request: Read,
        *,
        began: datetime | int | None,
        lookback: float = 0,
        coarse: float = 0,
        ordered: bool = False,
    ) -> None:
        self._request, self._ordered = request, ordered
        self._lookback = lookback if request.lookback is None else request.lookback
        self._coarse = coarse
        cursor = dict(request.cursor or {})
        resumed = request.resumed and bool(cursor)
        self._start = _mark(cursor) if resumed else _begun(_mark(cursor), cursor.get("began"))
        self._began = cursor.get("began") if resumed else iso(began) if isinstance(began, datetime) else began
        self._from = cursor.get("from") if resumed and ordered else self._start.value if self._start else None
        self._high: str | int | None = cursor.get("high") if resumed else None
        self.after: Mark | None = self._start if resumed and ordered else None
        """Where a resumed, ordered read goes on: for sources that can be asked for (value, key) greater than this."""
        self.resume: Any = cursor.get("scan") if resumed else None
        """The pager's position where a resumed, unordered scan goes on, or None."""
        self._last: Mark | None = None

    @property
    def since(self) -> datetime | int | None:
        """Ask the source for values from here on, inclusive; None for everything."""
        if self.after is not None:
            return _coarsened(self.after.value, self._coarse)
        if self._request.since is not None:
            return self._request.since
        if self._request.mode is Mode.FULL or self._start is None:
            return None
        if isinstance(self._start.value, int):
            return self._start.value - int(self._lookback)
        return _floored(_earlier(datetime.fromisoformat(self._start.value), self._lookback), self._coarse)

    @property
    def until(self) -> datetime | None:
        """Ask the source for values below this, or without a bound."""
        return self._request.until

    def page(self, marks: Iterable[Mark], position: Any = None) -> Cursor:
        """The cursor for a page. ``position`` is where its pager would go on; rows without a stamp give no mark."""
        for mark in marks:
            self._see(mark)
        reached = max(filter(None, (self._last, self.after)), default=None)
        if self._ordered and reached is not None:
            place: dict[str, Any] = {"value": reached.value, "key": reached.key}
            return place | {"from": self._from, "high": self._high, "began": self._began}
        old = {} if self._start is None else {"value": self._start.value, "key": self._start.key}
        return old | {"high": self._high, "began": self._began, "scan": position}

    def end(self) -> Cursor:
        """The cursor once everything was read: the highest value seen, but not past where the scan began."""
        high, old = self._high, self._from
        if high is not None and self._began is not None and _lower(self._began, high):
            high = self._began
        if old is not None and (high is None or _lower(high, old)):
            high = old
        return {} if high is None else {"value": high, "key": ""}

    def _see(self, mark: Mark) -> None:
        if self._high is None or _lower(self._high, mark.value):
            self._high = mark.value
        if self._last is not None and (_lower(mark.value, self._last.value) or mark < self._last):
            self._ordered = False  # the promised order does not hold: go by the end of the scan instead
        self._last = mark


def _mark(cursor: dict[str, Any]) -> Mark | None:
    """The stored (value, key). Raises ``CursorExpired`` for a cursor that is not one of ours."""
    value = cursor.get("value")
    if value is None:
        return None
    if not isinstance(value, (str, int)) or (isinstance(value, str) and _aware_iso(value) is None):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return Mark(value, str(cursor.get("key", "")))


def _begun(mark: Mark | None, began: Any) -> Mark | None:
    """Where a new run starts after one that stopped half-way: what changed behind that one is from ``began`` on."""
    if mark is None or began is None or not _lower(began, mark.value):
        return mark
    return Mark(began)


def _coarsened(value: str | int, unit: float) -> datetime | int:
    return value if isinstance(value, int) else _floored(datetime.fromisoformat(value), unit)


def _lower(one: str | int, other: str | int) -> bool:
    """Compares two values of the same kind; a source that changed from numbers to times starts anew."""
    if isinstance(one, str) != isinstance(other, str):
        raise CursorExpired("The change stamps of the stream are of another kind than before.")
    return one < other  # type: ignore[operator]


def _earlier(stamp: datetime, seconds: float) -> datetime:
    try:
        return stamp - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _floored(stamp: datetime, unit: float) -> datetime:
    if unit <= 0:
        return stamp
    whole = timedelta(seconds=unit)
    origin = datetime(1970, 1, 1, tzinfo=UTC)
    return origin + (stamp - origin) // whole * whole


def _aware_iso(text: str) -> datetime | None:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return stamp if stamp.tzinfo else None


def _aware(stamp: datetime, zone: tzinfo) -> datetime | None:
    try:
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _parsed(text: str, zone: tzinfo) -> datetime | None:
    if not text or len(text) > 64 or _EMPTY.match(text):
        return None
    dotnet = _DOTNET.match(text)
    if dotnet:
        return _epoch(int(dotnet[1]), milliseconds=True)
    if re.fullmatch(r"\d{9,}(?:\.\d+)?", text):
        return _epoch(float(text))
    try:
        return _aware(datetime.fromisoformat(_repaired(text)), zone)
    except ValueError:
        return None


def _repaired(text: str) -> str:
    """Slashes for dashes, a blank before the zone, more than six decimals: common, and refused by the library."""
    text = re.sub(r"^(\d{4})/(\d{1,2})/(\d{1,2})", lambda m: f"{m[1]}-{m[2]:0>2}-{m[3]:0>2}", text)
    text = re.sub(r"\s*(Z|UTC|GMT)$", "+00:00", text, flags=re.IGNORECASE)
    text = re.sub(r"(\d)\s+([+-]\d{2}:?\d{2})$", r"\1\2", text)
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def _epoch(value: float, *, milliseconds: bool = False) -> datetime | None:
    if value == 0 or value != value:
        return None
    seconds = value / 1000 if milliseconds or abs(value) > _SECONDS_UP_TO else value
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
