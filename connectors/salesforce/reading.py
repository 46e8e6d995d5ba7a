"""Reading one object: by ascending id, with deleted rows among the changes, or a bulk job for a large first read.

Changes are asked of ``queryAll``, which still shows rows in the recycle bin (``IsDeleted``). Rows that have left it are
in the delete log (``/deleted``), which Salesforce may cut short: streams declare a sweep too.

Positions: ``{"id": …}`` behind that id; ``{"job": …, "at": locator}`` within a job's results, with ``wait`` while it
runs; ``{"log": true}`` the delete log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.contract import Page, Read, Record
from connectors.errors import BadConfiguration, CursorExpired, PermissionMissing, StreamBroken
from connectors.incremental import iso, parse_stamp
from connectors.keyed import Asked, Part, keyed_pages
from connectors.response import Response
from connectors.salesforce.bulk import BulkQuery
from connectors.salesforce.client import SalesforceClient
from connectors.salesforce.objects import SalesObject, bounds, soql_stamp, soql_text, typed

LOOKBACK = 600
"""Seconds that are read again: a row's stamp is older than the moment at which it can be seen."""
COARSE = 1
LARGEST_PAGE = 2000
LOG_DAYS = 29
"""How far back the delete log is asked for; it reaches about thirty days."""
IDS_AT_ONCE = 200


