"""The address book of a Google account, over the People API with sync tokens.

A full read ends with a token that later reads give back; they are told what changed and what was deleted. Whether the
token counts from the beginning or the end of the read is not promised: after a read of several pages, what was
changed since it began is read again. A token lives seven days; then a full read follows.

The cursor: ``sync`` (the token), ``size`` (of pages: it must stay the same), and while a read is under way ``page``
(the next page's token) and ``began``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.contract import Mode, Page, Read, Record
from connectors.errors import CursorExpired, StreamBroken
from connectors.gmail.client import GoogleClient, answered, listed
from connectors.incremental import iso, parse_stamp
from connectors.paging import cursor_pages

FIELDS = (
    "names,nicknames,emailAddresses,phoneNumbers,addresses,organizations,birthdays,urls,memberships,biographies,"
    "metadata"
)
LARGEST = 1000
LOOKBACK = 300
"""Seconds before the beginning of a read that are looked at again after it."""
_PATH = "v1/people/me/connections"
_REFUSED = (400, 404, 410)


class AddressBook:
    """Reads one account's contacts."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    def sample(self, size: int) -> list[dict[str, Any]]:
        """A few contacts: the proof that they may be read."""
        params = {"personFields": FIELDS, "pageSize": size}
        return listed(answered(self._client.get(_PATH, params=params)), "connections")

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in Google's order."""
        cursor = _stored(request)
        if cursor and not (cursor.get("page") or request.mode is Mode.INCREMENTAL):
            yield Page([], cursor)  # the read was finished
            return
        size = int(cursor.get("size") or max(1, min(request.page_size, LARGEST)))
        began, here = parse_stamp(cursor.get("began")), cursor.get("page")
        for answer, following in self._pages(cursor.get("sync"), here, size):
            began = began or self._client.context.now()
            place = {"sync": cursor.get("sync"), "size": size, "began": iso(began)}
            if following is not None:
                yield self._page(answer, place | {"page": following})
            elif here is None:
                yield self._page(answer, _done(answer, size))
            else:
                yield self._page(answer, place | {"page": here})
                for part in _parts(list(self._changed_since(began)), size):
                    yield self._page({"connections": part}, place | {"page": here})
                yield Page([], _done(answer, size))
            here = following

    def ids(self) -> Iterator[list[str]]:
        """The names of all contacts."""
        params = {"personFields": "metadata", "pageSize": LARGEST}
        for answer in self._listed(params, None):
            yield [_key(person) for person in listed(answer, "connections")]

    # --- pages

    def _pages(self, sync: str | None, page: str | None, size: int) -> Iterator[tuple[dict[str, Any], str | None]]:
        params = {"personFields": FIELDS, "pageSize": size, "requestSyncToken": "true", "syncToken": sync}
        for answer in self._listed(params, page):
            yield answer, answer.get("nextPageToken") or None

    def _listed(self, params: Mapping[str, Any], start: str | None) -> Iterator[dict[str, Any]]:
        def fetch(more: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
            placed = bool(params.get("syncToken") or more)
            response = self._client.get(_PATH, params={**params, **more}, allow=_REFUSED if placed else ())
            if not response.ok:
                raise CursorExpired(
                    "{connection}: Google Contacts no longer accepts our position{excerpt}",
                    connection=self._client.connection,
                    excerpt=response.excerpt(),
                )
            answer = answered(response)
            return listed(answer, "connections"), answer

        pages = cursor_pages(fetch, lambda answer: answer.get("nextPageToken"), param="pageToken", start=start)
        for batch in pages:
            yield batch.response

    def _changed_since(self, began: datetime) -> Iterator[dict[str, Any]]:
        """What was changed since a moment, newest first: such a list may be sorted, and needs no token."""
        params = {"personFields": FIELDS, "pageSize": 100, "sortOrder": "LAST_MODIFIED_DESCENDING"}
        oldest = began - timedelta(seconds=LOOKBACK)
        for answer in self._listed(params, None):
            for person in listed(answer, "connections"):
                stamp = _stamp(person)
                if stamp is not None and stamp < oldest:
                    return
                yield person

    def _page(self, answer: Mapping[str, Any], cursor: dict[str, Any]) -> Page:
        people = listed(answer, "connections")
        gone = [_key(person) for person in people if _metadata(person).get("deleted")]
        there = [_record(person) for person in people if not _metadata(person).get("deleted")]
        total = answer.get("totalItems")
        return Page(there, cursor, gone, total=total if isinstance(total, int) else None)


def _stored(request: Read) -> dict[str, Any]:
    cursor = dict(request.cursor or {})
    if request.mode is Mode.FULL and not request.resumed:
        return {}
    texts = [cursor.get(name) for name in ("sync", "page", "began")]
    known = not cursor or cursor.get("sync") or cursor.get("page")
    if not known or not all(text is None or isinstance(text, str) for text in texts):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    return cursor


def _done(answer: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Where the next read begins; at the beginning, if Google gave no token."""
    sync = answer.get("nextSyncToken")
    return {"sync": sync, "size": size} if isinstance(sync, str) and sync else {}


def _parts(people: Sequence[dict[str, Any]], size: int) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(people), size):
        yield people[start : start + size]


def _record(person: dict[str, Any]) -> Record:
    stamp = _stamp(person)
    body = orjson.dumps(person, option=orjson.OPT_SORT_KEYS)
    return Record(_key(person), body, None if stamp is None else iso(stamp))


def _key(person: Mapping[str, Any]) -> str:
    key = person.get("resourceName")
    if not isinstance(key, str) or not key:
        raise StreamBroken("Google Contacts answered a person without a name of its resource.")
    return key


def _metadata(person: Mapping[str, Any]) -> Mapping[str, Any]:
    found = person.get("metadata")
    return found if isinstance(found, dict) else {}


def _stamp(person: Mapping[str, Any]) -> datetime | None:
    """When the newest of the person's sources was changed."""
    stamps = [parse_stamp(source.get("updateTime")) for source in listed(_metadata(person), "sources")]
    return max((stamp for stamp in stamps if stamp is not None), default=None)
