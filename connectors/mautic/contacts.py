"""Reading contacts by ascending id; changes in two passes, since a contact never edited has no date of modification.

Positions: ``{"pass": name of the date field or "", "id": last id}``; where this Mautic ignores the filter by id,
``{"pass": …, "start": offset}``. A filter by date that it refuses is left out: then all is read, and nothing lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.contract import Page, Read, Record
from connectors.errors import CursorExpired, StreamBroken
from connectors.incremental import first_stamp, iso, parse_stamp
from connectors.keyed import Asked, Part, keyed_pages
from connectors.mautic.client import MauticClient, told_by
from connectors.response import Response
from connectors.statuses import error_of

LOOKBACK = 600
COARSE = 1
LARGEST_PAGE = 200
OVERLAP = 20
"""Rows that pages by offset share, so that rows that move up when others go are not passed by."""
ZONES = timedelta(hours=14)
"""In which zone a filter's time is read is not documented: it is set back by the largest offset there is."""
PASSES = ("dateModified", "dateAdded")
_ZONED = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")
KNOWN_ONLY = "!is:anonymous"
_UNKNOWN_COLUMN = frozenset({400, 500})
"""What Mautic answers to a filter by a column that it has not; which, is not documented."""


class Contacts:
    """The identified contacts of one Mautic."""

    def __init__(self, client: MauticClient) -> None:
        self._client = client
        self._unfiltered = False

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.keyed``."""
        yield from keyed_pages(request, self._part, lookback=LOOKBACK, coarse=COARSE)

    def ids(self) -> Iterator[list[str]]:
        """The ids of all identified contacts."""
        place: dict[str, Any] | None = {"pass": "", "id": 0}
        while place is not None:
            rows, place, _ = self._rows(place, None, LARGEST_PAGE, minimal=True)
            yield [str(row["id"]) for row in rows]

    def _part(self, asked: Asked) -> Part:
        first = {"pass": PASSES[0] if asked.changes else "", "id": 0}
        place = first if asked.after is None else asked.after
        if not isinstance(place, Mapping) or "pass" not in place:
            raise CursorExpired("The stored position is not one this connector can continue from.")
        size = max(1, min(asked.size, LARGEST_PAGE))
        rows, following, response = self._rows(dict(place), asked.since if asked.changes else None, size)
        if following is None and place["pass"] == PASSES[0]:
            following = {"pass": PASSES[1], "id": 0}
        kept = [row for row in rows if not (asked.changes and asked.since and _older(row, asked.since))]
        return Part(self._client.clock(response), following, [record_of(row) for row in kept])

    def _rows(
        self, place: dict[str, Any], since: datetime | None, size: int, *, minimal: bool = False
    ) -> tuple[list[dict[str, Any]], dict[str, Any] | None, Response]:
        by_offset = {"pass": place["pass"], "start": 0}
        try:
            rows, response = self._fetch(place, since, size, minimal=minimal)
        except StreamBroken:
            if not place.get("id"):
                raise
            return self._rows(by_offset, since, size, minimal=minimal)  # the filter by id is refused
        if not rows:
            return [], None, response
        if "start" in place:
            step = max(1, len(rows) - min(OVERLAP, len(rows) // 2))
            ended = (len(rows) < 2 and place["start"] > 0) or place["start"] + len(rows) >= _total(response)
            return rows, None if ended else {"pass": place["pass"], "start": place["start"] + step}, response
        if min(int(row["id"]) for row in rows) <= place["id"]:  # the filter by id is not obeyed
            return self._rows(by_offset, since, size, minimal=minimal)
        return rows, {"pass": place["pass"], "id": max(int(row["id"]) for row in rows)}, response

    def _fetch(
        self, place: Mapping[str, Any], since: datetime | None, size: int, *, minimal: bool
    ) -> tuple[list[dict[str, Any]], Response]:
        terms = [("id", "gt", str(place["id"]))] if place.get("id") else []
        if since is not None and place["pass"] and not self._unfiltered:
            terms.append((place["pass"], "gte", _stamp(since - ZONES)))
        params: dict[str, Any] = {"limit": size, "start": place.get("start", 0), "orderBy": "id", "orderByDir": "asc",
                                  "search": KNOWN_ONLY} | ({"minimal": "true"} if minimal else {})  # fmt: skip
        for number, (column, expression, value) in enumerate(terms):
            params |= {f"where[{number}][col]": column, f"where[{number}][expr]": expression,
                       f"where[{number}][val]": value}  # fmt: skip
        response = self._client.get("/contacts", params, _UNKNOWN_COLUMN if terms else frozenset())
        if response.ok:
            return listed(response), response
        if since is None or self._unfiltered:
            raise StreamBroken(
                "{connection}: Mautic refused the query: {reason}",
                connection=response.connection,
                reason=response.excerpt().removeprefix(": "),
            )
        self._unfiltered = True
        return self._fetch(place, None, size, minimal=minimal)


def _total(response: Response) -> float:
    """How many contacts Mautic counts (a text); infinitely many where it does not tell."""
    found = response.json(lenient=True)
    told = str(found.get("total", "")) if isinstance(found, Mapping) else ""
    return int(told) if told.isdecimal() else float("inf")


def listed(response: Response) -> list[dict[str, Any]]:
    """The contacts of an answer: an object by id, or a list (PHP writes an empty object as one)."""
    found = response.json(lenient=True)
    rows = found.get("contacts") if isinstance(found, Mapping) else None
    rows = list(rows.values()) if isinstance(rows, Mapping) else rows
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and str(row.get("id", "")).isdecimal() for row in rows
    ):
        raise StreamBroken(
            "{connection}: Mautic answered no list of contacts.",
            connection=response.connection,
            remedy="Check that the address is that of Mautic itself, without a path.",
        )
    return rows


def one(client: MauticClient, key: str) -> Mapping[str, Any] | None:
    """One contact; None where Mautic itself says that there is none."""
    response = client.get(f"/contacts/{key}", allow=frozenset({404}))
    if response.status == 404:
        if told_by(response) is None:  # of something in front of Mautic, or an address without the interface
            raise error_of(response, read=True)
        return None
    found = response.json(lenient=True)
    row = found.get("contact") if isinstance(found, Mapping) else None
    if not isinstance(row, Mapping) or str(row.get("id")) != key:
        raise StreamBroken("{connection}: Mautic answered no contact.", connection=response.connection)
    return row


def is_anonymous(row: Mapping[str, Any]) -> bool:
    """Whether a contact is a visitor whom nobody knows."""
    return "dateIdentified" in row and not row["dateIdentified"]


def record_of(row: Mapping[str, Any]) -> Record:
    """A contact as a record; of its fields only the plain values are kept, which Mautic shows twice."""
    fields = row.get("fields")
    plain = fields.get("all") if isinstance(fields, Mapping) else None
    body = {**row, "fields": {"all": plain if isinstance(plain, Mapping) else {}}}
    stamp = first_stamp(row.get("dateModified"), row.get("dateAdded"))
    content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Record(str(row["id"]), content, None if stamp is None else iso(stamp))


def _older(row: Mapping[str, Any], since: datetime) -> bool:
    """Whether the contact was surely changed before: only a stamp that names its zone says so."""
    told = str(row.get("dateModified") or row.get("dateAdded") or "")
    stamp = parse_stamp(told) if _ZONED.search(told) else None
    return stamp is not None and stamp < since


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
