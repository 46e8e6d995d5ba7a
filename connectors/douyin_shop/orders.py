"""The orders of a shop by the time of their last change, each read again from where the page before ended.

The platform numbers pages, and rows that change meanwhile would shift under the numbers. So a page that ends later than
it began is followed by the first page of what changed from there on; numbers are counted on only while all rows of a
page share one second, or come in no order. Where the platform refuses to look at so long a time, it is asked for
shorter ones, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.douyin_shop.answers import NotLikeThis
from connectors.errors import EndlessPages, StreamBroken
from connectors.http import Client
from connectors.response import Response

PATH = "/order/searchList"
LARGEST_PAGE = 100
SMALLEST_WINDOW = 7 * 86_400
MOST_PAGES = 100_000
"""Pages of one window, at most."""

_SECONDS_UP_TO = 100_000_000_000
"""Larger stamps are milliseconds."""
_TOLERANCE = 86_400

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Orders:
    """One page. ``next`` is the second from which to read on; None when all was read."""

    rows: Sequence[Row]
    next: int | None
    response: Response


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: list[Row]
    total: int | None
    size: int
    response: Response


class OrderList:
    """Lists the orders of one shop."""

    def __init__(self, client: Client, arranged: Callable[[Any], Any]) -> None:
        self._client, self._arranged = client, arranged

    def pages(self, low: int, high: int, size: int) -> Iterator[Orders]:
        """All orders changed from second ``low`` to ``high``, oldest change first; some may come twice."""
        size = max(1, min(size, LARGEST_PAGE))
        span = max(1, high - low)
        while True:
            end = min(low + span, high)
            pages = self._window(low, end, size, last=end >= high)
            try:
                yield next(pages)
            except NotLikeThis:
                if span <= SMALLEST_WINDOW:
                    raise
                span = max(SMALLEST_WINDOW, span // 4)
                continue
            yield from pages
            if end >= high:
                return
            low = end

    def _window(self, low: int, end: int, size: int, *, last: bool) -> Iterator[Orders]:
        page = first_total = 0
        for _ in range(MOST_PAGES):
            answer = self._ask(low, end, page, size)
            if page and answer.total is not None and answer.total < first_total:
                page = 0  # rows of this very second have changed and moved on: the others have moved up
                continue
            first_total = answer.total or 0 if page == 0 else first_total
            done = _done(answer, page)
            reached = _reached(answer.rows, low)
            low, page = (reached, 0) if reached is not None else (low, page + 1)
            yield Orders(answer.rows, (None if last else end) if done else low, answer.response)
            if done:
                return
        raise EndlessPages("There are more than {pages} pages.", pages=MOST_PAGES)

    def _ask(self, low: int, end: int, page: int, size: int) -> _Answer:
        asked = {
            "page": page, "size": size, "order_by": "update_time", "order_asc": True,
            "update_time_start": low, "update_time_end": end,
        }  # fmt: skip
        response = self._client.post(PATH, json=self._arranged(asked), read=True)
        data = response.json().get("data")
        data = data if isinstance(data, Mapping) else {}
        rows, total, given = data.get("shop_order_list"), data.get("total"), data.get("size")
        total = total if isinstance(total, int) and not isinstance(total, bool) else None
        if rows is None and total == 0:
            rows = []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise StreamBroken(
                "{connection}: {path} answered no list of orders.", connection=response.connection, path=PATH
            )
        size = given if isinstance(given, int) and 0 < given <= size else size
        self._within(rows, low, response)
        return _Answer(rows, total, size, response)

    def _within(self, rows: Sequence[Row], low: int, response: Response) -> None:
        """Raise where the platform does not heed the time it is asked for: each window would be everything."""
        if any(0 < changed_at(row) < low - _TOLERANCE for row in rows):
            raise StreamBroken(
                "{connection}: {path} answers orders from outside of the time it was asked for.",
                connection=response.connection,
                path=PATH,
            )


def changed_at(row: Row) -> int:
    """The second of an order's last change; 0 where it tells none."""
    value = row.get("update_time")
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return 0
    return value // 1000 if value > _SECONDS_UP_TO else value


def _done(answer: _Answer, page: int) -> bool:
    """Whether nothing follows; by the platform's own count where it counts at least what it shows."""
    seen = page * answer.size + len(answer.rows)
    if not answer.rows:
        return True
    if answer.total is not None and answer.total >= len(answer.rows):
        return seen >= answer.total
    return len(answer.rows) < answer.size


def _reached(rows: Sequence[Row], low: int) -> int | None:
    """The second at which a page ends, where its rows came in order and end later than the page was asked from."""
    stamps = [changed_at(row) for row in rows]
    if not stamps or stamps != sorted(stamps) or stamps[0] < low or stamps[-1] <= low:
        return None
    return stamps[-1]
