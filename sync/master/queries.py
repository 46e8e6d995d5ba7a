"""Reading the master: one customer, a search, the totals, the change feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, func, or_, select

from sync.master import tally
from sync.master.identity import parse_public_id, public_id
from sync.master.streams import StreamRef
from sync.master.streams import load as load_streams
from sync.master.tables import change, crosswalk, customer, customer_alias, landing, source_record

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source record of a customer."""

    connection: str
    stream: str
    source_id: str
    part: str
    changed_at: str | None
    canonical: dict[str, Any]
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer as stored. ``asked`` is the id that was asked for, if it is an older one."""

    id: str
    status: str
    version: int
    kind: str
    name: str | None
    golden: dict[str, Any]
    members: int
    changed_at: datetime
    asked: str | None = None
    sources: Sequence[SourceView] = field(default_factory=tuple)


class ChangeView(NamedTuple):
    """One event of the change feed; ``cause`` tells why (see ``sync.master.cause``), where that was noted."""

    seq: int
    customer: str
    type: str
    version: int
    body: dict[str, Any]
    at: datetime
    cause: dict[str, Any] | None = None


class Stats(NamedTuple):
    """The size of the master, and what awaits RESOLVE."""

    customers: int
    source_records: int
    shared: int
    pending: int
    last_change: int
    by_stream: dict[tuple[str, str], int]


def get(connection: Connection, customer_id: str, *, with_sources: bool = True) -> CustomerView | None:
    """The customer an id stands for, today's or any that was ever issued; None for an id never issued."""
    number = parse_public_id(customer_id)
    if number is None:
        return None
    current = _follow(connection, number)
    row = connection.execute(select(customer).where(customer.c.id == current)).one_or_none()
    if row is None:
        return None
    sources = tuple(sources_of(connection, current)) if with_sources else ()
    asked = public_id(number) if number != current else None
    return _view(row, asked=asked, sources=sources)


def by_source(
    connection: Connection, connection_name: str, stream: str, source_id: str, part: str = ""
) -> CustomerView | None:
    """The customer that a source record belongs to: the crosswalk, read from outside."""
    wanted = {
        ref.id for ref in load_streams(connection).values() if (ref.connection, ref.name) == (connection_name, stream)
    }
    found = connection.execute(
        select(crosswalk.c.customer_id)
        .join(source_record, source_record.c.id == crosswalk.c.record_id)
        .where(
            source_record.c.stream_id.in_(wanted),
            source_record.c.source_id == source_id,
            source_record.c.part == part,
        )
    ).scalar_one_or_none()
    return None if found is None else get(connection, public_id(found))


def search(connection: Connection, text: str, limit: int = 50, after: str | None = None) -> list[CustomerView]:
    """Active customers whose name, contacts or numbers contain the text, or whose id it is; in order of id."""
    number = parse_public_id(text)
    if number is not None:
        found = get(connection, text, with_sources=False)
        return [found] if found else []
    statement = _active_after(after).limit(min(limit, MAX_LIMIT))
    for word in text.split():
        pattern = f"%{_escaped(word)}%"
        statement = statement.where(
            or_(customer.c.name.ilike(pattern, escape="\\"), customer.c.golden.ilike(pattern, escape="\\"))
        )
    return [_view(row) for row in connection.execute(statement)]


def stats(connection: Connection) -> Stats:
    """Totals for the overview and for ``kehu master stats``."""
    known, streams = tally.read(connection), load_streams(connection)
    by_stream = {(streams[number].connection, streams[number].name): count for number, count in known.records.items()}
    pending = connection.execute(select(func.coalesce(func.sum(landing.c.records), 0))).scalar_one()
    last = connection.execute(select(func.coalesce(func.max(change.c.seq), 0))).scalar_one()
    return Stats(known.customers, sum(by_stream.values()), known.shared, pending, last, by_stream)


def changes(connection: Connection, after: int = 0, limit: int = 100) -> list[ChangeView]:
    """Events of the feed after a position, in commit order without gaps."""
    rows = connection.execute(
        select(change).where(change.c.seq > after).order_by(change.c.seq).limit(min(limit, MAX_LIMIT))
    )
    return [_change(row) for row in rows]


def history(connection: Connection, customer_id: str, limit: int = 50, before: int | None = None) -> list[ChangeView]:
    """The latest events of one customer, newest first; ``before`` a number to page on."""
    mine = change.c.customer_id == parse_public_id(customer_id)
    earlier = mine if before is None else mine & (change.c.seq < before)
    rows = connection.execute(select(change).where(earlier).order_by(change.c.seq.desc()).limit(limit))
    return [_change(row) for row in rows]


def latest_changes(connection: Connection, limit: int = 50, before: int | None = None) -> list[ChangeView]:
    """The latest events of all customers, newest first; ``before`` a number to page on."""
    statement = select(change).order_by(change.c.seq.desc()).limit(min(limit, MAX_LIMIT))
    return [
        _change(row)
        for row in connection.execute(statement if before is None else statement.where(change.c.seq < before))
    ]


def _change(row: Any) -> ChangeView:
    why = None if row.cause is None else orjson.loads(row.cause)
    return ChangeView(row.seq, public_id(row.customer_id), row.type, row.version, orjson.loads(row.body), row.at, why)


def _active_after(after: str | None) -> Select[Any]:
    statement = select(customer).where(customer.c.status == "active").order_by(customer.c.id)
    number = parse_public_id(after) if after else None
    return statement if number is None else statement.where(customer.c.id > number)


def _follow(connection: Connection, number: int) -> int:
    target = connection.execute(
        select(customer_alias.c.customer_id).where(customer_alias.c.old_id == number)
    ).scalar_one_or_none()
    return number if target is None else target


def sources_of(connection: Connection, customer_id: int) -> list[SourceView]:
    """The source records of a customer, by its number."""
    streams = load_streams(connection)
    rows = connection.execute(
        select(source_record)
        .join(crosswalk, crosswalk.c.record_id == source_record.c.id)
        .where(crosswalk.c.customer_id == customer_id)
        .order_by(source_record.c.stream_id, source_record.c.source_id, source_record.c.part)
    )
    return [_source_view(row, streams[row.stream_id]) for row in rows]


def _source_view(row: Any, stream: StreamRef) -> SourceView:
    canonical = orjson.loads(row.canonical) if row.canonical else {}
    return SourceView(stream.connection, stream.name, row.source_id, row.part, row.changed_at, canonical, row.raw)


def _view(row: Any, *, asked: str | None = None, sources: Sequence[SourceView] = ()) -> CustomerView:
    return CustomerView(
        public_id(row.id),
        row.status,
        row.version,
        row.kind,
        row.name,
        orjson.loads(row.golden),
        row.members,
        row.changed_at,
        asked,
        sources,
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
