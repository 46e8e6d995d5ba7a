"""Going back to a backup: checked before anything is touched, and checked again before it counts.

Whatever fails or is killed in between leaves the target as it was: on PostgreSQL all is one transaction, on SQLite the
restored copy is made beside and then written into the database by one transaction of SQLite's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select, text, update

from sync import audit, migrations
from sync.backups import facts as known
from sync.backups.archive import Manifest, Opened
from sync.backups.facts import REVISION_TABLE, facts_of, is_empty, tables_of
from sync.backups.saving import DATABASE, private_file
from sync.database import Database
from sync.errors import Misused, Refused, SchemaNewer
from sync.exporting.files import cannot_write
from sync.exporting.tables import export_job
from sync.feed import tokens
from sync.idempotency import idempotency_key
from sync.identity.tables import one_time_link, user_session
from sync.master.tables import counter, record_id
from sync.master.tombstones import VAULT
from sync.migrations import SchemaState
from sync.privacy import erasing, ledger
from sync.privacy.ledger import Ledger
from sync.privacy.returning import Again
from sync.runs.tables import lease
from sync.schema import metadata
from sync.stewardship.effect import Engine
from sync.vault import Vault

Told = Callable[[str], None]
__all__ = ["Restored", "restore"]


class Restored(NamedTuple):
    """What was restored. ``sealed``: data keys that the master key at hand does not open; ``erased``: persons whom the
    backup brought back and who were erased again.
    """

    manifest: Manifest
    revision: str
    sealed: int
    erased: int


def restore(
    database: Database,
    path: Path,
    vault: Vault,
    engine: Engine,
    *,
    replace: bool = False,
    ledgers: Sequence[Ledger] = (),
    by: str = audit.SYSTEM,
    told: Told = lambda _step: None,
) -> Restored:
    """Make the database what it was when the backup was taken, at this program's schema. Nobody else may use it.

    A backup of SQLite can be restored into PostgreSQL, not the other way round. All tokens of the change feed given
    out before expire, everybody has to sign in again. Whoever was erased since the backup, as the database that is
    replaced and the ``ledgers`` know, is erased from the restored one before it counts; ``erasing.finish`` then issues
    the receipts. Raises Damaged, Refused (the target is not empty, or in use), SchemaNewer, Misused, VaultError.
    """
    database.carry(**{VAULT: lambda: vault})
    with Opened(path) as backup:
        _require_known(backup.manifest, database)
        told("check")
        backup.check()
        _require_free(database, replace)
        with database.reading() as connection:
            present = ledger.read(connection, vault)
        known = (*ledgers, *([] if present is None else [present]))
        settling = _Settling(backup.manifest, by, Again(vault, engine, known))
        told("load")
        if backup.manifest.kind == "postgresql":
            _postgres(database, backup, settling)
        else:
            with private_file(_beside(database, path)) as copy:
                _unpack(backup, copy)
                (_moved if database.is_postgres else _sqlite)(database, copy, settling)
        with database.reading() as connection:
            head, sealed = migrations.revision_of(connection).head, vault.lacks(connection)
            return Restored(backup.manifest, head, sealed, settling.erased)


def _require_known(manifest: Manifest, database: Database) -> None:
    if not migrations.knows(manifest.revision):
        raise SchemaNewer("The backup's schema {revision} is of a newer version of kehu.", revision=manifest.revision)
    if manifest.kind == "postgresql" and not database.is_postgres:
        raise Misused(
            "A backup of PostgreSQL cannot be restored into SQLite.",
            remedy="Name a PostgreSQL database under `database:` in kehu.yaml.",
        )


def _require_free(database: Database, replace: bool) -> None:
    with database.reading() as connection:
        if not replace and not is_empty(connection):
            raise Refused(
                "The database is not empty.",
                remedy="Add --replace to throw away what is in it; make a backup of it before.",
            )
        if database.is_postgres and _others(connection):
            raise Refused(
                "Other processes of kehu use this database.",
                remedy="Stop `kehu up`, the workers and the web process on all machines, then repeat it.",
            )


def _others(connection: Connection) -> int:
    mine = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'kehu' AND pid <> pg_backend_pid()"
    )
    return int(connection.execute(text(mine)).scalar_one())


def _beside(database: Database, path: Path) -> Path:
    """Where a SQLite backup is unpacked: beside the database, else beside the backup."""
    target = path if database.is_postgres else Path(database.url.database or path)
    return target.with_name(f".{target.name}.restoring")


def _unpack(backup: Opened, copy: Path) -> None:
    try:
        with copy.open("wb") as file:
            for chunk in backup.chunks(DATABASE):
                file.write(chunk)
    except OSError as error:
        raise cannot_write(copy, error) from None


def _sqlite(database: Database, copy: Path, settling: _Settling) -> None:
    _prepare(copy, settling.manifest, settling)
    with closing(sqlite3.connect(copy)) as source, database.engine.connect() as connection:
        source.backup(connection.connection.driver_connection)  # type: ignore[arg-type]
    database.dispose()  # what pooled connections remember of the old content is worth nothing


def _prepare(copy: Path, manifest: Manifest, settling: _Settling | None) -> None:
    """Check the unpacked copy, bring it to today's schema, and settle what must not go on."""
    made = Database(f"sqlite:///{copy}")
    if settling is not None:
        made.carry(**{VAULT: lambda: settling.again.vault})
    try:
        with made.reading() as connection:
            facts_of(connection).require(manifest.facts)
        migrations.migrate(made)
        if settling is not None:
            with made.transaction() as connection:
                settling(connection)
            erasing.scrub(made)
        with made.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    finally:
        made.dispose()


