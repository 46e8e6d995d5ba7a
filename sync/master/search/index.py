"""Keeping the search index up to date: by following the change feed, in batches, one process at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import Connection

from sync.database import Database
from sync.master.bulk import Bulk, bulk_for
from sync.master.search.terms import terms_of

COUNTER = "search"
"""In ``counter``: the number of the last change that the index holds."""
BATCH = 500

_TERMS = (("term", "text"), ("customer_id", "int8"))
_CUSTOMERS = (("customer_id", "int8"), ("changed_at", "timestamptz"))


def behind(connection: Connection) -> int:
    """How many changes the index does not hold yet."""
    rows = bulk_for(connection).fetch("SELECT name, value FROM counter WHERE name IN ('change', ?)", COUNTER)
    values: dict[str, int] = {name: value for name, value in rows}
    return max(0, values.get("change", 0) - values.get(COUNTER, 0))


def catch_up(database: Database, most: int | None = None) -> int:
    """Take in what has changed, at most so many changes; answers how many. Somebody else at it: nothing to do."""
    done = 0
    while most is None or done < most:
        with database.reading() as connection:
            left = behind(connection)
        size = min(BATCH, left, BATCH if most is None else most - done)
        taken = _step(database, size) if size > 0 else 0
        if taken == 0:
            break
        done += taken
    return done


def catch_up_in(connection: Connection) -> None:
    """The same inside the caller's transaction, whole."""
    bulk = bulk_for(connection)
    while (left := behind(connection)) and _take(bulk, min(BATCH, left)):
        pass


def rebuild(database: Database) -> int:
    """Forget the index, and make it anew from the customers; answers how many changes were read."""
    with database.transaction() as connection:
        bulk = bulk_for(connection)
        for table in ("search_term", "search_customer"):
            bulk.run(f"DELETE FROM {table}")  # noqa: S608 - our own names
        bulk.run("DELETE FROM counter WHERE name = ?", COUNTER)
    return catch_up(database)


def _step(database: Database, size: int) -> int:
    with database.hot_transaction() as connection:
        return _take(bulk_for(connection), size)


def _take(bulk: Bulk, size: int) -> int:
    position = _locked(bulk)
    if position is None:
        return 0
    page = "SELECT max(seq) FROM (SELECT seq FROM change WHERE seq > ? ORDER BY seq LIMIT ?) AS page"
    last = bulk.fetch(page, position, size)[0][0]  # not position + size: old changes are compacted
    if last is None:
        return 0
    touched = bulk.fetch("SELECT DISTINCT customer_id FROM change WHERE seq > ? AND seq <= ?", position, last)
    _index(bulk, [row[0] for row in touched])
    bulk.run("UPDATE counter SET value = ? WHERE name = ?", last, COUNTER)
    return int(last - position)


def _locked(bulk: Bulk) -> int | None:
    """The index's position, locked until the end of the transaction; None while somebody else holds it."""
    bulk.run("INSERT INTO counter (name, value) VALUES (?, 0) ON CONFLICT (name) DO NOTHING", COUNTER)
    wait = " FOR UPDATE SKIP LOCKED" if bulk.is_postgres else ""
    rows = bulk.fetch(f"SELECT value FROM counter WHERE name = ?{wait}", COUNTER)  # noqa: S608 - our own text
    return int(rows[0][0]) if rows else None


def _index(bulk: Bulk, customer_ids: Collection[int]) -> None:
    numbers = sorted(customer_ids)
    rows = bulk.fetch("SELECT id, status, kind, golden, changed_at FROM customer WHERE id {ints}", numbers)
    active = {row[0]: row for row in rows if row[1] == "active"}
    names = _connections(bulk, sorted(active))
    wanted = {
        (term, number)
        for number, (_, _, kind, golden, _) in active.items()
        for term in terms_of(kind, orjson.loads(golden), names.get(number, ()))
    }
    held = set(bulk.fetch("SELECT term, customer_id FROM search_term WHERE customer_id {ints}", numbers))
    bulk.apply(
        "DELETE FROM search_term WHERE (term, customer_id) IN (SELECT term, customer_id FROM {rows} r)",
        _TERMS,
        sorted(held - wanted),
    )
    bulk.apply(
        "INSERT INTO search_term (term, customer_id) SELECT term, customer_id FROM {rows} r",
        _TERMS,
        sorted(wanted - held),
    )
    bulk.run("DELETE FROM search_customer WHERE customer_id {ints}", numbers)
    bulk.apply(
        "INSERT INTO search_customer (customer_id, changed_at) SELECT customer_id, changed_at FROM {rows} r",
        _CUSTOMERS,
        [(number, row[4]) for number, row in sorted(active.items())],
    )


def _connections(bulk: Bulk, numbers: list[int]) -> dict[int, set[str]]:
    rows: list[tuple[Any, ...]] = bulk.fetch(
        "SELECT DISTINCT x.customer_id, c.name FROM crosswalk x JOIN source_record s ON s.id = x.record_id "
        "JOIN stream_state t ON t.id = s.stream_id JOIN connection c ON c.id = t.connection_id "
        "WHERE x.customer_id {ints}",
        numbers,
    )
    found: dict[int, set[str]] = {}
    for number, name in rows:
        found.setdefault(number, set()).add(name)
    return found
