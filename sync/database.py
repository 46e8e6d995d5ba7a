"""The database: engines, transactions, and the one place that knows the dialects' session settings.

Every unit of work is one ``with database.transaction() as connection:``; leaving the block commits, an error rolls
back. Code below the entry points receives the connection and never commits.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from threading import get_ident
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


GATHERING = "kehu.gathering"
"""In a connection's ``info``: whoever sends statements below SQLAlchemy, some of them later than they were said."""
_USED = "kehu.used"
_TRUSTED = 1.0
"""A connection that was in use so many seconds ago is taken to be there; else it is asked. Costs a sixth of a
transaction of one record.
"""
_KEPT = 5
"""So many connections of the sync path stay taken from their pool."""
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
        self._kept = Kept(self._hot)

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


class Kept:
    """Connections that stay taken from their pool between two units of work that follow closely: taking and giving
    back costs as much as ten small statements.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[tuple[Connection, float]] = []
        self._begun: dict[int, tuple[Connection, float]] = {}

    def take(self) -> Connection:
        """The one on which this thread's transaction has begun; else the one that was used last, if that was a moment
        ago; else one from the pool, which asks whether it is there.
        """
        if self._begun and (begun := self._taken(get_ident())) is not None:
            return begun
        while self._idle:
            with suppress(IndexError):  # another thread took the last one
                connection, used = self._idle.pop()
                if monotonic() - used < _TRUSTED and not connection.closed and not connection.invalidated:
                    return connection
                _give_back(connection, used)
        return self._engine.connect()

    def keep(self, connection: Connection) -> None:
        """For the next one to take; not if somebody left a transaction open on it, which giving back ends."""
        gathering = connection.info.get(GATHERING)
        if gathering is not None and gathering.has_begun:
            self._begun[get_ident()] = connection, monotonic()
            return
        driver = connection.connection.driver_connection
        if len(self._idle) < _KEPT and not connection.in_transaction() and _is_idle(driver):
            self._idle.append((connection, monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        """Give all of them back."""
        for thread in list(self._begun):
            self._end(thread)
        while self._idle:
            with suppress(IndexError):
                _give_back(*self._idle.pop())

    def _taken(self, thread: int) -> Connection | None:
        """The connection on which a thread's transaction has begun. Those that were left longer than a moment are given
        back: they hold locks.
        """
        for one, (_, since) in list(self._begun.items()):
            if monotonic() - since > _TRUSTED:
                self._end(one)
        begun = self._begun.pop(thread, None)
        if begun is None:
            return None
        begun[0].info[GATHERING].go_on()
        return begun[0]

    def _end(self, thread: int) -> None:
        """Roll back what nobody went on with."""
        begun = self._begun.pop(thread, None)
        if begun is not None:
            begun[0].info[GATHERING].drop()
            begun[0].close()


def _is_idle(driver: Any) -> bool:
    return bool(driver.pgconn.transaction_status == 0)


def _give_back(connection: Connection, used: float) -> None:
    info = {} if connection.closed or connection.invalidated else connection.info
    connection.close()
    info[_USED] = used  # it was not in use while it was kept


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
    record.info[_USED] = monotonic()


def _ping_idle(engine: Engine, driver: Any, record: Any) -> None:
    """Like the pool's own pre-ping, but not of a connection that was in use a moment ago."""
    if monotonic() - record.info.get(_USED, 0.0) < _TRUSTED and not driver.closed:
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
