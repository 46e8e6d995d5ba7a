"""Making a backup: the whole database of one moment, while everything goes on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from sync import migrations
from sync.backups.archive import CHUNK, Archive, Manifest, Opened
from sync.backups.facts import Damaged, Facts, facts_of, tables_of
from sync.database import Database
from sync.exporting.files import Growing, appearing, cannot_write, part_of

DATABASE = "database.sqlite"
Told = Callable[[str, int], None]
"""Is told which part is being saved, and how many are done."""


def save(database: Database, path: Path, *, replace: bool = False, told: Told = lambda _part, _done: None) -> Manifest:
    """Write the backup and read it again; it appears under its name when that went well.

    Raises Refused, CannotWrite, Damaged (the database itself is damaged, or what was written cannot be read).
    """
    with appearing(path, replace=replace) as file:
        manifest = (_postgres if database.is_postgres else _sqlite)(database, path, file, told)
        file.flush()
        with Opened(part_of(path)) as written:
            written.check()
    return manifest


def _sqlite(database: Database, path: Path, file: Growing, told: Told) -> Manifest:
    """A copy by SQLite's online backup, checked, then compressed."""
    with private_file(path.with_name(f".{path.name}.db")) as copy:
        told(DATABASE, 0)
        with database.reading() as connection, closing(sqlite3.connect(copy)) as target:
            connection.connection.driver_connection.backup(target)  # type: ignore[union-attr]
        revision, facts = look(copy)
        archive = Archive(file)
        archive.add(DATABASE, _chunks(copy))
        told(DATABASE, 1)
        return archive.close("sqlite", revision, facts)


def look(copy: Path) -> tuple[str, Facts]:
    """The schema's revision and the facts of a SQLite file. Raises Damaged."""
    database = Database(f"sqlite:///{copy}")
    try:
        with database.reading() as connection:
            if connection.execute(text("PRAGMA quick_check(1)")).scalar_one() != "ok":
                raise Damaged("SQLite finds the database damaged.", remedy="Restore the latest good backup.")
            return str(migrations.revision_of(connection).revision), facts_of(connection)
    finally:
        database.dispose()


def _postgres(database: Database, _path: Path, file: Growing, told: Told) -> Manifest:
    """Every table by COPY, all in one snapshot; works without PostgreSQL's own programs."""
    archive = Archive(file)
    counts: dict[str, int] = {}
    columns: dict[str, list[str]] = {}
    with database.reading() as connection:
        for done, table in enumerate(tables_of(connection)):
            told(table.name, done)
            columns[table.name] = [column["name"] for column in inspect(connection).get_columns(table.name)]
            counts[table.name] = 0
            chunks = _counted(_copied(connection, table.name, columns[table.name]), table.name, counts)
            archive.add(f"tables/{table.name}", chunks)
        facts = facts_of(connection, counts)
        revision = str(migrations.revision_of(connection).revision)
        return archive.close("postgresql", revision, facts, columns=columns, sequences=_sequences(connection))


def _copied(connection: Connection, table: str, columns: list[str]) -> Iterator[bytes]:
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) TO STDOUT') as copy:
        gathered = bytearray()
        for data in copy:
            gathered += data
            if len(gathered) >= CHUNK:
                yield bytes(gathered)
                gathered.clear()
        yield bytes(gathered)


def _counted(chunks: Iterator[bytes], table: str, counts: dict[str, int]) -> Iterator[bytes]:
    """A row is a line; line ends inside of values are escaped by COPY."""
    for chunk in chunks:
        counts[table] += chunk.count(b"\n")
        yield chunk


def _sequences(connection: Connection) -> dict[str, int]:
    """Where every sequence stands; read last, so that no number is given out twice after restoring."""
    rows = connection.execute(
        text("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()")
    )
    return {row.sequencename: row.last_value for row in rows if row.last_value is not None}


@contextmanager
def private_file(path: Path) -> Iterator[Path]:
    """An empty file that only this user may read, deleted in the end with what SQLite puts beside it."""
    try:
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield path
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
