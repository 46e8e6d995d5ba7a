"""The customers of one tenant: numbered pages of the list, completed by the details of each page.

Ids are 64-bit numbers and stay exact. A customer may come once per organisation that uses it; such copies are records
of their own, whose keys hold the organisation, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from connectors.contract import Page
from connectors.errors import RecordRejected, StreamBroken
from connectors.listed.numbered import Numbered, numbered_pages, whole_number
from connectors.listed.stream import Found, Listed, Row
from connectors.yonyou_yonbip.client import YonBipClient
from connectors.yonyou_yonbip.config import YonBipConfig

LIST = "yonbip/digitalModel/merchant/newlistrange"
DETAIL = "yonbip/digitalModel/merchant/newBatchDetail"
DETAILS_AT_ONCE = 100
COPY = "|"


class Customers(Listed):
    """The stream of customers."""

    name: ClassVar[str] = "customers"
    title: ClassVar[str] = "Customers"
    stamps: ClassVar[Sequence[str]] = ("pubts", "modifyTime", "createTime")
    largest: ClassVar[int] = 500
    largest_of_keys: ClassVar[int] = 5000

    def __init__(self, client: YonBipClient, config: YonBipConfig) -> None:
        self._client, self._config, self.zone = client, config, ZoneInfo(config.zone)

    def pages(self, size: int, since: datetime | None, start: Any = None) -> Iterator[Found]:
        """Pages by number; with ``since``, what was changed then or later."""
        more: dict[str, Any] = {}
        if since is not None:
            earliest = datetime(1970, 1, 2, tzinfo=self.zone)
            more["pubts"] = max(since, earliest).astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")
        return numbered_pages(lambda number: self._page(number, size, more), start)

    def key(self, row: Row) -> str:
        """The customer's id, and of a copy also the organisation that uses it."""
        number = row.get("id")
        if not isinstance(number, int | str) or isinstance(number, bool) or not str(number).strip():
            raise RecordRejected("The record has no key at {path}.", path="id", rule="required")
        used, made = row.get("belongOrgId"), row.get("createOrgId")
        copied = used and made and str(used) != str(made)
        return f"{number}{COPY}{used}" if copied else str(number)

    def whole(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows with their contacts, addresses and invoices; as they are where these are not wanted."""
        if not self._config.details:
            return rows
        found: list[Any] = []
        for start in range(0, len(rows), DETAILS_AT_ONCE):
            found += self._completed(rows[start : start + DETAILS_AT_ONCE])
        return found

    def by_key(self, key: str) -> Row | None:
        """The customer with this key as it is now, as the list shows it."""
        number = whole_number(key.partition(COPY)[0])
        if number is None:
            return None
        return next((row for row in self._found("id", number) if self.key(row) == key), None)

    def by_code(self, code: str) -> Row | None:
        """The customer with this code, the original before its copies."""
        return min(self._found("code", code), key=lambda row: COPY in self.key(row), default=None)

    def detailed(self, keys: Sequence[str]) -> dict[str, Row]:
        """The customers with these keys as they are now, by one call; without those that it does not show so."""
        numbers = [number for key in keys if (number := whole_number(key)) is not None]
        if not numbers:
            return {}
        data, _ = self._client.query(DETAIL, [{"id": number} for number in numbers])
        data = data.get("recordList", data) if isinstance(data, dict) else data
        found: dict[str, Row] = {}
        for row in data if isinstance(data, list) else ():
            if isinstance(row, dict) and row.get("id") and self.changed(row) is not None:
                found[self.key(row)] = row
        return {key: found[key] for key in keys if key in found}

    def fetched(self, keys: Sequence[str]) -> Page:
        """The customers with these keys as they are now."""
        rows = {key: self.by_key(key) for key in keys}
        records, rejected = self.records(self.whole([row for row in rows.values() if row is not None]))
        return Page(records, {}, [key for key, row in rows.items() if row is None], rejected)

    def _found(self, field: str, value: int | str) -> list[Row]:
        """The rows with this value. Raises where the filter does not hold: then nobody's absence would be known."""
        rows = [row for row in self._page(1, 50, {field: value}).rows if isinstance(row, dict)]
        if any(str(row.get(field)) != str(value) for row in rows):
            raise StreamBroken(
                "{connection}: YonBIP answered other customers than those asked for by {name}.",
                connection=self._client.connection,
                name=field,
            )
        return rows

    def _page(self, number: int, size: int, more: Mapping[str, Any]) -> Numbered:
        body = {"pageIndex": number, "pageSize": size, "filterPotential": not self._config.prospects, **more}
        data, at = self._client.query(LIST, body)
        data = data if isinstance(data, dict) else {}
        rows, total = data.get("recordList"), whole_number(data.get("recordCount"))
        if rows is None and total == 0:
            rows = []
        if not isinstance(rows, list):
            raise StreamBroken(
                "{connection}: the answer of {path} has no list {name}.",
                connection=self._client.connection,
                path=f"/{LIST}",
                name="recordList",
            )
        return Numbered(rows, at, total, whole_number(data.get("pageCount")))

    def _completed(self, rows: Sequence[Any]) -> list[Any]:
        """The rows with what the details add; a row that has none stays as it is."""
        asked = [_asked(row) for row in rows if isinstance(row, dict) and row.get("id")]
        if not asked:
            return list(rows)
        data, _ = self._client.query(DETAIL, asked)
        data = data.get("recordList", data) if isinstance(data, dict) else data
        if not isinstance(data, list):
            raise StreamBroken(
                "{connection}: the answer of {path} has no list {name}.",
                connection=self._client.connection,
                path=f"/{DETAIL}",
                name="data",
                remedy="Set `details: false` to read customers without contacts, addresses and invoices.",
            )
        details: dict[str, list[Row]] = {}
        for detail in data:
            if isinstance(detail, dict):
                details.setdefault(str(detail.get("id")), []).append(detail)
        return [_merged(row, details) if isinstance(row, dict) else row for row in rows]


def _asked(row: Row) -> Row:
    organisation = row.get("belongOrgCode")
    return {"id": row["id"]} | ({"belongOrgCode": organisation} if organisation else {})


def _merged(row: Row, details: Mapping[str, Sequence[Row]]) -> Row:
    """The row with its detail; of several the one of the same organisation. The list's own stamps are kept."""
    found = details.get(str(row.get("id")), ())
    used = str(row.get("belongOrgId"))
    chosen = next((one for one in found if str(one.get("belongOrgId")) == used), found[0] if found else {})
    return {**row, **{name: value for name, value in chosen.items() if value is not None and name not in _KEPT}}


_KEPT = frozenset({"id", "belongOrgId", "createOrgId", *Customers.stamps})
