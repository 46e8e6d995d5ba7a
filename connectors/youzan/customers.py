"""The customers of a shop: listed newest first in numbered pages, at most 10,000 for one question.

Where there are more, time is cut into windows of the moment a customer was created, which never changes; so a record
stays in its window. Whether the bounds are seconds or milliseconds is told differently by different sources: it is
found out by asking for a customer whose moment is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from connectors.contract import Page
from connectors.digests import case_safe
from connectors.errors import CursorExpired, RecordRejected, StreamBroken
from connectors.incremental import parse_stamp
from connectors.listed.numbered import Numbered, numbered_pages, whole_number
from connectors.listed.stream import Found, Listed, Row
from connectors.paging import window_cap
from connectors.youzan.client import Outcome, YouzanClient

LIST, LIST_VERSION = "youzan.scrm.customer.list", "1.0.0"
DETAIL, DETAIL_VERSION = "youzan.scrm.customer.detail.get", "1.0.1"
GONE = frozenset({144100001, 141001107, 141502108, 4009})
"""Codes of a customer that is not there: the account was closed, or never was; 4009 is the gateway's own."""
CAP = 10_000
FIRST_DAY = datetime(2012, 1, 1, tzinfo=UTC)
"""No customer of the platform is older."""
SECONDS, MILLISECONDS = 1, 1000

Span = tuple[datetime, datetime]


class Customers(Listed):
    """The stream of one shop's customers. ``cap`` is replaced by tests."""

    name: ClassVar[str] = "customers"
    title: ClassVar[str] = "Customers"
    stamps: ClassVar[Sequence[str]] = ("updated_at",)
    lookback: ClassVar[int] = 0
    largest: ClassVar[int] = 50
    largest_of_keys: ClassVar[int] = 50

    def __init__(self, client: YouzanClient, cap: int = CAP) -> None:
        self._client, self._cap = client, cap
        self._scale: int | None = None

    def key(self, row: Row) -> str:
        """The id that a customer has on the whole platform."""
        key = row.get("yz_open_id")
        if not isinstance(key, str) or not 0 < len(key) <= 500:
            raise RecordRejected("The record has no key at {path}.", path="yz_open_id", rule="required")
        return key

    def pages(self, size: int, since: datetime | None, start: Any = None) -> Iterator[Found]:
        """All pages from a position on; by windows of time where there are too many for one question."""
        windowed = isinstance(start, Mapping) and "low" in start
        if not windowed and (start is not None or not self._too_many()):
            yield from numbered_pages(lambda page: self._asked(page, size, None), start)
            return
        yield from self._windows(size, _Place.restored(start))

    def whole(self, rows: Sequence[Any]) -> Sequence[Any]:
        """With the id in a form in which case does not matter, since identifiers are compared without it."""
        return [_with_number(row) for row in rows]

    def detail(self, **who: Any) -> Row | None:
        """One customer with all that is known of him; None if there is none."""
        outcome = self._client.call(DETAIL, DETAIL_VERSION, {**who, "fields": "user_base"}, known=GONE)
        if outcome.code is not None or not isinstance(outcome.data, dict):
            return None
        inner = outcome.data.get("user_base")
        return {**outcome.data, **(inner if isinstance(inner, dict) else {})}

    def fetch(self, keys: Sequence[str]) -> Page:
        """Single customers as the list shows them now; found there by the moment at which they were created."""
        rows, gone = [], []
        for key in keys:
            known = self.detail(yz_open_id=key)
            created = None if known is None else parse_stamp(known.get("created_at"))
            if known is None:
                gone.append(key)
            elif created is not None:  # else it is left to the next full read
                rows += [row for row in self._around(created) if row.get("yz_open_id") == key][:1]
        records, rejected = self.records(self.whole(rows))
        return Page(records, {}, gone, rejected)

    # --- windows

    def _windows(self, size: int, place: _Place) -> Iterator[Found]:
        high = self._client.http.context.now() + timedelta(days=1)
        if place.high is not None:  # finish the window that was being read
            yield from self._window(size, (place.low, place.high), place)
            place = _Place(place.high, seen=place.seen)
        for span in window_cap(self._count, place.low, high, cap=self._cap):
            yield from self._window(size, span, place)
            place = _Place(span[1], seen=place.seen)
        last = self._asked(1, 1, None)
        short = last.total is not None and place.seen < last.total
        yield Found((), last.at, None, last.total, short)

    def _window(self, size: int, span: Span, place: _Place) -> Iterator[Found]:
        """The pages of one window; ``place.seen`` grows by the rows in it."""
        count = int(place.at["seen"]) if place.at else 0
        before = place.seen - count
        for found in numbered_pages(lambda page: self._asked(page, size, span), place.at):
            count += len(found.rows)
            place.seen = before + count
            following = _Place(span[0], span[1], found.next, place.seen) if found.next else _Place(span[1])
            following.seen = place.seen
            yield Found(found.rows, found.at, following.stored())
            if found.next and not found.next["seen"]:  # the window is read again
                count = 0

    def _around(self, created: datetime) -> list[Row]:
        """The customers who were created about then."""
        span = (created, created + timedelta(seconds=1))
        return [row for found in numbered_pages(lambda page: self._asked(page, 50, span)) for row in found.rows]

    def _too_many(self) -> bool:
        total = self._asked(1, 1, None).total
        return total is not None and total >= self._cap

    def _count(self, low: datetime, high: datetime) -> int:
        return self._asked(1, 1, (low, high)).total or 0

    def _asked(self, page: int, size: int, span: Span | None) -> Numbered:
        """One page of the list; with a span of those created within it.

        Whether the bounds belong to it is not documented, so it is asked for a second more on both sides.
        """
        bounds = {}
        if span is not None:
            scale = self._unit()
            start, end = _moment(span[0], scale) - scale, _moment(span[1], scale) + scale
            bounds = {"created_at_start": start, "created_at_end": end}
        return self._numbered(self._client.call(LIST, LIST_VERSION, {"page_no": page, "page_size": size, **bounds}))

    def _numbered(self, outcome: Outcome) -> Numbered:
        data = outcome.data if isinstance(outcome.data, Mapping) else {}
        rows, total = data.get("record_list"), whole_number(data.get("total"))
        if rows is None and total == 0:
            rows = []
        if not isinstance(rows, list):
            raise StreamBroken(
                "{connection}: {path_} answered no list of customers.",
                connection=outcome.response.connection,
                path_=outcome.response.path,
            )
        at = outcome.response.date or self._client.http.context.now()
        return Numbered(rows, at - timedelta(seconds=outcome.response.elapsed), total)

    # --- seconds or milliseconds

    def _unit(self) -> int:
        """How many of the unit of bounds make a second, found out once. Raises ``StreamBroken`` where it shows not."""
        if self._scale is None:
            newest = self._asked(1, 1, None)
            first = newest.rows[0] if newest.rows else {}
            created = parse_stamp(first.get("created_at")) if isinstance(first, dict) else None
            self._scale = SECONDS if not newest.rows else self._tried(created, newest.total)
        return self._scale

    def _tried(self, created: datetime | None, everybody: int | None) -> int:
        for scale in (SECONDS, MILLISECONDS) if created is not None else ():
            assert created is not None  # noqa: S101 - else nothing is tried
            start, end = (_moment(created + timedelta(seconds=by), scale) for by in (-1, 2))
            asked = {"page_no": 1, "page_size": 50, "created_at_start": start, "created_at_end": end}
            found = self._numbered(self._client.call(LIST, LIST_VERSION, asked))
            inside = [created - timedelta(seconds=3) < at < created + timedelta(seconds=4) for at in _created(found)]
            if inside and all(inside):
                return scale
            if inside and everybody is not None and (found.total or 0) >= everybody:
                break  # the bounds are not heeded at all
        raise StreamBroken(
            "{connection}: the platform does not heed the time in which customers were created.",
            connection=self._client.http.connection,
            remedy="A shop with more than 10,000 customers cannot be read whole without it: report this fault.",
        )


