"""The customers of one moment: read page by page in one snapshot of the database, in order of id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from sync.errors import NotFound
from sync.exporting.request import Request
from sync.master.bulk import Bulk, bulk_for
from sync.master.identity import public_id
from sync.master.streams import StreamRef
from sync.master.streams import load as load_streams

PAGE = 1_000


class Row(NamedTuple):
    """One customer; ``golden`` is JSON text. ``joined`` and ``former_ids`` are empty unless they are asked for."""

    number: int
    version: int
    status: str
    kind: str
    name: str | None
    golden: str
    members: int
    changed_at: Any
    joined: list[list[str]]
    former_ids: list[str]


class _Tagged(msgspec.Struct):
    tags: list[str] = []


_TAGS = msgspec.json.Decoder(_Tagged)
_COLUMNS = "c.id, c.version, c.status, c.kind, c.name, c.golden, c.members, c.changed_at"


class Source:
    """The customers that a request asks for, in a reading transaction of the caller's. Raises NotFound."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._bulk: Bulk = bulk_for(connection)
        self._streams = load_streams(connection)
        self._request = request
        self._where, self._values = self._condition()

    def expected(self) -> int | None:
        """How many there are; None if that takes reading them all."""
        if self._request.tag is not None:
            return None
        counted = self._bulk.fetch(f"SELECT count(*) FROM customer c WHERE {self._where}", *self._values)  # noqa: S608
        return int(counted[0][0])

    def pages(self) -> Iterator[list[Row]]:
        """All of them, some at a time."""
        statement = f"SELECT {_COLUMNS} FROM customer c WHERE {self._where} AND c.id > ? ORDER BY c.id LIMIT ?"  # noqa: S608
        after, full = -1, True
        while full:
            rows = self._bulk.fetch(statement, *self._values, after, PAGE)
            full = len(rows) == PAGE
            if rows:
                after = rows[-1][0]
                yield self._completed([row for row in rows if self._fits(row[5])])

    def _fits(self, golden: str) -> bool:
        tag = self._request.tag
        return tag is None or tag in _TAGS.decode(golden).tags

    def _completed(self, rows: list[tuple[Any, ...]]) -> list[Row]:
        chosen, numbers = self._request.chosen, [row[0] for row in rows]
        joined = _joined(self._bulk, self._streams, numbers) if "joined" in chosen else {}
        former = _former(self._bulk, numbers) if "former_ids" in chosen else {}
        return [Row._make((*row, joined.get(row[0], []), former.get(row[0], []))) for row in rows]

    def _condition(self) -> tuple[str, list[Any]]:
        request = self._request
        parts, values = ["c.status = ?"], [request.status]
        if request.kind is not None:
            parts.append("c.kind = ?")
            values.append(request.kind)
        if request.connection is not None:
            parts.append(
                "EXISTS (SELECT 1 FROM crosswalk x JOIN source_record s ON s.id = x.record_id "
                "WHERE x.customer_id = c.id AND s.stream_id {ints})"
            )
            values.append(self._streams_of(request.connection))  # type: ignore[arg-type]
        return " AND ".join(parts), values

    def _streams_of(self, name: str) -> list[int]:
        found = [ref.id for ref in self._streams.values() if ref.connection == name]
        if not found:
            raise NotFound("There is no connection {name}.", name=name[:80])
        return found


def moment(value: Any) -> str:
    """A stored moment as ISO 8601 in UTC, the same from both databases."""
    text = value.isoformat("T", "microseconds") if isinstance(value, datetime) else str(value).replace(" ", "T")
    return f"{text.removesuffix('+00:00')}Z"


def _joined(bulk: Bulk, streams: dict[int, StreamRef], numbers: list[int]) -> dict[int, list[list[str]]]:
    rows = bulk.fetch(
        "SELECT x.customer_id, s.stream_id, s.source_id, s.part FROM crosswalk x "
        "JOIN source_record s ON s.id = x.record_id WHERE x.customer_id {ints} "
        "ORDER BY s.stream_id, s.source_id, s.part",
        numbers,
    )
    found: dict[int, list[list[str]]] = {}
    for number, stream_id, source_id, part in rows:
        ref = streams[stream_id]
        found.setdefault(number, []).append([ref.connection, ref.name, source_id, part])
    return found


def _former(bulk: Bulk, numbers: list[int]) -> dict[int, list[str]]:
    rows = bulk.fetch(
        "SELECT customer_id, old_id FROM customer_alias WHERE customer_id {ints} ORDER BY old_id", numbers
    )
    found: dict[int, list[str]] = {}
    for number, old in rows:
        found.setdefault(number, []).append(public_id(old))
    return found
