"""The database: engines, transactions, and the one place that knows the dialects' session settings.

Every unit of work is one ``with database.transaction() as connection:``; leaving the block commits, an error rolls
back. Code below the entry points receives the connection and never commits.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, CreateTable

from sync import kept_connections
from sync.kept_connections import GATHERING, USED, KeptConnections

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# Hot queries always go by index; pinned, because a plan flipped by stale statistics cost ten times as much.
# Statements are planned once: for arrays of few values PostgreSQL would plan anew each time, and find the same.
# The time-out frees the row locks of a worker that was stopped in the middle of a page.
_PINNED_PLANS = (
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off "
    "-c idle_in_transaction_session_timeout=30000 -c plan_cache_mode=force_generic_plan"
)


_CARRIED = 16_000
"""Pages of SQLite's write-ahead log (64 MB) before they are carried over. By default it is done after nearly every page
of records, and each page of an index is carried as often as it was written to (measured: 7 % of a first load).
"""
PARTIAL = "where"
"""In the ``info`` of an Index: its condition, in SQL of both dialects. ``postgresql_where`` loads that dialect."""


WITHOUT_ROWID = "without_rowid"
"""In the ``info`` of a Table: SQLite keeps its rows in the primary key. ``sqlite_with_rowid`` loads that dialect."""


@compiles(CreateTable, "sqlite")
def _create_table(element: CreateTable, compiler: Any, **options: Any) -> str:
    statement = str(compiler.visit_create_table(element, **options))
    return f"{statement.rstrip()} WITHOUT ROWID\n\n" if element.element.info.get(WITHOUT_ROWID) else statement


@compiles(CreateIndex)
def _create_index(element: CreateIndex, compiler: Any, **options: Any) -> str:
    statement = str(compiler.visit_create_index(element, **options))
    condition = element.element.info.get(PARTIAL)
    return statement if condition is None else f"{statement} WHERE {condition}"


def database_errors() -> tuple[type[Exception], ...]:
    """What is raised when the database is away, restarting, or has sacrificed us to a deadlock: it passes.

    A driver that was never loaded raises nothing, and is not loaded to be named here.
    """
    psycopg = sys.modules.get("psycopg")
    loaded = () if psycopg is None else (psycopg.OperationalError, psycopg.InterfaceError)
    return (OperationalError, InterfaceError, sqlite3.OperationalError, *loaded)


def upsert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT into the table that can be given ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: only aware values go in, aware UTC values come out, on dialects without time zones too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC) if dialect.name == "postgresql" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One database, embedded (SQLite) or shared (PostgreSQL); safe to use from several threads.

    ``url`` is any SQLAlchemy URL of the two dialects; ``postgresql://`` means psycopg 3.
    """

    def __init__(self, url: str) -> None:
        self.url = _normalised(url)
        self.is_postgres = self.url.get_backend_name() == "postgresql"
        self.engine = _postgres(self.url) if self.is_postgres else _sqlite(self.url)
        self._hot = _postgres(self.url, _PINNED_PLANS) if self.is_postgres else self.engine
        self._kept = KeptConnections(self._hot)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A unit of work: committed when the block ends, rolled back when it raises."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def hot_transaction(self) -> Iterator[Connection]:
        """A unit of work of the sync path: the same as ``transaction``, with plans pinned to indexes."""
        if not self.is_postgres:
            with self.engine.begin() as connection:
                yield connection
            return
        connection = self._kept.take()
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._kept.keep(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent read: one snapshot, nothing written."""
        with self.engine.connect() as connection:
            if self.is_postgres:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            else:
                connection = connection.execution_options(kehu_read_only=True)
            with connection.begin():
                yield connection

    def hot_reading(self) -> AbstractContextManager[Connection]:
        """Small questions of the sync path, on PostgreSQL by a connection that it has anyway: another one takes longer
        than all of them. There each statement has a snapshot of its own.
        """
        return self.hot_transaction() if self.is_postgres else self.reading()

    def let_go(self) -> None:
        """What this thread announced to do after its last commit is not going to be done: the transaction that began
        with that commit ends, and with it the locks that it took ahead.
        """
        self._kept.let_go()

    def carry(self, **options: Any) -> None:
        """What connections bring along to whoever is given one (``Connection.get_execution_options``)."""
        self._kept.close()
        for engine in {self.engine, self._hot}:
            engine.update_execution_options(**options)

    def dispose(self) -> None:
        """Close all pooled connections."""
        self._kept.close()
        self.engine.dispose()
        self._hot.dispose()


def _normalised(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _postgres(url: URL, options: str = "") -> Engine:
    settings: dict[str, Any] = {"application_name": "kehu", "connect_timeout": 10}
    if options:  # the sync path prepares its statements itself (sync.master.prepared)
        settings |= {"options": options, "prepare_threshold": None}
    engine = create_engine(
        url,
        connect_args=settings,
        use_native_hstore=False,  # we have none: saves asking for it
        pool_size=5,
        max_overflow=20,
        pool_recycle=1800,
    )
    if options:
        _follow(engine)
        engine.dialect.do_commit = _commit  # type: ignore[method-assign, assignment]
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", lambda driver, record, _: _ping_idle(engine, driver, record))
    return engine


def _follow(engine: Engine) -> None:
    """Whoever gathers statements sends them before SQLAlchemy sends any, or commits; forgets them with a rollback."""
    for moment, act in (
        ("before_cursor_execute", "flush"),
        ("commit", "commit"),
        ("rollback", "drop"),
        ("rollback_savepoint", "drop"),
    ):
        event.listen(engine, moment, partial(_told, act))


def _told(act: str, connection: Connection, *_: Any) -> None:
    if not connection.invalidated:
        gathering = connection.info.get(GATHERING)
        if gathering is not None:
            getattr(gathering, act)()


def _commit(driver: Any) -> None:
    """What SQLAlchemy does to commit, unless that is done and the next transaction has begun."""
    gathering = driver.info.get(GATHERING)
    if gathering is None or not gathering.has_begun:
        driver.commit()


def _note_use(_driver: Any, record: Any) -> None:
    record.info[USED] = monotonic()


def _ping_idle(engine: Engine, driver: Any, record: Any) -> None:
    """Like the pool's own pre-ping, but not of a connection that was in use a moment ago."""
    if monotonic() - record.info.get(USED, 0.0) < kept_connections.TRUSTED and not driver.closed:
        return
    try:
        alive = engine.dialect.do_ping(driver)
    except engine.dialect.loaded_dbapi.Error:
        alive = False
    if not alive:
        raise InvalidatePoolError


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 60, "check_same_thread": False})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is switched off: it would not take the write lock up front.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "busy_timeout=60000",
        "cache_size=-65536",
        "temp_store=MEMORY",
        f"wal_autocheckpoint={_CARRIED}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read snapshot later fails under concurrency.
    read_only = connection.get_execution_options().get("kehu_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
