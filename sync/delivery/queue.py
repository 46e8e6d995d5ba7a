"""The queue of an endpoint: every change it is to be told of is a row until the receiver has accepted it.

A row is made in the transaction that moves the endpoint's position on, and deleted in the one that notes the success:
whatever dies in between, nothing is lost; at worst something is sent twice, with the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sync import audit
from sync.delivery.endpoints import Endpoint
from sync.errors import Misused
from sync.feed import tokens
from sync.feed.events import TYPES, Event, of_rows
from sync.feed.reading import COLUMNS
from sync.master.bulk import Bulk, bulk_for

MOST_REPLAYED = 50_000
_ROWS = (("endpoint_id", "text"), ("seq", "int8"), ("customer_id", "int8"))
_TRIES = (("endpoint_id", "text"), ("seq", "int8"), ("attempts", "int4"), ("next_at", "float8"))


class Due(NamedTuple):
    """A change still to be delivered; not before ``next_at`` (epoch seconds)."""

    seq: int
    customer_id: int
    attempts: int
    next_at: float


def waiting(connection: Connection, endpoint_id: str) -> list[Due]:
    """The whole queue, in order."""
    statement = "SELECT seq, customer_id, attempts, next_at FROM webhook_due WHERE endpoint_id = ? ORDER BY seq"
    return [Due(*row) for row in bulk_for(connection).fetch(statement, endpoint_id)]


def length(connection: Connection, endpoint_id: str) -> int:
    """How many changes wait."""
    rows = bulk_for(connection).fetch("SELECT count(*) FROM webhook_due WHERE endpoint_id = ?", endpoint_id)
    return int(rows[0][0])


def take_in(connection: Connection, endpoint: Endpoint, position: int, limit: int) -> tuple[list[Event], int]:
    """Put the next changes into the queue; answers those of the endpoint's types, and the new position."""
    bulk = bulk_for(connection)
    feed = tokens.bounds(bulk).feed
    statement = f"SELECT {COLUMNS} FROM change WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - our own columns
    found = of_rows(feed, bulk.fetch(statement, position, limit))
    if not found:
        return [], position
    wanted = set(endpoint.types or TYPES)
    events = [event for event in found if event.type in wanted]
    _insert(bulk, endpoint.id, [(event.token.seq, event.customer_id) for event in events])
    reached = found[-1].token.seq
    bulk.run("UPDATE webhook_endpoint SET position = ? WHERE id = ?", reached, endpoint.id)
    return events, reached


def settle(connection: Connection, endpoint_id: str, done: Sequence[int], later: Sequence[Due]) -> None:
    """Take out what is done; note when the rest is tried again."""
    bulk = bulk_for(connection)
    if done:
        bulk.run("DELETE FROM webhook_due WHERE endpoint_id = ? AND seq {ints}", endpoint_id, sorted(done))
    bulk.apply(
        "UPDATE webhook_due SET attempts = r.attempts, next_at = r.next_at FROM {rows} r "
        "WHERE webhook_due.seq = r.seq AND webhook_due.endpoint_id = r.endpoint_id",
        _TRIES,
        [(endpoint_id, due.seq, due.attempts, due.next_at) for due in later],
    )


def replay(
    connection: Connection, endpoint: Endpoint, first: int, last: int, *, by: str, customer_id: int | None = None
) -> int:
    """Deliver the changes of a range once more, of one customer or of all, in order; answers how many.

    What comes later for these customers waits behind them. Raises Misused for too many, or for what is not kept.
    """
    bulk = bulk_for(connection)
    known = tokens.bounds(bulk)
    if first - 1 < known.floor:
        raise Misused("Changes {first} to {last} are kept.", first=known.floor + 1, last=known.head)
    rows = _replayed(bulk, endpoint, first, min(last, endpoint.position), customer_id)
    if len(rows) > MOST_REPLAYED or length(connection, endpoint.id) + len(rows) > 2 * MOST_REPLAYED:
        raise Misused(
            "At most {most} changes are replayed at once.", most=MOST_REPLAYED, remedy="Choose a smaller range."
        )
    _insert(bulk, endpoint.id, rows)
    bulk.run("UPDATE webhook_endpoint SET revision = revision + 1 WHERE id = ?", endpoint.id)
    details = {"first": first, "last": last, "changes": len(rows)}
    audit.record(connection, by, "webhook.replayed", f"webhook:{endpoint.id}", details)
    return len(rows)


def _replayed(bulk: Bulk, endpoint: Endpoint, first: int, last: int, customer_id: int | None) -> list[Any]:
    kinds = sorted(name.removeprefix("customer.") for name in endpoint.types or TYPES)
    statement = "SELECT seq, customer_id FROM change WHERE seq >= ? AND seq <= ? AND type {texts}"
    if customer_id is None:
        return bulk.fetch(f"{statement} ORDER BY seq LIMIT ?", first, last, kinds, MOST_REPLAYED + 1)
    return bulk.fetch(
        f"{statement} AND customer_id = ? ORDER BY seq LIMIT ?", first, last, kinds, customer_id, MOST_REPLAYED + 1
    )


def _insert(bulk: Bulk, endpoint_id: str, rows: Sequence[tuple[int, int]]) -> None:
    bulk.apply(
        "INSERT INTO webhook_due (endpoint_id, seq, customer_id, attempts, next_at) "
        "SELECT r.endpoint_id, r.seq, r.customer_id, 0, 0 FROM {rows} r WHERE true ON CONFLICT DO NOTHING",
        _ROWS,
        [(endpoint_id, *row) for row in rows],
    )


def has_news(connection: Connection, position: int) -> bool:
    """Whether there are changes after a position."""
    return bool(bulk_for(connection).fetch("SELECT seq FROM change WHERE seq > ? LIMIT 1", position))