class ObjectReader:
    """Reads one object. ``bulk_from``: full reads of so many rows become a bulk job; 0 for none."""

    def __init__(self, client: SalesforceClient, what: SalesObject, bulk: BulkQuery, bulk_from: int) -> None:
        self._client, self._what, self._bulk, self._bulk_from = client, what, bulk, bulk_from

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.keyed``."""
        yield from keyed_pages(request, self._part, lookback=LOOKBACK, coarse=COARSE)

    def ids(self) -> Iterator[list[str]]:
        """The ids of all rows that are not deleted."""
        last = ""
        while True:
            rows, more, _ = self._query(["Id"], [f"Id > {soql_text(last)}"] if last else [], LARGEST_PAGE)
            if rows:
                yield [str(row["Id"]) for row in rows]
            if not more:
                return
            last = str(rows[-1]["Id"])

    def probe(self) -> None:
        """Read one row: the proof that the object can be read. Raises what reading raises."""
        self._query(self._what.columns, [], 1)

    # --- steps

    def _part(self, asked: Asked) -> Part:
        place = {"id": ""} if asked.after is None else asked.after
        if not isinstance(place, Mapping):
            raise CursorExpired("The stored position is not one this connector can continue from.")
        if "log" in place and asked.since is not None:
            return self._logged(asked.since)
        if "job" in place:
            return self._of_job(asked, place)
        if asked.after is None and self._is_large(asked):
            job = self._bulk.start(self._what.soql(self._what.columns))
            return self._of_job(asked, {"job": job, "at": ""})
        return self._by_id(asked, str(place.get("id", "")))

    def _by_id(self, asked: Asked, last: str) -> Part:
        where = [*([f"Id > {soql_text(last)}"] if last else []), *bounds(asked.since, asked.until)]
        rows, more, response = self._query(
            self._what.columns, where, min(asked.size, LARGEST_PAGE), "/queryAll" if asked.changes else "/query"
        )
        following: Any = {"id": str(rows[-1]["Id"])} if more else {"log": True} if asked.changes else None
        return self._made(rows, response, following)

    def _query(
        self, columns: Sequence[str], where: Sequence[str], size: int, path: str = "/query"
    ) -> tuple[list[dict[str, Any]], bool, Response]:
        """Rows by ascending id, whether there are more, and the answer. A page may hold fewer rows than asked for."""
        soql = self._what.soql(columns, where, f" ORDER BY Id LIMIT {size}")
        try:
            response = self._client.get(path, params={"q": soql})
        except StreamBroken:
            self._what.forget()  # a field may have gone since it was described
            raise
        found = response.json(lenient=True)
        rows = found.get("records") if isinstance(found, Mapping) else None
        good = isinstance(rows, list) and all(isinstance(r, dict) and isinstance(r.get("Id"), str) for r in rows)
        if not good or not isinstance(found.get("done"), bool):
            raise StreamBroken(
                "{connection}: Salesforce answered a query without rows or their ids.",
                connection=self._client.connection,
            )
        assert isinstance(rows, list)  # noqa: S101 - seen above; mypy does not
        return rows, bool(rows) and (not found["done"] or len(rows) >= size), response

    def _is_large(self, asked: Asked) -> bool:
        if not self._bulk_from or asked.since is not None or asked.until is not None:
            return False
        found = self._client.get("/query", params={"q": self._what.soql(["COUNT()"])}).json(lenient=True)
        count = found.get("totalSize") if isinstance(found, Mapping) else None
        return isinstance(count, int) and count >= self._bulk_from

    def _of_job(self, asked: Asked, place: Mapping[str, Any]) -> Part:
        """The next part of a job's results; where the job is lost, everything from the start, by ascending id."""
        job, at, began = str(place["job"]), str(place.get("at", "")), self._client.now()
        try:
            if not at and not self._bulk.ready(job):
                return Part(began, {"job": job, "at": "", "wait": int(place.get("wait", 0)) + 1})
            rows, following, response = self._bulk.part(job, at, max(asked.size, 1))
        except StreamBroken:
            return self._by_id(asked, "")
        records = [{name: typed(row.get(name), self._what.types.get(name, "string")) for name in row} for row in rows]
        made = self._made(records, response, {"job": job, "at": following} if following else None)
        return Part(min(began, made.clock), made.next, made.records, made.deleted, total=None)

    def _logged(self, since: datetime) -> Part:
        """What the delete log tells, without rows that are back."""
        until = self._client.now()
        start = min(max(since, until - timedelta(days=LOG_DAYS)), until - timedelta(minutes=5))
        params = {"start": soql_stamp(start), "end": soql_stamp(until)}
        try:
            found = self._client.get(f"/sobjects/{self._what.kind.name}/deleted/", params=params).json(lenient=True)
            rows = found.get("deletedRecords") if isinstance(found, Mapping) else None
            told = [long_id(row["id"]) for row in rows or [] if isinstance(row, Mapping) and _plain(row.get("id"))]
            alive = self._alive(told)
            gone = [key for key in dict.fromkeys(told) if key not in alive]
        except (StreamBroken, PermissionMissing, BadConfiguration):
            gone = []  # the sweep finds them
        return Part(until, None, deleted=gone)

    def _alive(self, told: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(told), IDS_AT_ONCE):
            wanted = ",".join(soql_text(key) for key in told[start : start + IDS_AT_ONCE])
            rows, _, _ = self._query(["Id"], [f"Id IN ({wanted})"], LARGEST_PAGE)
            found |= {str(row["Id"]) for row in rows}
        return found

    # --- rows

    def _made(self, rows: Sequence[dict[str, Any]], response: Response, following: Any) -> Part:
        deleted = [str(row["Id"]) for row in rows if row.get("IsDeleted") is True]
        records = [_record(row) for row in rows if row.get("IsDeleted") is not True]
        return Part(self._client.clock(response), following, records, deleted)


def _plain(key: Any) -> bool:
    return isinstance(key, str) and key.isalnum()


def _record(row: Mapping[str, Any]) -> Record:
    body = {name: value for name, value in row.items() if name != "attributes"}
    stamp = parse_stamp(body.get("SystemModstamp"))
    return Record(
        str(row["Id"]), orjson.dumps(body, option=orjson.OPT_SORT_KEYS), None if stamp is None else iso(stamp)
    )


def long_id(key: str) -> str:
    """The id in 18 characters: three that tell the case of the first 15 are added where they are missing."""
    if len(key) != 15:
        return key
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    groups = (key[start : start + 5] for start in (0, 5, 10))
    return key + "".join(letters[sum(1 << i for i, char in enumerate(group) if char.isupper())] for group in groups)
