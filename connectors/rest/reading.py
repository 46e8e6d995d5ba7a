"""One read of one REST stream, top to bottom: deletes that are told, then records, each page with its cursor.

The cursor holds the ``phase`` (feed, main or done) and under ``main`` and ``feed`` the positions of the two scans (see
``connectors.incremental``). REST lists are never trusted to be ordered: a scan is read to its end before the
change stamp moves, and then at most to where the scan began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.contract import Cursor, Mode, Page, Read
from connectors.errors import BadConfiguration, CursorExpired, EndlessPages, StreamBroken
from connectors.incremental import Mark, Scan, iso, parse_stamp
from connectors.paging import window_cap
from connectors.rest.listing import Bounds, Fetched, Lister

BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)
"""Where windows begin that have no other lower bound."""


class StreamReader:
    """Reads one stream. ``feed`` is the listing of deletes, if the system has one; ``cap`` the most it answers."""

    def __init__(self, main: Lister, feed: Lister | None, cap: int | None, now: Callable[[], datetime]) -> None:
        self._main, self._feed, self._cap, self._now = main, feed, cap, now

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order, as ``Connector.read`` promises."""
        cursor = dict(request.cursor or {})
        phase = cursor.get("phase") if request.resumed else None
        main, feed = _part(cursor, "main"), _part(cursor, "feed")
        if phase == "done":
            yield Page((), cursor)
            return
        if self._feed is not None and feed and phase != "main" and request.mode is Mode.INCREMENTAL:
            part = replace(request, cursor=feed, resumed=phase == "feed")
            for step in self._scan(self._feed, part):
                feed = step.cursor
                yield step.page({"phase": "feed", "main": main, "feed": feed}, as_deleted=True)
        part = replace(request, cursor=main or None, resumed=phase == "main")
        for step in self._scan(self._main, part):
            if self._feed is not None and not feed and step.began:
                feed = {"value": step.began, "key": ""}  # a first read: deletes count from its beginning
            yield step.page({"phase": "done" if step.last else "main", "main": step.cursor, "feed": feed})

    def _scan(self, lister: Lister, request: Read) -> Iterator[_Step]:
        """Every page with the scan's cursor; the last one's is the end of the scan."""
        asked = Scan(request, began=None, **_options(lister))
        scan = asked if asked.resume is not None else None
        bounds, ended = Bounds(_instant(asked.since), asked.until), False
        began = request.cursor.get("began") if scan and request.cursor else None
        for fetched in self._resumed(lister, request, bounds, asked.resume):
            if scan is None:
                began = iso(self._began(fetched))
                scan = Scan(request, began=datetime.fromisoformat(began), **_options(lister))
            stamps = [record.changed_at for record in fetched.sliced.records if record.changed_at is not None]
            cursor = scan.page([Mark(max(stamps))] if stamps else [], fetched.next)
            ended = fetched.next is None
            yield _Step(fetched, dict(scan.end() if ended else cursor), began, ended)
        if not ended:
            yield _Step(None, dict((scan or asked).end()), began, True)

    def _resumed(self, lister: Lister, request: Read, bounds: Bounds, resume: Any) -> Iterator[Fetched]:
        """The pages from a position on; from the scan's start where the system has forgotten the position."""
        pages = self._pages(lister, request, bounds, resume)
        if resume is not None:
            try:
                yield next(pages)
            except StopIteration:
                return
            except EndlessPages:
                raise
            except (StreamBroken, BadConfiguration):
                pages = self._pages(lister, request, bounds, None)
        yield from pages

    def _pages(self, lister: Lister, request: Read, bounds: Bounds, resume: Any) -> Iterator[Fetched]:
        partition, size = request.partition, request.page_size
        windowed = isinstance(resume, dict) and "window" in resume
        if lister is self._main and self._cap and (windowed or self._too_many(bounds, partition)):
            yield from self._windows(request, bounds, resume if windowed else None)
        else:
            yield from lister.pages(size, bounds, partition, resume)

    def _too_many(self, bounds: Bounds, partition: str) -> bool:
        count = self._main.count(bounds, partition)
        return count is not None and self._cap is not None and count >= self._cap

    def _windows(self, request: Read, bounds: Bounds, resume: dict[str, Any] | None) -> Iterator[Fetched]:
        """The read in windows of time, each below the cap; the last one is open, for what changes meanwhile."""
        assert self._cap is not None  # noqa: S101 - asked by the caller
        low = parse_stamp(resume["window"]) if resume else bounds.since
        high = bounds.until or self._now()
        if resume and "until" in resume:  # finish the window that was being read
            until = parse_stamp(resume["until"])
            yield from self._window(request, Bounds(low, until), resume["at"])
            low = until or high

        def count(low: datetime, high: datetime) -> int:
            return self._main.count(Bounds(low, high), request.partition) or 0

        spans = window_cap(count, low or BEGINNING, high, cap=self._cap, smallest=self._main.smallest)
        for since, until in spans:
            yield from self._window(request, Bounds(since, until), None)
        if bounds.until is None:
            yield from self._window(request, Bounds(max(high, low or BEGINNING)), None)

    def _window(self, request: Read, bounds: Bounds, start: Any) -> Iterator[Fetched]:
        assert bounds.since is not None  # noqa: S101 - windows have a beginning
        open_ended = bounds.until is None
        here = {"window": iso(bounds.since)} | ({} if open_ended else {"until": iso(bounds.until or bounds.since)})
        beyond = here if open_ended else {"window": here["until"]}
        for page in self._main.pages(request.page_size, bounds, request.partition, start):
            more = page.next is not None and not open_ended
            yield replace(page, next={**here, "at": page.next} if more else beyond)

    def _began(self, fetched: Fetched) -> datetime:
        """Where the source's clock stood before its first answer; ours, where it does not tell."""
        elapsed = timedelta(seconds=fetched.response.elapsed)
        return (fetched.response.date or self._now()) - elapsed


@dataclass(frozen=True, slots=True)
class _Step:
    """One page of a scan: what came (None: only the end), the scan's cursor, when the scan began."""

    fetched: Fetched | None
    cursor: dict[str, Any]
    began: str | None
    last: bool

    def page(self, cursor: Cursor, *, as_deleted: bool = False) -> Page:
        """As the engine takes it; ``as_deleted`` for a listing whose records are deletes."""
        if self.fetched is None:
            return Page((), cursor)
        cut = self.fetched.sliced
        if as_deleted:
            return Page((), cursor, [record.key for record in cut.records], cut.rejected)
        return Page(cut.records, cursor, cut.deleted, cut.rejected, self.fetched.total)


def _options(lister: Lister) -> dict[str, Any]:
    since = lister.spec.incremental
    return {"lookback": since.lookback if since else 0, "coarse": lister.coarse}


def _part(cursor: Cursor, name: str) -> dict[str, Any]:
    part = cursor.get(name, {})
    if not isinstance(part, dict):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return part


def _instant(value: datetime | int | None) -> datetime | None:
    if isinstance(value, int):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return value
