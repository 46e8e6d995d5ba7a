"""Set-based reads and writes in both dialects: the only module that talks to a driver below SQLAlchemy.

Statements are written once, with ``?`` for a value, ``{ints}`` or ``{texts}`` for a list of ids after a column:
``WHERE id {ints}``. PostgreSQL gets ``= ANY(array)`` and COPY, SQLite ``IN (SELECT value FROM json_each(...))`` and
executemany. Measured reasons: see docs/architecture.md, "The hot path".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection

Row = tuple[Any, ...]

KINDS = {
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
    "crosswalk": (("record_id", "int8"), ("customer_id", "int8"), ("version", "int4")),
    "change": (
        ("seq", "int8"),
        ("customer_id", "int8"),
        ("type", "text"),
        ("version", "int4"),
        ("body", "text"),
        ("at", "timestamptz"),
    ),
}
"""Columns, in the order in which rows are given to ``insert``, with their PostgreSQL types."""

_PLACEHOLDERS = re.compile(r"\{ints\}|\{texts\}|\?")


class Bulk(Protocol):
    """Bulk access inside the caller's transaction."""

    is_postgres: bool

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        """All rows of a SELECT."""

    def run(self, statement: str, *values: Any) -> int:
        """One statement; answers how many rows it touched."""

    def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        """One statement for many rows."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """New rows of one of the tables in ``KINDS``, by the fastest way the dialect has."""

    def insert_keys(self, keys: NDArray[np.int64], record_ids: NDArray[np.int64]) -> None:
        """New rows of ``match_key``."""

    def numbers(self, name: str, count: int) -> range:
        """The next ``count`` numbers of a counter, from 1; its row stays locked until the transaction ends."""

    def record_ids(self, count: int) -> list[int]:
        """Fresh ids for source records; on PostgreSQL without making other transactions wait."""

    def instant(self, moment: datetime) -> Any:
        """A moment as the driver stores it."""


def bulk_for(connection: Connection) -> Bulk:
    """The bulk access that belongs to a connection's dialect."""
    driver = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        return _PostgresBulk(driver)
    return _SqliteBulk(driver)


class _PostgresBulk:
    is_postgres = True

    def __init__(self, driver: Any) -> None:
        self._cursor = driver.cursor()

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        return self._cursor.execute(_postgres(statement), _lists(statement, values)).fetchall()  # type: ignore[no-any-return]

    def run(self, statement: str, *values: Any) -> int:
        return self._cursor.execute(_postgres(statement), _lists(statement, values)).rowcount  # type: ignore[no-any-return]

    def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        if rows:
            self._cursor.executemany(_postgres(statement), rows)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        names = ", ".join(name for name, _ in KINDS[table])
        copying = self._cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)")
        with copying as copy:
            copy.set_types([kind for _, kind in KINDS[table]])
            for row in rows:
                copy.write_row(row)

    def insert_keys(self, keys: NDArray[np.int64], record_ids: NDArray[np.int64]) -> None:
        if not len(keys):
            return
        with self._cursor.copy("COPY match_key (key, record_id) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(_binary_pairs(keys, record_ids))

    def numbers(self, name: str, count: int) -> range:
        return _numbers(self, name, count)

    def record_ids(self, count: int) -> list[int]:
        return [row[0] for row in self.fetch("SELECT nextval('record_id') FROM generate_series(1, ?)", count)]

    def instant(self, moment: datetime) -> datetime:
        return moment


class _SqliteBulk:
    is_postgres = False

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def fetch(self, statement: str, *values: Any) -> list[Row]:
        return self._driver.execute(_sqlite(statement), _json_lists(values)).fetchall()  # type: ignore[no-any-return]

    def run(self, statement: str, *values: Any) -> int:
        return self._driver.execute(_sqlite(statement), _json_lists(values)).rowcount  # type: ignore[no-any-return]

    def run_many(self, statement: str, rows: Sequence[Row]) -> None:
        self._driver.executemany(statement, rows)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        names = ", ".join(name for name, _ in KINDS[table])
        marks = ", ".join("?" for _ in KINDS[table])
        self._driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608

    def insert_keys(self, keys: NDArray[np.int64], record_ids: NDArray[np.int64]) -> None:
        order = np.lexsort((record_ids, keys))
        rows = zip(keys[order].tolist(), record_ids[order].tolist(), strict=True)
        self._driver.executemany("INSERT INTO match_key (key, record_id) VALUES (?, ?)", rows)

    def numbers(self, name: str, count: int) -> range:
        return _numbers(self, name, count)

    def record_ids(self, count: int) -> list[int]:
        return list(_numbers(self, "record", count))

    def instant(self, moment: datetime) -> str:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _numbers(bulk: Bulk, name: str, count: int) -> range:
    last = bulk.fetch(
        "INSERT INTO counter (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value",
        name,
        count,
    )[0][0]
    return range(last - count + 1, last + 1)


@lru_cache(maxsize=256)
def _postgres(statement: str) -> str:
    marks = {"{ints}": "= ANY(%s::bigint[])", "{texts}": "= ANY(%s::text[])", "?": "%s"}
    return _PLACEHOLDERS.sub(lambda match: marks[match.group()], statement)


@lru_cache(maxsize=256)
def _sqlite(statement: str) -> str:
    listed = "IN (SELECT value FROM json_each(?))"
    return _PLACEHOLDERS.sub(lambda match: "?" if match.group() == "?" else listed, statement)


@lru_cache(maxsize=256)
def _int_places(statement: str) -> tuple[bool, ...]:
    return tuple(match.group() == "{ints}" for match in _PLACEHOLDERS.finditer(statement))


def _lists(statement: str, values: Iterable[Any]) -> list[Any]:
    # A literal of plain digits is sent several times faster than an adapted list of ints.
    return [
        "{" + ",".join(map(str, value)) + "}" if is_ints else value
        for value, is_ints in zip(values, _int_places(statement), strict=True)
    ]


def _json_lists(values: Iterable[Any]) -> list[Any]:
    return [orjson.dumps(value).decode() if isinstance(value, list) else value for value in values]


_PAIR = np.dtype([("fields", ">i2"), ("l1", ">i4"), ("a", ">i8"), ("l2", ">i4"), ("b", ">i8")])
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)


def _binary_pairs(first: NDArray[np.int64], second: NDArray[np.int64]) -> bytes:
    """Two bigint columns in PostgreSQL's binary COPY format, sorted as the index is."""
    order = np.lexsort((second, first))
    rows = np.empty(len(first), dtype=_PAIR)
    rows["fields"], rows["l1"], rows["l2"] = 2, 8, 8
    rows["a"], rows["b"] = first[order], second[order]
    return _HEADER + rows.tobytes() + b"\xff\xff"
