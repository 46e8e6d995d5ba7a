"""Asking the search index: pages of customers that fulfil all of some conditions, in a stable order.

Conditions that not too many terms fulfil are intersected by the database; very frequent ones are checked on what is
left, or, where all are, on customers walked in order, since the page is full soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sync.master.bulk import Bulk, bulk_for
from sync.master.lookup import COLUMNS, CustomerRow
from sync.master.search.terms import Condition

ALONE = 20_000
"""A single condition that more terms fulfil fills a page sooner by walking customers in order."""
COUNTABLE = 100_000
"""Among several, a condition that at most so many terms fulfil is intersected with the others."""


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
    asked = _Asked(bulk, conditions, updated_since)
    found: list[CustomerRow] = []
    while len(found) < limit:
        wanted = limit - len(found)
        places = asked.places(after, wanted)
        found += _rows(bulk, places)  # fewer, where the index still holds customers that are no longer
        if len(places) < wanted:
            break
        after = places[-1]
    return found


class _Asked:
    """The conditions, sorted by how they are best answered."""

    def __init__(self, bulk: Bulk, conditions: Sequence[Condition], updated_since: datetime | None) -> None:
        self._bulk, self._since = bulk, updated_since
        most = ALONE if len(conditions) == 1 else COUNTABLE
        counted = [(condition, _is_countable(bulk, condition, most)) for condition in conditions]
        self._countable = [condition for condition, few in counted if few]
        self._frequent = [condition for condition, few in counted if not few]

    def places(self, after: Place | None, limit: int) -> list[Place]:
        """The next customers in order."""
        wheres, values = [], []
        order = "s.customer_id"
        if self._since is not None:
            order = "s.changed_at, s.customer_id"
            wheres.append("s.changed_at >= ?")
            values.append(self._bulk.instant(self._since))
        if after is not None and after.changed_at is not None:
            wheres.append("(s.changed_at, s.customer_id) > (?, ?)")
            values += [self._bulk.instant(after.changed_at), after.id]
        elif after is not None:
            wheres.append("s.customer_id > ?")
            values.append(after.id)
        source = self._source(wheres, values)
        for condition in self._frequent:
            # A scalar subquery is asked per customer, and never turned into a join of everything.
            ranges, bounds = _ranges(condition)
            wheres.append(
                "(SELECT count(*) FROM (SELECT 1 FROM search_term t "  # noqa: S608 - our own text
                f"WHERE t.customer_id = s.customer_id AND ({ranges}) LIMIT 1) found) > 0"
            )
            values += bounds
        columns = order if self._since is not None else "NULL, s.customer_id"
        where = f"WHERE {' AND '.join(wheres)}" if wheres else ""
        rows = self._bulk.fetch(f"SELECT {columns} FROM {source} {where} ORDER BY {order} LIMIT ?", *values, limit)  # noqa: S608
        return [Place(number, _moment(changed_at)) for changed_at, number in rows]

    def _source(self, wheres: list[str], values: list[Any]) -> str:
        """Where customers come from: those who fulfil the countable conditions, else all in the index."""
        if not self._countable:
            return "search_customer s"
        parts, bounds = [], []
        for condition in self._countable:
            ranges, ends = _ranges(condition)
            parts.append(f"SELECT DISTINCT t.customer_id FROM search_term t WHERE {ranges}")  # noqa: S608
            bounds += ends
        hits = " INTERSECT ".join(parts)
        if self._since is None:
            values[:0] = bounds
            return f"({hits}) s"
        wheres.append(f"s.customer_id IN ({hits})")
        values += bounds
        return "search_customer s"


def _rows(bulk: Bulk, places: Sequence[Place]) -> list[CustomerRow]:
    numbers = [place.id for place in places]
    rows = bulk.fetch(f"SELECT {COLUMNS} FROM customer c WHERE c.status = 'active' AND c.id {{ints}}", numbers)  # noqa: S608
    by_number = {row[0]: CustomerRow(*row) for row in rows}
    return [by_number[number] for number in numbers if number in by_number]


def _is_countable(bulk: Bulk, condition: Condition, most: int) -> bool:
    ranges, bounds = _ranges(condition)
    counted = f"SELECT count(*) FROM (SELECT 1 FROM search_term t WHERE {ranges} LIMIT ?) few"  # noqa: S608 - our own text
    return bool(bulk.fetch(counted, *bounds, most + 1)[0][0] <= most)


def _ranges(condition: Condition) -> tuple[str, list[Any]]:
    bounds = [bound for low_high in condition.ranges for bound in low_high]
    return " OR ".join("(t.term >= ? AND t.term <= ?)" for _ in condition.ranges), bounds


def _moment(stored: Any) -> datetime | None:
    """A moment as either driver gives it, with its zone."""
    if stored is None or isinstance(stored, datetime):
        return stored
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
