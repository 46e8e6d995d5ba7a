"""How many records a stream has and how large customers are, kept by the transactions that change it.

Counting a million rows for a page takes too long, and one row a counter would make all writers wait for each other. So
each transaction appends what it changed, a row a counter; whoever asks adds up, and the rows are summed now and then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from sync.database import Database
from sync.master.bulk import Bulk, bulk_for

LARGEST = 5
"""Customers of so many records and more are counted together."""
MOST_ROWS = 200
"""So many rows are added up at every look before they are summed."""

_RECORDS, _SIZE, _PLACED = "records", "size", "placed"


class Tally(NamedTuple):
    """Live records by stream (without their parts), active customers by size (``LARGEST``: and more), and how many
    records and parts these customers hold in all.
    """

    records: Mapping[int, int]
    sizes: Mapping[int, int]
    placed: int

    @property
    def customers(self) -> int:
        """Active customers."""
        return sum(self.sizes.values())

    @property
    def shared(self) -> int:
        """Active customers of more than one record."""
        return sum(count for size, count in self.sizes.items() if size > 1)


_COLUMNS = (("name", "text"), ("value", "int8"))
_INSERT = "INSERT INTO tally (name, value) SELECT name, value FROM {rows} r WHERE true"
_COUNT_RECORDS = (
    "SELECT stream_id, count(*) FROM source_record WHERE deleted_at IS NULL AND part = '' GROUP BY stream_id"
)
_COUNT_SIZES = (
    f"SELECT CASE WHEN members > {LARGEST} THEN {LARGEST} ELSE members END, count(*), SUM(members) "  # noqa: S608 - ours
    "FROM customer WHERE status = 'active' GROUP BY 1"
)


class Tallying:
    """What one transaction changes, gathered."""

    def __init__(self) -> None:
        self._deltas: Counter[str] = Counter()

    def records(self, stream_id: int, more: int) -> None:
        """So many more live records of a stream; fewer, where it is negative."""
        self._deltas[f"{_RECORDS}:{stream_id}"] += more

    def customer(self, before: int | None, after: int | None, times: int = 1) -> None:
        """An active customer of ``before`` records has ``after``; None: it is not active. ``times``: so many have."""
        for members, sign in ((before, -times), (after, times)):
            if members is not None:
                self._deltas[f"{_SIZE}:{min(members, LARGEST)}"] += sign
                self._deltas[_PLACED] += sign * members

    def store(self, bulk: Bulk) -> None:
        """Append it; the caller's transaction commits it."""
        rows = [(name, value) for name, value in sorted(self._deltas.items()) if value]
        if rows:
            bulk.apply(_INSERT, _COLUMNS, rows)
        self._deltas.clear()


def read(connection: Connection) -> Tally:
    """The counts as of the transaction."""
    rows = bulk_for(connection).fetch("SELECT name, SUM(value) FROM tally GROUP BY name")
    return _told({name: int(value) for name, value in rows})


def counted(connection: Connection) -> Tally:
    """The same, counted row by row: what ``read`` must answer."""
    bulk = bulk_for(connection)
    found = {f"{_RECORDS}:{row[0]}": row[1] for row in bulk.fetch(_COUNT_RECORDS)}
    sizes = bulk.fetch(_COUNT_SIZES)
    found |= {f"{_SIZE}:{row[0]}": row[1] for row in sizes}
    return _told({**found, _PLACED: sum(int(row[2]) for row in sizes)})


def compact(database: Database) -> int:
    """Sum the rows of each counter up into one, if there are many; answers how many there were. Commits."""
    with database.reading() as connection:
        if bulk_for(connection).fetch("SELECT count(*) FROM tally")[0][0] <= MOST_ROWS:
            return 0
    with database.transaction() as connection:
        bulk = bulk_for(connection)
        rows = bulk.fetch("DELETE FROM tally RETURNING name, value")
        sums: Counter[str] = Counter()
        for name, value in rows:
            sums[name] += value
        bulk.apply(
            "INSERT INTO tally (name, value) SELECT name, value FROM {rows} r WHERE true", _COLUMNS, [*sums.items()]
        )
        return len(rows)


def _told(values: Mapping[str, int]) -> Tally:
    def by(kind: str) -> dict[int, int]:
        found = {name.partition(":")[2]: value for name, value in values.items() if name.startswith(f"{kind}:")}
        return {int(number): value for number, value in sorted(found.items()) if value}

    return Tally(by(_RECORDS), by(_SIZE), values.get(_PLACED, 0))
