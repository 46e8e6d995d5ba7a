"""Set-based reads and writes in both dialects: with ``bulk_postgres`` and ``prepared`` the only modules that talk to a
driver below SQLAlchemy.

Statements are written once, with ``?`` for a value, ``{ints}`` or ``{texts}`` for a list of ids after a column
(``WHERE id {ints}``), and ``{rows}`` where many rows come in at once. PostgreSQL gets ``= ANY(array)``,
``unnest`` of arrays and COPY, SQLite ``IN (SELECT value FROM json_each(...))`` and executemany. Measured reasons: see
docs/architecture.md, "The hot path".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection

Row = tuple[Any, ...]
Columns = tuple[tuple[str, str], ...]
"""Names of columns with their PostgreSQL types."""
Question = tuple[Any, ...]
"""A statement and its values."""

KINDS: dict[str, Columns] = {
    "source_record": (
        ("id", "int8"),
        ("stream_id", "int4"),
        ("source_id", "text"),
        ("part", "text"),
        ("parent_id", "int8"),
        ("version", "int4"),
        ("hash", "bytea"),
        ("raw", "text"),
        ("canonical", "text"),
        ("features", "text"),
        ("changed_at", "text"),
        ("landed_at", "timestamptz"),
    ),
    "customer": (
        ("id", "int8"),
        ("version", "int4"),
        ("status", "text"),
        ("kind", "text"),
        ("name", "text"),
        ("golden", "text"),
        ("members", "int4"),
        ("changed_at", "timestamptz"),
    ),
    "crosswalk": (("record_id", "int8"), ("customer_id", "int8"), ("version", "int4"), ("features_version", "int4")),
    "change": (
        ("seq", "int8"),
        ("customer_id", "int8"),
        ("type", "text"),
        ("version", "int4"),
        ("body", "text"),
        ("at", "timestamptz"),
        ("cause", "text"),
    ),
}
"""Columns, in the order in which rows are given to ``insert``, with their PostgreSQL types."""

PLACEHOLDERS = re.compile(r"\{ints\}|\{texts\}|\?")


class Bulk(Protocol):
    """Bulk access inside the caller's transaction.

    What answers nothing may be sent together with the next statement that does, at the latest with the commit: on
    PostgreSQL each message there and back costs more than most statements. The order stays.
    """

    is_postgres: bool

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        """All rows of a SELECT."""

    def run(self, statement: str, *values: Any) -> int:
        """One statement; answers how many rows it touched."""

    def later(self, statement: str, *values: Any) -> None:
        """One statement of which nobody needs to know how many rows it touched."""

    def ahead(self, *questions: Question) -> None:
        """SELECTs that will be fetched soon: they go together with the next one, and whoever fetches them before
        anything is written is given the answers of then. One that is fetched twice is asked again.
        """

    def depart(self) -> None:
        """What was asked ahead goes now, for whoever has something else to do until it is answered."""

    def ahead_of_next(self, *questions: Question) -> None:
        """SELECTs that this thread's next transaction will fetch first, if it follows at once: it begins with them as
        this one is committed.
        """

    def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        """One statement, executed for each of some rows."""

    def apply(self, statement: str, columns: Columns, rows: Sequence[Row]) -> None:
        """One statement for many rows, with ``{rows}`` standing for a table of them: ``... FROM {rows} r``."""

    def applied(self, statement: str, columns: Columns, rows: Sequence[Row]) -> int:
        """The same at once, answering how many rows it touched."""

    def update(self, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        """New values of ``columns`` for some rows of a table; the first column is the key by which they are found."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """New rows of one of the tables in ``KINDS``, by the fastest way the dialect has."""

    def insert_keys(self, pairs: Sequence[tuple[int, int]]) -> None:
        """New rows (key, record id) of ``match_key``."""

    def numbers(self, name: str, count: int) -> range:
        """The next ``count`` numbers of a counter, from 1; its row stays locked until the transaction ends."""

    def insert_changes(self, rows: Sequence[Row]) -> None:
        """New rows of ``change`` without their numbers, which they are given in this order."""

    def insert_landing(self, row: Row) -> int:
        """A new row of ``landing`` (stream, packed record ids, how many, when); answers its number."""

    def landing_id_ahead(self) -> None:
        """A landing will probably be inserted soon (see ``ahead``)."""

    def record_ids(self, count: int) -> list[int]:
        """Fresh ids for source records; on PostgreSQL without making other transactions wait."""

    def record_ids_ahead(self, count: int) -> None:
        """So many will probably be asked for soon (see ``ahead``); nobody misses those that are not."""

    def instant(self, moment: datetime) -> Any:
        """A moment as the driver stores it."""


def bulk_for(connection: Connection) -> Bulk:
    """The bulk access that belongs to a connection's dialect."""
    if connection.dialect.name == "postgresql":
        from sync.master.bulk_postgres import postgres_bulk  # loads the driver

        return postgres_bulk(connection)
    return _SqliteBulk(connection.connection.driver_connection)


