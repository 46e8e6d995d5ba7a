"""One stream of a system that lists its records page by page, in no order that could be relied on.

A read goes to the end of the list before the change stamp moves, and then at most to where it began (see
``connectors.keyed``). Rows that have no key are rejected as unidentified, so that nothing is deleted after them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar

import orjson

from connectors.contract import Page, Read, Record, Rejected
from connectors.errors import ListingIncomplete, RecordRejected
from connectors.incremental import first_stamp, iso
from connectors.keyed import Asked, Part, keyed_pages
from connectors.response import Response

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One page: its rows, where the list goes on (None: nowhere), how many there are in all, when it was asked for.

    ``short``: the list ended before as many rows had come as the system counts.
    """

    rows: Sequence[Any]
    at: datetime
    next: Any = None
    total: int | None = None
    short: bool = False


class Listed(ABC):
    """One stream. ``stamps`` are the fields of the change stamp, the first that is one counts.

    Without a zone of their own they are in ``zone``; bodies hold the stamp as ``changed_at``, too, in UTC. ``lookback``
    is in seconds, ``largest`` the most rows of a page.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    stamps: ClassVar[Sequence[str]]
    lookback: ClassVar[int] = 300
    largest: ClassVar[int] = 500
    largest_of_keys: ClassVar[int] = 500
    mapping: ClassVar[str] = "mapping.yaml"
    zone: tzinfo = UTC

    @abstractmethod
    def pages(self, size: int, since: datetime | None, start: Any = None) -> Iterator[Found]:
        """All pages from a position on; with ``since`` only what changed then or later, as far as the system can."""

    @abstractmethod
    def key(self, row: Row) -> str:
        """The row's key. Raises ``RecordRejected`` where there is none."""

    def whole(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows with what the list leaves out; as they are, unless a system has more to tell."""
        return rows

    def key_pages(self) -> Iterator[Found]:
        """The pages of a listing that is made for its keys only."""
        return self.pages(self.largest_of_keys, None)

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order, as ``Connector.read`` promises."""
        size = max(1, min(request.page_size, self.largest))
        pages: Iterator[Found] | None = None

        def fetch(asked: Asked) -> Part:
            nonlocal pages
            pages = pages or self.pages(size, asked.since, asked.after)
            return self._part(next(pages), asked.until)

        return keyed_pages(request, fetch, lookback=self.lookback)

    def keys(self) -> Iterator[list[str]]:
        """All keys, page by page. Raises ``ListingIncomplete`` where some record cannot be named."""
        for found in self.key_pages():
            try:
                yield [self.key(_object(row)) for row in found.rows]
            except RecordRejected:
                raise ListingIncomplete("A record of the stream {stream} has no key.", stream=self.name) from None
            if found.short:
                raise ListingIncomplete(
                    "The system counts {total} records and shows fewer.",
                    total=found.total,
                    remedy="Give the user the right to see all of them; until then no deletes are looked for.",
                )

    def sample(self, size: int) -> list[bytes]:
        """The bodies of a few records."""
        found = next(iter(self.pages(size, None)), None)
        return [record.body for record in self.records(self.whole(found.rows[:size]))[0]] if found else []

    def records(self, rows: Sequence[Any]) -> tuple[list[Record], list[Rejected]]:
        """Rows as records; those without a key, or that cannot be written as JSON, apart."""
        records: list[Record] = []
        rejected: list[Rejected] = []
        for row in rows:
            try:
                records.append(self._record(_object(row)))
            except RecordRejected as reason:
                place = f"{self.name}#{len(records) + len(rejected)}"
                rejected.append(Rejected(place, repr(row)[:2000].encode(), reason, identified=False))
        return records, rejected

    def _part(self, found: Found, until: datetime | None) -> Part:
        records, rejected = self.records(self.whole(found.rows))
        if found.short:
            rejected.append(self._missing(found.total))
        kept = [record for record in records if _before(record, until)]
        return Part(found.at, found.next, kept, (), rejected, found.total)

    def _missing(self, total: int | None) -> Rejected:
        """Stands for the records that the system counts and does not show: nothing is deleted after such a read."""
        reason = RecordRejected(
            "The system counts {total} records and shows fewer.",
            total=total,
            remedy="Give the user the right to see all of them; until then no deletes are looked for.",
        )
        return Rejected(f"{self.name}#missing", b"", reason, identified=False)

    def changed(self, row: Row) -> datetime | None:
        """The row's change stamp."""
        return first_stamp(*(row.get(name) for name in self.stamps), zone=self.zone)

    def _record(self, row: Row) -> Record:
        key, stamp = self.key(row), self.changed(row)
        changed_at = None if stamp is None else iso(stamp)
        try:
            body = orjson.dumps({**row, "changed_at": changed_at}, option=orjson.OPT_SORT_KEYS)
        except (orjson.JSONEncodeError, RecursionError) as error:
            raise RecordRejected("The record is not valid JSON: {reason}.", reason=str(error)[:200]) from None
        return Record(key, body, changed_at)


def asked_at(response: Response, now: datetime) -> datetime:
    """The time by the system's clock, or else ours, before it began to answer."""
    return (response.date or now) - timedelta(seconds=response.elapsed)


def _object(row: Any) -> Row:
    if not isinstance(row, dict):
        raise RecordRejected("The record is not a JSON object.", rule="object")
    return row


def _before(record: Record, until: datetime | None) -> bool:
    return until is None or record.changed_at is None or record.changed_at < iso(until)
