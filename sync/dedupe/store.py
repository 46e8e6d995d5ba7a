"""Rows, canonical customers and rejections of one job, in a temporary SQLite file: memory stays bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import orjson

_SCHEMA = """
CREATE TABLE rows (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, line INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE rejected (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL,
    row INTEGER
);
CREATE TABLE customers (
    id INTEGER PRIMARY KEY, row INTEGER NOT NULL, part TEXT NOT NULL, body BLOB NOT NULL, cluster INTEGER
);
"""


class StoredRow(NamedTuple):
    """A readable row: its number in the job, its file's number, its place there, its fields as JSON."""

    id: int
    file: int
    line: int
    body: bytes


class StoredCustomer(NamedTuple):
    """A canonical customer: its number in the job, the place of its row, its part, itself as JSON, its cluster."""

    id: int
    row: int
    file: int
    line: int
    part: str
    body: bytes
    cluster: int


class Store:
    """The job's file; closing deletes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._path.unlink(missing_ok=True)

    def add_rows(self, rows: Sequence[StoredRow]) -> None:
        """Keep readable rows."""
        self._write("INSERT INTO rows VALUES (?, ?, ?, ?)", rows)

    def reject(self, file: int, line: int, reason: str, body: str, row: int | None = None) -> None:
        """Keep why a row was left out; ``row`` is its number if it could be read at all."""
        self._db.execute(
            "INSERT INTO rejected (file, line, reason, body, row) VALUES (?, ?, ?, ?, ?)",
            (file, line, reason, body, row),
        )

    def add_customers(self, customers: Sequence[tuple[int, int, str, bytes]]) -> None:
        """Keep canonical customers: (number, row, part, JSON)."""
        self._write("INSERT INTO customers (id, row, part, body) VALUES (?, ?, ?, ?)", customers)

    def place(self, clusters: Iterable[tuple[int, int]]) -> None:
        """Write down (cluster, customer's number)."""
        self._write("UPDATE customers SET cluster = ? WHERE id = ?", clusters)
        self._db.execute("CREATE INDEX by_cluster ON customers (cluster, id)")
        self._db.execute("CREATE INDEX by_row ON customers (row, id)")

    def rows(self, file: int | None = None, limit: int = -1) -> Iterator[StoredRow]:
        """All rows in their order, or the first ones of one file."""
        query = "SELECT id, file, line, body FROM rows WHERE (? IS NULL OR file = ?) ORDER BY id LIMIT ?"
        return map(StoredRow._make, self._db.cursor().execute(query, (file, file, limit)))

    def placed_rows(self) -> Iterator[tuple[int, int, bytes, str | None, int | None]]:
        """Every row with its customers: (file, line, fields, part, cluster); no part where it has no customer."""
        return self._db.cursor().execute(
            "SELECT r.file, r.line, r.body, c.part, c.cluster FROM rows r"
            " LEFT JOIN customers c ON c.row = r.id ORDER BY r.id, c.id"
        )

    def customers(self, numbers: Iterable[int] | None = None) -> Iterator[StoredCustomer]:
        """All customers by cluster, or those with these numbers."""
        query = (
            "SELECT c.id, c.row, r.file, r.line, c.part, c.body, c.cluster FROM customers c JOIN rows r ON r.id = c.row"
        )
        cursor = self._db.cursor()
        if numbers is None:
            return map(StoredCustomer._make, cursor.execute(query + " ORDER BY c.cluster, c.id"))
        return (
            StoredCustomer._make(row)
            for number in numbers
            for row in cursor.execute(query + " WHERE c.id = ?", (number,))
        )

    def rejections(self) -> Iterator[tuple[int, int, str, str]]:
        """(file, line, reason, beginning of the row), in the order of the files."""
        return self._db.cursor().execute("SELECT file, line, reason, body FROM rejected ORDER BY file, line, id")

    def reasons(self, most: int) -> list[tuple[str, int]]:
        """The most frequent reasons with their counts."""
        query = "SELECT reason, count(*) FROM rejected GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?"
        return list(self._db.execute(query, (most,)))

    def _write(self, statement: str, values: Iterable[Any]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(statement, values)
        self._db.execute("COMMIT")


def fields_of(body: bytes) -> dict[str, Any]:
    """A stored row's fields."""
    found: dict[str, Any] = orjson.loads(body)
    return found
