"""Asking the search index: pages of customers that fulfil all of some conditions, in a stable order.

A condition that few customers fulfil is fetched and the others are checked on it; where all are frequent, customers
are walked in order and each is checked, since the page is full soon. So the time does not grow with the master.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sync.master.bulk import Bulk, bulk_for
from sync.master.lookup import COLUMNS, CustomerRow
from sync.master.search.terms import Condition

RARE = 2_000
"""Conditions that at most so many terms fulfil are fetched whole."""


class Place(NamedTuple):
    """Where a list goes on: after a customer, or after a change."""

    id: int
    changed_at: datetime | None = None


def customers(
    connection: Connection,
    conditions: Sequence[Condition],
    *,
    updated_since: datetime | None = None,
    after: Place | None = None,
    limit: int = 50,
) -> list[CustomerRow]:
    """Active customers that fulfil all conditions: in order of id, or of change where ``updated_since`` is given."""
    bulk = bulk_for(connection)
    rare, frequent = _split(bulk, conditions)
    if rare is not None and not rare:
        return []
    statement, values = _statement(bulk, rare, frequent, updated_since, after)
    return [CustomerRow(*row) for row in bulk.fetch(f"{statement} LIMIT ?", *values, limit)]


def _statement(
    bulk: Bulk,
    rare: set[int] | None,
    frequent: Sequence[Condition],
    updated_since: datetime | None,
    after: Place | None,
) -> tuple[str, list[Any]]:
    wheres, values = ["c.status = 'active'"], []
    source, order = "customer c", "c.id"
    if updated_since is not None:
        source, order = "search_customer s JOIN customer c ON c.id = s.customer_id", "s.changed_at, s.customer_id"
        wheres.append("s.changed_at >= ?")
        values.append(bulk.instant(updated_since))
    if after is not None:
        wheres.append("c.id > ?" if after.changed_at is None else "(s.changed_at, s.customer_id) > (?, ?)")
        values += [after.id] if after.changed_at is None else [bulk.instant(after.changed_at), after.id]
    if rare is not None:
        wheres.append("c.id {ints}")
        values.append(sorted(rare))
    for condition in frequent:
        # A scalar subquery is asked per customer, and never turned into a join of everything.
        ranges, bounds = _ranges(condition)
        wheres.append(
            "(SELECT count(*) FROM (SELECT 1 FROM search_term t "  # noqa: S608 - our own text
            f"WHERE t.customer_id = c.id AND ({ranges}) LIMIT 1) found) > 0"
        )
        values += bounds
    return f"SELECT {COLUMNS} FROM {source} WHERE {' AND '.join(wheres)} ORDER BY {order}", values  # noqa: S608


def _split(bulk: Bulk, conditions: Sequence[Condition]) -> tuple[set[int] | None, list[Condition]]:
    """Who fulfils all rare conditions (None: there is no rare one), and the frequent conditions."""
    rare: set[int] | None = None
    frequent: list[Condition] = []
    for condition in conditions:
        found = _fetched(bulk, condition)
        if found is None:
            frequent.append(condition)
        else:
            rare = found if rare is None else rare & found
    return rare, frequent


def _fetched(bulk: Bulk, condition: Condition) -> set[int] | None:
    """Who fulfils a condition; None if that is too many."""
    found: set[int] = set()
    for low, high in condition.ranges:
        rows = bulk.fetch(
            "SELECT customer_id FROM search_term WHERE term >= ? AND term <= ? LIMIT ?", low, high, RARE + 1
        )
        if len(rows) > RARE:
            return None
        found.update(row[0] for row in rows)
    return found if len(found) <= RARE else None


def _ranges(condition: Condition) -> tuple[str, list[Any]]:
    bounds = [bound for low_high in condition.ranges for bound in low_high]
    return " OR ".join("(t.term >= ? AND t.term <= ?)" for _ in condition.ranges), bounds
