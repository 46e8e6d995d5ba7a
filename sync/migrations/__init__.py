"""The schema's history, and the three things one does with it: ask, migrate, refuse.

Alembic is run by the program; there is no alembic.ini. Migrating is idempotent and safe to start from several
processes: on PostgreSQL an advisory lock lets one of them work, on SQLite the write lock does.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sync.database import Database
from sync.errors import DatabaseUnavailable, Refused, SchemaMismatch, SchemaNewer

FOLDER = Path(__file__).parent
logging.getLogger("alembic").setLevel(logging.WARNING)
_LOCK = 0x6B6568755F6462  # "kehu_db"
LOCK_TIMEOUT_MS = 60_000
"""How long a migration waits for others: first for a concurrent one to end, then for each table it alters."""


class SchemaState(StrEnum):
    """What the database's schema is to this program."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Schema:
    """The revision a database is at, the one this program needs, and what that means."""

    state: SchemaState
    revision: str | None
    head: str


def inspect(database: Database) -> Schema:
    """Look at the database's revision. Raises DatabaseUnavailable."""
    try:
        with database.reading() as connection:
            return _inspect(connection)
    except OperationalError as error:
        raise unavailable(error) from None


def require_current(database: Database) -> None:
    """Raises SchemaMismatch (or SchemaNewer) unless the database is at this program's revision."""
    schema = inspect(database)
    if schema.state is SchemaState.NEWER:
        raise _newer(schema)
    if schema.state is SchemaState.EMPTY:
        raise SchemaMismatch("The database is empty.")
    if schema.state is SchemaState.OLDER:
        raise SchemaMismatch(
            "The database's schema is at {revision}; this version of kehu needs {head}.",
            revision=schema.revision,
            head=schema.head,
        )


def migrate(database: Database) -> tuple[Schema, Schema]:
    """Bring the database to this program's revision; returns what was before and after.

    Raises SchemaNewer for one that a newer program migrated, Refused when others hold it too long,
    DatabaseUnavailable when it cannot be reached.
    """
    try:
        with database.transaction() as connection:
            _lock(connection)
            before = _inspect(connection)
            if before.state is SchemaState.NEWER:
                raise _newer(before)
            if before.state is not SchemaState.CURRENT:
                _upgrade(connection)
            return before, _inspect(connection)
    except DBAPIError as error:
        raise (_busy() if _is_lock_timeout(error) else unavailable(error)) from None


def upgrade_to(connection: Connection, revision: str) -> None:
    """Bring an older schema, or none, to a revision in the caller's transaction; others wait for its end."""
    _lock(connection)
    _upgrade(connection, revision)


def revision_of(connection: Connection) -> Schema:
    """The schema as this transaction sees it."""
    return _inspect(connection)


def knows(revision: str) -> bool:
    """Whether this program has heard of a revision."""
    scripts = ScriptDirectory.from_config(_config())
    return any(script.revision == revision for script in scripts.walk_revisions())


def plan(database: Database) -> str:
    """The SQL that ``migrate`` would run now; empty if there is nothing to do."""
    schema = inspect(database)
    if schema.state in (SchemaState.CURRENT, SchemaState.NEWER):
        return ""
    out = io.StringIO()
    config = _config(out)
    config.attributes["url"] = database.url
    command.upgrade(config, f"{schema.revision or 'base'}:head", sql=True)
    return out.getvalue()


def unavailable(error: DBAPIError) -> DatabaseUnavailable:
    """The driver's error as ours, without the statement, its parameters and any password."""
    reason = (str(error.orig).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
    if any(sign in reason for sign in _NO_ROOM):
        return DatabaseUnavailable(
            "The database cannot be used: {reason}.",
            remedy="Let this user write in the folder of the database, and make room there.",
            reason=reason,
        )
    if any(sign in reason for sign in _DAMAGED):
        return DatabaseUnavailable(
            "The database cannot be used: {reason}.",
            remedy="The file is damaged or not ours: go back to a backup with `kehu restore`, or move it away.",
            reason=reason,
        )
    return DatabaseUnavailable("The database cannot be used: {reason}.", reason=reason)


_NO_ROOM = ("readonly database", "disk is full", "unable to open database file", "disk I/O error")
_DAMAGED = ("file is not a database", "database disk image is malformed")
"""What SQLite says where no server is to blame."""


def _inspect(connection: Connection) -> Schema:
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head() or ""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        return Schema(SchemaState.EMPTY, None, head)
    if revision == head:
        return Schema(SchemaState.CURRENT, revision, head)
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema(SchemaState.OLDER if revision in known else SchemaState.NEWER, revision, head)


def _upgrade(connection: Connection, revision: str = "head") -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config(out: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=out) if out is not None else Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _lock(connection: Connection) -> None:
    """Let one migration work at a time; SQLite's transaction has already taken the write lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _is_lock_timeout(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", "") == "55P03" or "database is locked" in str(error.orig)


def _busy() -> Refused:
    return Refused(
        "The database is in use; the migration waited {seconds} s and changed nothing.",
        remedy="Stop the workers and other programs that use the database, then run `kehu db migrate` again.",
        seconds=LOCK_TIMEOUT_MS // 1000,
    )


def _newer(schema: Schema) -> SchemaNewer:
    return SchemaNewer(
        "The database's schema {revision} was made by a newer version of kehu; this one knows {head}.",
        revision=schema.revision,
        head=schema.head,
    )
