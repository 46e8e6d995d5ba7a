"""One read of the customers: a full one by a bulk operation, all others page by page, each page with its cursor.

The position within a scan (``scan`` of the cursor) is a page's cursor as text, or a bulk operation as an object. The
change stamp moves when a scan is complete, and then at most to where it began (``connectors.incremental``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Mode, Page, Read
from connectors.errors import BadConfiguration, CursorExpired, EndlessPages, StreamBroken
from connectors.incremental import Mark, Scan
from connectors.shopify.bulk import Bulk, NoBulk
from connectors.shopify.pages import Pages, Step

LOOKBACK = 300
"""Seconds that are read again: the search by change stamp learns of changes late."""


class CustomerReader:
    """Reads the customers of one shop; without ``bulk`` always page by page."""

    def __init__(self, pages: Pages, bulk: Bulk | None, now: Any) -> None:
        self._pages, self._bulk, self._now = pages, bulk, now

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order, as ``Connector.read`` promises."""
        asked = Scan(request, began=None, lookback=LOOKBACK, coarse=1)
        cursor = dict(request.cursor or {})
        if request.resumed and cursor and asked.resume is None and "began" not in cursor:
            yield Page((), cursor)  # this scan had come to its end
            return
        scan = asked if asked.resume is not None else None
        for step in self._steps(request, asked):
            if scan is None:
                scan = Scan(request, began=self._began(step), lookback=LOOKBACK, coarse=1)
            cut = step.cut
            stamps = [record.changed_at for record in cut.records if record.changed_at is not None]
            reached = scan.page([Mark(max(stamps))] if stamps else [], step.next)
            yield Page(cut.records, reached, rejected=cut.rejected)
        yield Page((), (scan or asked).end())

    def _steps(self, request: Read, asked: Scan) -> Iterator[Step]:
        size, place = request.page_size, asked.resume
        if self._bulk is not None and (isinstance(place, dict) or (place is None and _everything(request))):
            try:
                yield from self._bulk.steps(size, place)
                return
            except NoBulk:
                place = None
        since, until = _instant(asked.since), asked.until
        if isinstance(place, str):
            try:
                yield from self._pages.steps(size, since, until, place)
                return
            except EndlessPages:
                raise
            except (StreamBroken, BadConfiguration):
                pass  # the system has forgotten the position: again from the scan's start
        yield from self._pages.steps(size, since, until, None)

    def _began(self, step: Step) -> datetime:
        """Where the shop's clock stood before its first answer; ours, where it does not tell."""
        now: datetime = self._now()
        if step.response is None:
            return now
        return (step.response.date or now) - timedelta(seconds=step.response.elapsed)


def _everything(request: Read) -> bool:
    return request.mode is Mode.FULL and request.since is None and request.until is None


def _instant(value: datetime | int | None) -> datetime | None:
    if isinstance(value, int):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return value
