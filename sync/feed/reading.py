"""Reading the feed: changes after a token, and before them, for who begins, the customers as they are.

The snapshot needs no long transaction and no state on our side. It is read in order of customer id, some at a time;
before each part come the changes since the part before, of the customers that were told of already. So what the
consumer holds is at every token exactly the master's state of the customers up to that id. (The method of Netflix'
DBLog, with the id as the key and the change counter as the watermark.)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from sync.feed import tokens
from sync.feed.events import Event, of_rows
from sync.feed.tokens import Token
from sync.master.bulk import Bulk, bulk_for
from sync.master.identity import public_id
from sync.master.streams import load as load_streams

MOST = 1_000
"""Events of one batch."""
SCANNED = 5_000
"""Changes that are looked at for one batch when only some types are asked for."""
COLUMNS = "seq, customer_id, type, version, body, at, cause"


class Batch(NamedTuple):
    """Some events, the token to go on with, and whether more are there already."""

    events: list[Event]
    token: Token
    more: bool


def read(connection: Connection, token: Token, limit: int, types: Collection[str] = ()) -> Batch:
    """The events after a token, at most ``limit``; only of some types if any are named. Raises TokenExpired.

    Read in one snapshot of the database, so that nothing is missed or doubled between two batches.
    """
    bulk = bulk_for(connection)
    known = tokens.bounds(bulk)
    tokens.check(token, known)
    if token.after is None:
        return _changes(bulk, token, known.head, limit, types)
    return _beginning(connection, bulk, token, known.head, limit, types)


def only(events: list[Event], types: Collection[str]) -> list[Event]:
    """Those of some types; all if none is named."""
    return [event for event in events if event.type in types] if types else events


def _changes(bulk: Bulk, token: Token, head: int, limit: int, types: Collection[str]) -> Batch:
    statement = f"SELECT {COLUMNS} FROM change WHERE seq > ? AND seq <= ?"  # noqa: S608 - our own columns
    last = min(head, token.seq + (SCANNED if types else limit))
    if types:
        kinds = sorted(name.removeprefix("customer.") for name in types)
        rows = bulk.fetch(f"{statement} AND type {{texts}} ORDER BY seq LIMIT ?", token.seq, last, kinds, limit)
    else:
        rows = bulk.fetch(f"{statement} ORDER BY seq", token.seq, last)
    if len(rows) == limit:
        last = rows[-1][0]
    return Batch(of_rows(token.feed, rows), Token(token.feed, last), last < head)


def _beginning(
    connection: Connection, bulk: Bulk, token: Token, head: int, limit: int, types: Collection[str]
) -> Batch:
    """Changes of the customers told of already; then, when those are all, the next customers."""
    after = -1 if token.after is None else token.after
    last = min(head, token.seq + limit)
    rows = bulk.fetch(
        f"SELECT {COLUMNS} FROM change WHERE seq > ? AND seq <= ? AND (customer_id <= ? OR type = 'merged') "  # noqa: S608
        "ORDER BY seq",
        token.seq,
        last,
        after,
    )
    events = only(of_rows(token.feed, rows, after), types)
    if last < head:
        return Batch(events, Token(token.feed, last, after), True)
    room = limit - len(events)
    customers = _customers(connection, bulk, Token(token.feed, head, after), room) if room else []
    done = room > 0 and len(customers) < room
    reached = customers[-1].token.after if customers else after
    return Batch(events + customers, Token(token.feed, head, None if done else reached), not done)


def _customers(connection: Connection, bulk: Bulk, token: Token, limit: int) -> list[Event]:
    rows = bulk.fetch(
        "SELECT id, version, golden, changed_at FROM customer WHERE status = 'active' AND id > ? ORDER BY id LIMIT ?",
        token.after,
        limit,
    )
    joined = _joined(connection, bulk, [row[0] for row in rows])
    former = _former(bulk, [row[0] for row in rows])
    found = []
    for number, version, golden, at in rows:
        members, ids = orjson.dumps(joined.get(number, [])).decode(), orjson.dumps(former.get(number, [])).decode()
        body = f'{{"golden":{golden},"joined":{members},"former_ids":{ids}}}'
        found.append(Event(token._replace(after=number), number, "snapshot", version, body, at, None))
    return found


def _joined(connection: Connection, bulk: Bulk, numbers: list[int]) -> dict[int, list[list[str]]]:
    """The addresses of the customers' source records."""
    streams = load_streams(connection)
    rows = bulk.fetch(
        "SELECT x.customer_id, s.stream_id, s.source_id, s.part FROM crosswalk x "
        "JOIN source_record s ON s.id = x.record_id WHERE x.customer_id {ints} ORDER BY s.id",
        numbers,
    )
    found: dict[int, list[list[str]]] = {}
    for number, stream_id, source_id, part in rows:
        ref = streams[stream_id]
        found.setdefault(number, []).append([ref.connection, ref.name, source_id, part])
    return found


def _former(bulk: Bulk, numbers: list[int]) -> dict[int, list[str]]:
    """The other ids that lead to the customers."""
    rows = bulk.fetch(
        "SELECT customer_id, old_id FROM customer_alias WHERE customer_id {ints} ORDER BY old_id", numbers
    )
    found: dict[int, list[str]] = {}
    for number, old in rows:
        found.setdefault(number, []).append(public_id(old))
    return found
