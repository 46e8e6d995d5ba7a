"""Customers that stand in the same source records: a company, and the people its systems name as its contacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from sync.master import queries
from sync.master.bulk import bulk_for
from sync.master.identity import parse_public_id, public_id

_FAMILY = """
SELECT s.id FROM source_record s WHERE s.parent_id {ints}
UNION SELECT s.id FROM source_record s WHERE s.id {ints}
"""

Address = tuple[str, str, str, str]
"""Connection, stream, key and part of a source record; the part may be empty."""


class Relative(NamedTuple):
    """A customer from the same source records; ``role`` is what it is there, e.g. purchasing."""

    id: str
    kind: str
    name: str | None
    role: str


def relatives(connection: Connection, customer_id: str, limit: int = 50) -> list[Relative]:
    """The customers that share a source record with a customer, by name. An id that was never issued has none."""
    number, bulk = parse_public_id(customer_id), bulk_for(connection)
    own = bulk.fetch(
        "SELECT s.id, s.parent_id FROM crosswalk x JOIN source_record s ON s.id = x.record_id WHERE x.customer_id = ?",
        number,
    )
    roots = sorted({row[0] for row in own} | {row[1] for row in own if row[1] is not None})
    family = [row[0] for row in bulk.fetch(_FAMILY, roots, roots)] if roots else []
    rows = bulk.fetch(
        "SELECT DISTINCT c.id, c.kind, c.name, c.golden FROM crosswalk x JOIN customer c ON c.id = x.customer_id "
        "WHERE x.record_id {ints} AND c.status = 'active' AND c.id <> ? ORDER BY c.name, c.id LIMIT ?",
        sorted(family),
        number,
        limit,
    )
    return [Relative(public_id(row[0]), row[1], row[2], _role(row[3])) for row in rows]


def organisations(connection: Connection, goldens: Iterable[Mapping[str, Any]]) -> dict[Address, queries.CustomerView]:
    """The organisations that golden records name as theirs, by the address of the source record that names each."""
    named = [golden.get("organisation") or {} for golden in goldens]
    addresses = {_address(one) for one in named if one.get("source_id")}
    found = {address: queries.by_source(connection, *address) for address in sorted(addresses)}
    return {address: one for address, one in found.items() if one is not None}


def _address(organisation: Mapping[str, Any]) -> Address:
    connection, stream, source_id, part = (str(organisation.get(name) or "") for name in _ADDRESS)
    return connection, stream, source_id, part


_ADDRESS = ("connection", "stream", "source_id", "part")


def _role(golden: str) -> str:
    organisation = orjson.loads(golden).get("organisation") or {}
    return str(organisation.get("role", ""))
