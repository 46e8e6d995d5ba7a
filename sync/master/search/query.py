"""Asking the search index: pages of customers that fulfil all of some conditions, in a stable order.

A condition is answered in one of two ways: as a set, by scanning its terms, or by a look at the terms of each customer
that the others leave. Rare conditions are sets, and the others are looked at. Where all are frequent, customers are
walked in order, since the page is full soon; where it is not (words that many have and few together), all are sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sync.master.bulk import Bulk, bulk_for
from sync.master.lookup import COLUMNS, CustomerRow
from sync.master.search.terms import Condition

RARE = 2_000
"""If a condition has at most so many terms, the others are looked at on all its customers."""
COUNTABLE, MANY = 20_000, 200_000
"""Conditions of at most so many terms are intersected as sets; of at most ``MANY``, where looking has not paid."""
NEAR, FURTHER, EVERYBODY = 4_000, 40_000, 1 << 40
"""So many customers are looked at; and so many where a third of the page was found among the first."""


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
        rare = [one for one in conditions if len(conditions) > 1 and _has_at_most(bulk, one, RARE)]
        self._whole = bool(rare)
        self._sets = rare or [one for one in conditions if _has_at_most(bulk, one, COUNTABLE)]
        self._looked_at = [one for one in conditions if one not in self._sets]

    def places(self, after: Place | None, limit: int) -> list[Place]:
        """The next customers in order."""
        if self._whole or not self._looked_at:
            return self._find(after, limit, EVERYBODY)
        found = self._find(after, limit, NEAR)
        if limit / 3 <= len(found) < limit:
            found = self._find(after, limit, FURTHER)
        if len(found) < limit:
            self._sets += [one for one in self._looked_at if _has_at_most(self._bulk, one, MANY)]
            self._sets = self._sets or self._looked_at
            self._looked_at = [one for one in self._looked_at if one not in self._sets]
            self._whole = True
            found = self._find(after, limit, EVERYBODY)
        return found

    def _find(self, after: Place | None, limit: int, walked: int) -> list[Place]:
        order = "s.customer_id" if self._since is None else "s.changed_at, s.customer_id"
        columns = "NULL, s.customer_id" if self._since is None else order
        source, values = self._source()
        wheres, bounds = self._from(after)
        values += bounds
        if self._looked_at:  # in order, so that no more customers are looked at than a page needs
            inside = f"SELECT * FROM {source} {_where(wheres)} ORDER BY {order} LIMIT ?"  # noqa: S608 - our own text
            source, wheres = f"({inside}) s", []
            values.append(walked)
        for condition in self._looked_at:
            # A scalar subquery is asked per customer, and never turned into a join of everything.
            ranges, bounds = _ranges(condition)
            wheres.append(
                "(SELECT count(*) FROM (SELECT 1 FROM search_term t "  # noqa: S608 - our own text
                f"WHERE t.customer_id = s.customer_id AND ({ranges}) LIMIT 1) found) > 0"
            )
            values += bounds
        statement = f"SELECT {columns} FROM {source} {_where(wheres)} ORDER BY {order} LIMIT ?"  # noqa: S608 - our own
        rows = self._bulk.fetch(statement, *values, limit)
        return [Place(number, _moment(changed_at)) for changed_at, number in rows]

    def _from(self, after: Place | None) -> tuple[list[str], list[Any]]:
        wheres: list[str] = []
        values: list[Any] = []
        if self._since is not None:
            wheres.append("s.changed_at >= ?")
            values.append(self._bulk.instant(self._since))
        if after is not None and after.changed_at is not None:
            wheres.append("(s.changed_at, s.customer_id) > (?, ?)")
            values += [self._bulk.instant(after.changed_at), after.id]
        elif after is not None:
            wheres.append("s.customer_id > ?")
            values.append(after.id)
        return wheres, values

    def _source(self) -> tuple[str, list[Any]]:
        """Where customers come from: those in all the sets, else all in the index."""
        if not self._sets:
            return "search_customer s", []
        parts, values = [], []
        for number, condition in enumerate(self._sets):
            scans, bounds = _scans(condition, "t.customer_id")
            parts.append(f"SELECT customer_id FROM ({scans}) p{number}")  # noqa: S608 - our own text
            values += bounds
        hits = " INTERSECT ".join(parts) if len(parts) > 1 else parts[0].replace("SELECT", "SELECT DISTINCT", 1)
        if self._since is None:
            return f"({hits}) s", values
        return f"(SELECT c.* FROM search_customer c WHERE c.customer_id IN ({hits})) s", values  # noqa: S608 - our own


def _where(wheres: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(wheres)}" if wheres else ""


def _rows(bulk: Bulk, places: Sequence[Place]) -> list[CustomerRow]:
    numbers = [place.id for place in places]
    rows = bulk.fetch(f"SELECT {COLUMNS} FROM customer c WHERE c.status = 'active' AND c.id {{ints}}", numbers)  # noqa: S608
    by_number = {row[0]: CustomerRow(*row) for row in rows}
    return [by_number[number] for number in numbers if number in by_number]


def _has_at_most(bulk: Bulk, condition: Condition, most: int) -> bool:
    scans, bounds = _scans(condition, "1")
    counted = f"SELECT count(*) FROM (SELECT 1 FROM ({scans}) one LIMIT ?) few"  # noqa: S608 - our own text
    return bool(bulk.fetch(counted, *bounds, most + 1)[0][0] <= most)


def _scans(condition: Condition, column: str) -> tuple[str, list[Any]]:
    """One scan of the index a range: a scan of OR would visit the table for every term."""
    scan = f"SELECT {column} FROM search_term t WHERE t.term >= ? AND t.term <= ?"  # noqa: S608 - our own text
    return " UNION ALL ".join([scan] * len(condition.ranges)), [end for both in condition.ranges for end in both]


def _ranges(condition: Condition) -> tuple[str, list[Any]]:
    bounds = [bound for low_high in condition.ranges for bound in low_high]
    return " OR ".join("(t.term >= ? AND t.term <= ?)" for _ in condition.ranges), bounds


def _moment(stored: Any) -> datetime | None:
    """A moment as either driver gives it, with its zone."""
    if stored is None or isinstance(stored, datetime):
        return stored
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
