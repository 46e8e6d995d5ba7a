"""Reading business partners: pages in the order of their keys, by the day of their last change.

SAP stamps changes by date and time of day, in a zone that it does not tell, and can only be asked by date. A run reads
again from the day before, and everything every few days: whether a change of an address, email or tax number moves the
partner's stamp depends on the release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from connectors.contract import Mode, Page, Read, Record
from connectors.errors import CursorExpired, StreamBroken
from connectors.incremental import Mark, Scan, iso, parse_stamp
from connectors.odata.answers import Answer
from connectors.odata.client import ODataClient
from connectors.odata.literals import plain_v2, v2_moment
from connectors.paging import Batch
from connectors.rest.manifest import OffsetPages
from connectors.rest.offsets import SteadyOffsets
from connectors.sap_s4hana.config import SapConfig

PATH = "A_BusinessPartner"
KEY = "BusinessPartner"
LARGEST_PAGE = 500
IDS_PER_PAGE = 5000
LOOKBACK = 86_400
"""Seconds: a zone that is not the one set is at most about a day away."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """A page as the pager takes it."""

    rows: Sequence[dict[str, Any]]
    answer: Answer

    @property
    def total(self) -> int | None:
        """How many rows the whole query has."""
        return self.answer.total

    def keys(self) -> list[str]:
        """The keys on this page."""
        return [str(row.get(KEY, "")) for row in self.rows]

    def without_first(self) -> _Rows:
        """The page without the row that overlaps the page before."""
        return _Rows(self.rows[1:], self.answer)


class Partners:
    """The business partners of one system."""

    def __init__(self, client: ODataClient, config: SapConfig) -> None:
        self._client, self._config, self._zone = client, config, ZoneInfo(config.zone)

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; the cursor of each continues behind it."""
        full_at = self._full_at(request)
        began = self._page({"$top": 1}).response.date or self._client.http.context.now()
        scan = Scan(request, began=began, lookback=LOOKBACK)
        if full_at is None and scan.since is None:
            full_at = iso(began)
        query = {"$expand": ",".join(self._config.expand), "$filter": self._filter(scan.since)}
        for batch in self._batches(query, min(request.page_size, LARGEST_PAGE), scan.resume):
            records = [self._record(row) for row in batch.items]
            marks = [Mark(record.changed_at, record.key) for record in records if record.changed_at]
            cursor = scan.page(marks, batch.next) if batch.next else scan.end()
            kept = [record for record in records if _before(record, request.until)]
            yield Page(kept, {**cursor, "full_at": full_at}, total=batch.response.total)

    def keys(self) -> Iterator[list[str]]:
        """All keys, page by page."""
        for batch in self._batches({"$select": KEY, "$filter": self._filter(None)}, IDS_PER_PAGE, None):
            yield [_key(row, self._client.connection) for row in batch.items]

    def sample(self, size: int) -> list[bytes]:
        """The bodies of a few partners."""
        page = self._page({"$top": size, "$expand": ",".join(self._config.expand), "$orderby": KEY})
        return [self._record(row).body for row in page.rows]

    def count(self) -> int | None:
        """How many partners there are; None where the system does not tell."""
        return self._page({"$top": 1, "$inlinecount": "allpages"}).total

    def _batches(self, query: Mapping[str, Any], size: int, start: Any) -> Iterator[Batch[_Rows]]:
        """Pages by offset, each overlapping the one before by a row, so that no shift goes unnoticed.

        Links to the next page (``__next``) are not followed: they keep ``$top`` and end with it.
        """

        def ask(offset: int) -> tuple[Sequence[Any], _Rows]:
            params = {**query, "$orderby": KEY, "$skip": offset, "$top": size, "$inlinecount": "allpages"}
            answer = self._page(params)
            return answer.rows, _Rows(answer.rows, answer)

        spec = OffsetPages(kind="offset", offset="$skip", limit="$top", max=size, total="__count")
        steady = SteadyOffsets(ask, lambda row: row.get(KEY), lambda page, _: page.without_first(), _place(start))
        return steady.pages(spec, size)

    def _page(self, params: Mapping[str, Any]) -> Answer:
        return self._client.page(PATH, {"$filter": self._filter(None), **params})

    def _filter(self, since: datetime | int | None) -> str:
        terms = ["Customer ne ''"] if self._config.customers_only else []
        if isinstance(since, datetime):
            day = f"datetime'{since.astimezone(self._zone):%Y-%m-%d}T00:00:00'"
            terms.append(f"(LastChangeDate ge {day} or CreationDate ge {day})")  # the former is null until an edit
        return " and ".join(terms)

    def _record(self, row: Mapping[str, Any]) -> Record:
        key = _key(row, self._client.connection)
        stamp = self.changed(row)
        etag = row.get("__metadata", {}).get("etag")
        body = {**plain_v2(row), "etag": etag, "changed_at": None if stamp is None else iso(stamp)}
        return Record(key, orjson.dumps(body, option=orjson.OPT_SORT_KEYS), body["changed_at"])

    def changed(self, row: Mapping[str, Any]) -> datetime | None:
        """When the partner was changed last; when it was made, if it never was."""
        for day, time in (("LastChangeDate", "LastChangeTime"), ("CreationDate", "CreationTime")):
            moment = v2_moment(row.get(day), row.get(time))
            if moment is not None:
                return moment.replace(tzinfo=self._zone)
        return None

    def _full_at(self, request: Read) -> str | None:
        """When everything was read last. Raises ``CursorExpired`` when that is too long ago."""
        if request.mode is Mode.FULL and not request.resumed:
            return None
        stored = (request.cursor or {}).get("full_at")
        full_at = stored if isinstance(stored, str) else None
        if request.mode is Mode.INCREMENTAL and request.cursor and not (request.resumed or request.since):
            self._ensure_recent(full_at)
        return full_at

    def _ensure_recent(self, full_at: str | None) -> None:
        longest = timedelta(days=self._config.full_every)
        read_at = parse_stamp(full_at)
        if read_at is None or self._client.http.context.now() - read_at > longest:
            raise CursorExpired(
                "{connection}: everything is read again, as it is every {days} days.",
                connection=self._client.connection,
                days=self._config.full_every,
            )


def partner_key(key: str) -> str:
    """A key without leading zeros, as the API gives it."""
    return (key.lstrip("0") or key) if key.isdecimal() else key


def _key(row: Mapping[str, Any], connection: str) -> str:
    key = row.get(KEY)
    if not isinstance(key, str) or not key:
        raise StreamBroken(
            "{connection}: {path} answered a row without its key {key}.", connection=connection, path=PATH, key=KEY
        )
    return partner_key(key)


def _place(start: Any) -> Any:
    """The pager's stored position. Raises ``CursorExpired`` for one that is none of ours."""
    if start is None or (isinstance(start, Mapping) and isinstance(start.get("at"), int) and "last" in start):
        return start
    raise CursorExpired("The stored position is not one this connector can continue from.")


def _before(record: Record, until: datetime | None) -> bool:
    return until is None or record.changed_at is None or record.changed_at <= iso(until)
