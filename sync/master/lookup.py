"""Looking customers up for programs: pages in a stable order, and the crosswalk, single and in bulk.

Rows carry the golden record as the JSON text it is stored as, so that it can be sent without being parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sync.master.bulk import bulk_for
from sync.master.identity import parse_public_id, public_id
from sync.master.streams import load as load_streams


class CustomerRow(NamedTuple):
    """A customer as stored; ``golden`` is JSON text, ``changed_at`` as the driver gives it."""

    id: int
    version: int
    status: str
    kind: str
    name: str | None
    golden: str
    members: int
    changed_at: Any


class Address(NamedTuple):
    """What names a source record from outside."""

    connection: str
    stream: str
    source_id: str
    part: str = ""


COLUMNS = "c.id, c.version, c.status, c.kind, c.name, c.golden, c.members, c.changed_at"


def customer(connection: Connection, customer_id: str) -> tuple[CustomerRow | None, int | None]:
    """The row an id stands for, and its number if the id is an older one; (None, None) for an id never issued."""
    number = parse_public_id(customer_id)
    if number is None:
        return None, None
    bulk = bulk_for(connection)
    rows = bulk.fetch(f"SELECT {COLUMNS} FROM customer c WHERE c.id = ?", number)  # noqa: S608 - fixed columns
    if rows and rows[0][2] != "merged":
        return CustomerRow(*rows[0]), None
    led = bulk.fetch(
        f"SELECT {COLUMNS} FROM customer_alias a JOIN customer c ON c.id = a.customer_id WHERE a.old_id = ?",  # noqa: S608
        number,
    )
    if led:
        return CustomerRow(*led[0]), number
    return (CustomerRow(*rows[0]), None) if rows else (None, None)


def customers(
    connection: Connection, *, status: str = "active", after: int | None = None, limit: int = 50
) -> list[CustomerRow]:
    """Customers in order of id, after an id."""
    statement = f"SELECT {COLUMNS} FROM customer c WHERE c.status = ? AND c.id > ? ORDER BY c.id LIMIT ?"  # noqa: S608
    rows = bulk_for(connection).fetch(statement, status, -1 if after is None else after, limit)
    return [CustomerRow(*row) for row in rows]


def owners(connection: Connection, addresses: Sequence[Address]) -> dict[Address, str]:
    """The customers that source records belong to: the crosswalk, in one query a stream."""
    bulk, found = bulk_for(connection), {}
    for (ref_id, name, stream), wanted in _by_stream(connection, addresses).items():
        rows = bulk.fetch(
            "SELECT s.source_id, s.part, x.customer_id FROM source_record s JOIN crosswalk x ON x.record_id = s.id "
            "WHERE s.stream_id = ? AND s.source_id {texts}",
            ref_id,
            sorted({address.source_id for address in wanted}),
        )
        for source_id, part, number in rows:
            found[Address(name, stream, source_id, part)] = public_id(number)
    return {address: found[address] for address in addresses if address in found}


def moment(value: Any) -> datetime | str:
    """A stored moment ready for JSON, whichever way the driver gave it."""
    return f"{value.replace(' ', 'T')}Z" if type(value) is str else value


def _by_stream(connection: Connection, addresses: Sequence[Address]) -> dict[tuple[int, str, str], list[Address]]:
    numbers = {(ref.connection, ref.name): ref.id for ref in load_streams(connection).values()}
    grouped: dict[tuple[int, str, str], list[Address]] = {}
    for address in addresses:
        number = numbers.get((address.connection, address.stream))
        if number is not None:
            grouped.setdefault((number, address.connection, address.stream), []).append(address)
    return grouped