class _Place:
    """A position: the window that is being read (no ``high``: none), where in it, and how many came before."""

    def __init__(self, low: datetime, high: datetime | None = None, at: Any = None, seen: int = 0) -> None:
        self.low, self.high, self.at, self.seen = low, high, at, seen

    def stored(self) -> dict[str, Any]:
        """As it stands in a cursor."""
        high = None if self.high is None else self.high.isoformat()
        return {"low": self.low.isoformat(), "high": high, "at": self.at, "seen": self.seen}

    @classmethod
    def restored(cls, start: Any) -> _Place:
        """From a cursor, or the beginning. Raises ``CursorExpired`` for what is no position."""
        if not isinstance(start, Mapping) or "low" not in start:
            return cls(FIRST_DAY)
        try:
            low, high = datetime.fromisoformat(start["low"]), start["high"]
            return cls(low, None if high is None else datetime.fromisoformat(high), start["at"], int(start["seen"]))
        except (KeyError, TypeError, ValueError):
            raise CursorExpired("The stored position is not one this connector can continue from.") from None


def _with_number(row: Any) -> Any:
    key = row.get("yz_open_id") if isinstance(row, dict) else None
    return {**row, "customer_number": case_safe(key)} if isinstance(key, str) and key else row


def _moment(at: datetime, scale: int) -> int:
    return int(at.timestamp()) * scale


def _created(found: Numbered) -> list[datetime]:
    stamps = (parse_stamp(row.get("created_at")) for row in found.rows if isinstance(row, dict))
    return [stamp for stamp in stamps if stamp is not None]