def _postgres(database: Database, backup: Opened, settling: _Settling) -> None:
    manifest = backup.manifest
    with database.transaction() as connection:
        _begin_anew(connection, manifest.revision)
        for name in _in_order(manifest.tables):
            _copy_in(connection, name, manifest.columns[name], backup.chunks(f"tables/{name}"))
        for sequence, value in manifest.sequences.items():
            connection.execute(text("SELECT setval(CAST(:name AS regclass), :value)"), _quoted(sequence, value))
        facts_of(connection).require(manifest.facts)
        migrations.upgrade_to(connection, "head")
        settling(connection)


def _moved(database: Database, copy: Path, settling: _Settling) -> None:
    """From SQLite to PostgreSQL: row by row, typed by the tables."""
    _prepare(copy, settling.manifest, None)
    source = Database(f"sqlite:///{copy}")
    try:
        with source.reading() as origin, database.transaction() as connection:
            _begin_anew(connection, "head")
            tables = tables_of(origin)
            for table in tables:
                names = [column.name for column in table.columns]
                rows = origin.execution_options(yield_per=2_000).execute(select(table))
                _write_rows(connection, table.name, names, rows)
            _continue_numbers(connection)
            facts_of(connection).require(facts_of(origin))
            settling(connection)
    finally:
        source.dispose()


def _begin_anew(connection: Connection, revision: str) -> None:
    """Our tables, empty, at a revision; whatever else is in the database stays."""
    names = ", ".join(f'"{name}"' for name in (*metadata.tables, REVISION_TABLE))
    connection.execute(text(f"DROP TABLE IF EXISTS {names} CASCADE"))
    connection.execute(text(f"DROP SEQUENCE IF EXISTS {record_id.name}"))
    connection.execute(text("DROP FUNCTION IF EXISTS audit_entry_is_append_only()"))
    migrations.upgrade_to(connection, revision)
    for table in reversed(tables_of(connection)):
        if known.count(connection, table.name):  # what migrations put in; the audit log refuses even empty deletes
            connection.execute(delete(table))


def _in_order(names: Iterable[str]) -> list[str]:
    there = set(names)
    return [table.name for table in metadata.sorted_tables if table.name in there]


def _copy_in(connection: Connection, table: str, columns: list[str], chunks: Iterable[bytes]) -> None:
    with _copying(connection, table, columns) as copy:
        for chunk in chunks:
            copy.write(chunk)


def _write_rows(connection: Connection, table: str, columns: list[str], rows: Iterable[Any]) -> None:
    with _copying(connection, table, columns) as copy:
        for row in rows:
            copy.write_row(tuple(row))


def _copying(connection: Connection, table: str, columns: list[str]) -> Any:
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = connection.connection.driver_connection
    return driver.cursor().copy(f'COPY "{table}" ({names}) FROM STDIN')


def _continue_numbers(connection: Connection) -> None:
    """Sequences go on after the numbers that SQLite has given out."""
    last = connection.execute(select(counter.c.value).where(counter.c.name == "record")).scalar_one_or_none()
    if last:
        connection.execute(text("SELECT setval(CAST(:name AS regclass), :value)"), _quoted(record_id.name, last))
    for table in tables_of(connection):
        for column in table.primary_key.columns:
            serial = connection.execute(
                text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
            ).scalar_one()
            most = connection.execute(select(func.max(column))).scalar_one() if serial else None
            if most:
                values = {"name": serial, "value": most}
                connection.execute(text("SELECT setval(CAST(:name AS regclass), :value)"), values)


def _quoted(sequence: str, value: int) -> dict[str, Any]:
    return {"name": f'"{sequence}"', "value": value}


@dataclass(slots=True)
class _Settling:
    """The end of a restore, in its transaction. ``erased``: persons who were erased again."""

    manifest: Manifest
    by: str
    again: Again
    erased: int = 0

    def __call__(self, connection: Connection) -> None:
        """What must not go on as it was: tokens of a feed that went its own way, sessions, leases, files of exports."""
        tokens.renew(connection)
        for table in (user_session, one_time_link, idempotency_key, lease):
            connection.execute(delete(table))
        ended = export_job.c.state.in_(("queued", "running", "done"))
        connection.execute(update(export_job).where(ended).values(state="expired", file=None))
        if migrations.revision_of(connection).state is not SchemaState.CURRENT:
            raise Refused("The restored database has not today's schema.")
        self.erased = self.again(connection, self.by)
        made = self.manifest
        details = {"made_at": made.made_at.isoformat(), "revision": made.revision, "head": made.head}
        audit.record(connection, self.by, "backup.restored", "database", details | {"erased": self.erased})
