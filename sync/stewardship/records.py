"""Finding what a steward names: source records by address, customers by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from mappings.contract import RecordKey, seniority
from sync.master import streams
from sync.master.bulk import Bulk, Row, bulk_for
from sync.master.identity import parse_public_id, public_id
from sync.master.streams import StreamRef
from sync.stewardship.errors import UnknownCustomer, UnknownRecord

_COLUMNS = "s.id, s.stream_id, s.source_id, s.part, s.canonical, x.customer_id"
_JOIN = "source_record s JOIN crosswalk x ON x.record_id = s.id"


class SourceRef(NamedTuple):
    """A live source record with the customer it is in."""

    id: int
    stream: StreamRef
    source_id: str
    part: str
    canonical: Mapping[str, Any]
    customer_id: int

    @property
    def key(self) -> RecordKey:
        """Its key, by which it is ranked."""
        return self.stream.key(self.source_id, self.part)

    @property
    def address(self) -> str:
        """How people write it: CONNECTION/STREAM/KEY, a part of a record with ``#`` and its name."""
        return address(self.stream, self.source_id, self.part)


class CustomerRef(NamedTuple):
    """An active customer and its source records, senior first."""

    id: int
    kind: str
    name: str | None
    golden: Mapping[str, Any]
    records: tuple[SourceRef, ...]

    @property
    def public_id(self) -> str:
        """The id as people and systems see it."""
        return public_id(self.id)


def address(stream: StreamRef, source_id: str, part: str = "") -> str:
    """A source record's address as one word."""
    return f"{stream.connection}/{stream.name}/{source_id}{'#' + part if part else ''}"


def find_record(connection: Connection, text: str) -> SourceRef:
    """The live record of an address. Raises UnknownRecord for none, or one that no customer holds (yet)."""
    words = text.split("/", 2)
    if len(words) == 3:
        directory = streams.load(connection)
        wanted = [ref.id for ref in directory.values() if (ref.connection, ref.name) == (words[0], words[1])]
        key, hash_sign, part = words[2].rpartition("#")
        for source_id, of in [(words[2], ""), (key, part)][: 2 if hash_sign else 1]:
            rows = bulk_for(connection).fetch(
                f"SELECT {_COLUMNS} FROM {_JOIN} WHERE s.stream_id {{ints}} "  # noqa: S608 - fixed columns
                "AND s.source_id = ? AND s.part = ? AND s.deleted_at IS NULL",
                wanted,
                _storable(source_id),
                _storable(of),
            )
            if rows:
                return _ref(rows[0], directory)
    raise UnknownRecord("No customer has a source record {record}.", record=text[:200])


def find_customer(connection: Connection, text: str) -> CustomerRef:
    """The active customer that an id stands for, today's or an older one. Raises UnknownCustomer."""
    number = parse_public_id(text)
    if number is not None:
        bulk = bulk_for(connection)
        alias = bulk.fetch("SELECT customer_id FROM customer_alias WHERE old_id = ?", number)
        found = customers(connection, [alias[0][0] if alias else number])
        if found:
            return found[0]
    raise UnknownCustomer("There is no customer {id}.", id=text[:200])


def customers(connection: Connection, customer_ids: Iterable[int]) -> list[CustomerRef]:
    """The active customers among the ids with their records, by id."""
    bulk, wanted = bulk_for(connection), sorted(set(customer_ids))
    rows = bulk.fetch(
        "SELECT id, kind, name, golden FROM customer WHERE id {ints} AND status = 'active' ORDER BY id", wanted
    )
    members = _members(connection, bulk, [row[0] for row in rows])
    return [CustomerRef(row[0], row[1], row[2], orjson.loads(row[3]), tuple(members[row[0]])) for row in rows]


def customers_of(connection: Connection, record_ids: Iterable[int]) -> list[CustomerRef]:
    """The customers that hold the records now, by id."""
    rows = bulk_for(connection).fetch(
        "SELECT DISTINCT customer_id FROM crosswalk WHERE record_id {ints}", sorted(set(record_ids))
    )
    return customers(connection, [row[0] for row in rows])


def addresses(connection: Connection, record_ids: Iterable[int]) -> dict[int, str]:
    """The addresses of records, of those too that are gone."""
    directory = streams.load(connection)
    rows = bulk_for(connection).fetch(
        "SELECT id, stream_id, source_id, part FROM source_record WHERE id {ints}", sorted(set(record_ids))
    )
    return {row[0]: address(directory[row[1]], row[2], row[3]) for row in rows}


def _members(connection: Connection, bulk: Bulk, customer_ids: list[int]) -> dict[int, list[SourceRef]]:
    directory = streams.load(connection)
    rows = bulk.fetch(
        f"SELECT {_COLUMNS} FROM crosswalk x JOIN source_record s ON s.id = x.record_id "  # noqa: S608
        "WHERE x.customer_id {ints}",
        customer_ids,
    )
    members: dict[int, list[SourceRef]] = {number: [] for number in customer_ids}
    for ref in sorted((_ref(row, directory) for row in rows), key=lambda ref: seniority(ref.key)):
        members[ref.customer_id].append(ref)
    return members


def _ref(row: Row, directory: Mapping[int, StreamRef]) -> SourceRef:
    return SourceRef(row[0], directory[row[1]], row[2], row[3], orjson.loads(row[4] or "{}"), row[5])


def _storable(text: str) -> str:
    """Text that any database can be asked for; what is no text is never found."""
    return text.encode(errors="replace").decode().replace("\x00", "\ufffd")
