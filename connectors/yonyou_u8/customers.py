"""The customers of one ledger: numbered pages, what changed by the day of the last change.

Whether customers can be asked for by that day is not documented (other records can). So the filter is not trusted: the
day asked for is never later than that of the newest customer we know, which must therefore be in the answer. Where the
answer is empty or the question is refused, everything is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from connectors.errors import RecordRejected, StreamBroken
from connectors.listed.numbered import Numbered, numbered_pages, whole_number
from connectors.listed.stream import Found, Listed, Row
from connectors.yonyou_u8.client import U8Client
from connectors.yonyou_u8.config import U8Config
from connectors.yonyou_u8.faults import QueryRefused

PATH, LIST, KEY = "api/customer", "customer", "code"
DAY = 86_400


class Customers(Listed):
    """The stream of customers."""

    name: ClassVar[str] = "customers"
    title: ClassVar[str] = "Customers"
    stamps: ClassVar[Sequence[str]] = ("ModifyDate", "seed_date")
    lookback: ClassVar[int] = DAY
    largest: ClassVar[int] = 5000

    def __init__(self, client: U8Client, config: U8Config) -> None:
        self._client, self._config, self.zone = client, config, ZoneInfo(config.zone)

    def pages(self, size: int, since: datetime | None, start: Any = None) -> Iterator[Found]:
        """Pages by number; those of a filter that finds nothing or is refused give way to all."""
        size = min(size, self._config.page_rows)
        if since is None or not self._config.filter_changes or _unfiltered(start):
            yield from self._all(size, start)
            return
        day = max(since, datetime(1900, 1, 2, tzinfo=self.zone)).astimezone(self.zone).strftime("%Y-%m-%d")
        pages = numbered_pages(lambda number: self._page(number, size, {"modifydate_begin": day}), start)
        try:
            first = next(pages)
        except QueryRefused:
            yield from self._all(size, None)
            return
        if not first.rows and start is None:
            yield from self._all(size, None)
            return
        yield first
        yield from pages

    def key_pages(self) -> Iterator[Found]:
        """All customers: there is no list of their codes alone."""
        return self._all(self._config.page_rows, None)

    def key(self, row: Row) -> str:
        """The customer's code."""
        code = row.get(KEY)
        text = str(code).strip() if isinstance(code, str | int) and not isinstance(code, bool) else ""
        if not text:
            raise RecordRejected("The record has no key at {path}.", path=KEY, rule="required")
        return text

    def one(self, code: str) -> Row | None:
        """The customer with this code as it is now."""
        answer, _ = self._client.get(f"{PATH}/get", {"id": code})
        found = (answer or {}).get(LIST)
        if isinstance(found, list):
            found = found[0] if found else None
        return found if isinstance(found, dict) and str(found.get(KEY, "")).strip() == code else None

    def _all(self, size: int, start: Any) -> Iterator[Found]:
        place = {name: value for name, value in start.items() if name != "all"} if _unfiltered(start) else start
        for found in numbered_pages(lambda number: self._page(number, size, {}), place):
            following = None if found.next is None else {**found.next, "all": True}
            yield replace(found, next=following)

    def _page(self, number: int, size: int, more: Mapping[str, str]) -> Numbered:
        params = {"page_index": number, "rows_per_page": size, **more}
        answer, at = self._client.get(f"{PATH}/batch_get", params)
        if answer is None:  # nothing found, which is told like an error
            return Numbered((), at)
        rows = answer.get(LIST)
        if not isinstance(rows, list):
            raise StreamBroken(
                "{connection}: the answer of {path} has no list {name}.",
                connection=self._client.connection,
                path=f"/{PATH}/batch_get",
                name=LIST,
            )
        return Numbered(rows, at, whole_number(answer.get("row_count")), whole_number(answer.get("page_count")))


def _unfiltered(start: Any) -> bool:
    return isinstance(start, Mapping) and bool(start.get("all"))