class _SqliteBulk:
    is_postgres = False

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        return self._driver.execute(_sqlite(statement), _json_lists(values)).fetchall()  # type: ignore[no-any-return]

    def run(self, statement: str, *values: Any) -> int:
        return self._driver.execute(_sqlite(statement), _json_lists(values)).rowcount  # type: ignore[no-any-return]

    def later(self, statement: str, *values: Any) -> None:
        self.run(statement, *values)

    def ahead(self, *questions: Question) -> None:
        pass  # nothing is far away

    def depart(self) -> None:
        pass

    def ahead_of_next(self, *questions: Question) -> None:
        pass

    def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        self._driver.executemany(statement, rows)

    def apply(self, statement: str, columns: Columns, rows: Sequence[Row]) -> None:
        self.applied(statement, columns, rows)

    def applied(self, statement: str, columns: Columns, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        table = orjson.dumps([tuple(row) for row in rows]).decode()
        return self._driver.execute(_json_rows(statement, columns), (table,)).rowcount  # type: ignore[no-any-return]

    def update(self, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        (key, _), *others = columns
        values = ", ".join(f"{name} = ?" for name, _ in others)
        statement = f"UPDATE {table} SET {values} WHERE {key} = ?"  # noqa: S608 - our own names
        self._driver.executemany(statement, [(*row[1:], row[0]) for row in rows])

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        names = ", ".join(name for name, _ in KINDS[table])
        marks = ", ".join("?" for _ in KINDS[table])
        self._driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608

    def insert_keys(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._driver.executemany("INSERT INTO match_key (key, record_id) VALUES (?, ?)", sorted(pairs))

    def numbers(self, name: str, count: int) -> range:
        return next_numbers(self, name, count)

    def insert_changes(self, rows: Sequence[Row]) -> None:
        insert_numbered_changes(self, rows)

    def insert_landing(self, row: Row) -> int:
        statement = "INSERT INTO landing (stream_id, record_ids, records, landed_at) VALUES (?, ?, ?, ?) RETURNING id"
        return int(self.fetch(statement, *row)[0][0])

    def landing_id_ahead(self) -> None:
        pass

    def record_ids(self, count: int) -> list[int]:
        return list(next_numbers(self, "record", count))

    def record_ids_ahead(self, count: int) -> None:
        pass

    def instant(self, moment: datetime) -> str:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def next_numbers(bulk: Bulk, name: str, count: int) -> range:
    """What ``Bulk.numbers`` promises, in SQL of both dialects."""
    last = bulk.fetch(
        "INSERT INTO counter (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value",
        name,
        count,
    )[0][0]
    return range(last - count + 1, last + 1)


def insert_numbered_changes(bulk: Bulk, rows: Sequence[Row]) -> None:
    """What ``Bulk.insert_changes`` promises, in SQL of both dialects."""
    if rows:
        numbers = bulk.numbers("change", len(rows))
        bulk.insert("change", [(number, *row) for number, row in zip(numbers, rows, strict=True)])


@lru_cache(maxsize=256)
def _sqlite(statement: str) -> str:
    listed = "IN (SELECT value FROM json_each(?))"
    return PLACEHOLDERS.sub(lambda match: "?" if match.group() == "?" else listed, statement)


@lru_cache(maxsize=256)
def _json_rows(statement: str, columns: Columns) -> str:
    fields = ", ".join(f"value ->> {place} AS {name}" for place, (name, _) in enumerate(columns))
    return statement.replace("{rows} r", f"(SELECT {fields} FROM json_each(?)) r")  # noqa: S608 - our own columns


def _json_lists(values: Iterable[Any]) -> list[Any]:
    return [orjson.dumps(value).decode() if isinstance(value, list) else value for value in values]
