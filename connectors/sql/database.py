"""Reaching the database: a guarded, read-only connection, and every fault as one of the contract's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from connectors.contract import Context
from connectors.errors import (
    AddressRefused,
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RetryLater,
    SchemaDrift,
    StreamBroken,
)
from connectors.guard import AddressGuard
from connectors.sql.config import SqlConfig

PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}
_REDIRECTING = {
    *("host", "hostaddr", "port", "service", "servicefile", "passfile", "unix_socket", "options"),
    *("read_default_file", "read_default_group", "odbc_connect", "local_infile", "init_command"),
}
"""Parameters of drivers by which a URL would lead elsewhere, or change what the session may do."""

_CREDENTIALS = ("password", "authentication", "access denied", "login failed", "pg_hba", "role ")
_MISSING = ("no such table", "no such column", "does not exist", "unknown column", "doesn't exist", "invalid column")
_STATES = {
    "28": BadCredentials,
    "42501": PermissionMissing,
    "42P01": SchemaDrift,
    "42703": SchemaDrift,
    "3D": BadConfiguration,
    "42": BadConfiguration,
    "22": StreamBroken,
    "25": PermissionMissing,
}
"""What the engine does by SQLSTATE, the longest prefix first; all others may pass by themselves."""


class Database:
    """One database. The engine is made on first use; ``writable`` connections exist only for streams that allow it."""

    def __init__(self, config: SqlConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine; raises BadConfiguration for an URL that cannot be used."""
        if self._engine is None:
            self._engine = self._make()
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that cannot write; faults come as connector errors."""
        with self._faults(), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            elif connection.dialect.name in ("mysql", "mariadb"):
                connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that commits at the end of the block."""
        with self._faults(), self._make(writable=True).begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            raise translate(error, self._config.url.get_secret_value()) from None
        except (sqlite3.Error, OSError) as error:
            raise translate(exc.DBAPIError(None, None, error), "") from None

    def _make(self, *, writable: bool = False) -> Engine:
        try:
            url = make_url(self._config.url.get_secret_value())
            if url.get_backend_name() == "sqlite":
                return self._sqlite(url, writable)
            return self._server(url)
        except (exc.ArgumentError, ValueError):
            raise BadConfiguration(
                "The database's URL cannot be read.",
                setting="url",
                remedy="Write it like postgresql+psycopg://user:password@host:5432/database; "
                "in a password, write special characters as %40 and the like.",
            ) from None
        except (exc.NoSuchModuleError, ImportError) as error:
            raise BadConfiguration(
                "The driver for this database is not installed: {reason}.",
                setting="url",
                remedy="Install it into kehu's environment, e.g. pip install pymysql.",
                reason=str(error)[:120],
            ) from None

    def _sqlite(self, url: URL, writable: bool) -> Engine:
        path = self._sqlite_path(url)
        source = f"file:{quote(str(path))}?mode={'rw' if writable else 'ro'}"
        tolerant = self._config.bytes not in ("base64", "hex")

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                source, uri=True, timeout=self._config.timeout, check_same_thread=False, isolation_level=None
            )
            connection.execute("PRAGMA trusted_schema = OFF")
            if not writable:
                connection.execute("PRAGMA query_only = ON")
            if tolerant:
                connection.text_factory = self._decode
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
        if writable:  # the driver itself begins no transaction for a savepoint
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine

    def tolerate(self, connection: Connection) -> None:
        """Let texts of this SQLite connection hold any bytes; slower, so only once one did."""
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - only SQLite gives such texts
        driver.text_factory = self._decode

    def _decode(self, data: bytes) -> str:
        """Text as SQLite stores it: UTF-8, or, in databases of old programs, any bytes."""
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            known = self._config.bytes
            return data.decode("utf-8" if known in ("base64", "hex") else known, "surrogateescape")

    def _sqlite_path(self, url: URL) -> Path:
        name = url.database or ""
        if name in ("", ":memory:") or name.startswith("file:") or "\0" in name:
            raise BadConfiguration("An SQLite URL must name a file: sqlite:///erp.db.", setting="url")
        folder = self._context.folder.resolve()
        path = (folder / name).resolve()
        if not self._config.outside and not path.is_relative_to(folder):
            raise BadConfiguration(
                "The SQLite file {file} lies outside the project folder.",
                setting="url",
                remedy="Put it into the project folder, or set `outside: true` for this connection.",
                file=path.name,
            )
        if not path.is_file():
            raise BadConfiguration("There is no SQLite file {file}.", setting="url", file=path.name)
        return path

    def _server(self, url: URL) -> Engine:
        refused = sorted(set(url.query) & _REDIRECTING)
        if refused:
            raise BadConfiguration(
                "The parameter {name} is not allowed in a database URL.", setting="url", name=refused[0]
            )
        port = url.port or PORTS.get(url.get_backend_name(), 0)
        if not url.host:
            raise AddressRefused("The database's URL names no host.", setting="url")
        targets = AddressGuard(self._context.allow_private).targets(url.host, port)
        addresses = list(dict.fromkeys(target.address for target in targets))
        engine = create_engine(
            url, poolclass=NullPool, connect_args=self._arguments(url, addresses), hide_parameters=True
        )
        if url.get_backend_name() == "postgresql":
            event.listen(engine, "connect", self._limit_statements)
        return engine

    def _arguments(self, url: URL, addresses: list[str]) -> dict[str, Any]:
        """What the driver needs to dial exactly the checked addresses, and not to wait for ever."""
        if url.get_driver_name() == "psycopg":
            hosts = ",".join([url.host or ""] * len(addresses))
            return {"host": hosts, "hostaddr": ",".join(addresses), "connect_timeout": self._config.timeout}
        if url.get_backend_name() in ("mysql", "mariadb"):
            return {"connect_timeout": self._config.timeout}
        return {}

    def _limit_statements(self, connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {self._config.timeout * 1000}")
        connection.commit()


def translate(error: exc.SQLAlchemyError, url: str) -> ConnectorError:
    """The connector error for a fault of the database or its driver; its text holds neither statement nor password."""
    orig = getattr(error, "orig", None)
    reason = _reason(orig if orig is not None else error, url)
    kind = _kind(getattr(orig, "sqlstate", None), reason.lower(), error)
    if kind is BadCredentials:
        return BadCredentials("The database refused the login given in `url`.", remedy=_LOGIN_REMEDY)
    if kind is RetryLater:
        return RetryLater(
            "The database did not answer: {reason}.",
            reason=reason,
            remedy="It is tried again by itself. If it persists, check host and port in `url`, and whether a firewall "
            "is in the way.",
        )
    if kind is PermissionMissing:
        return PermissionMissing("The database does not allow this: {reason}.", reason=reason)
    if kind is SchemaDrift:
        return SchemaDrift("A table or column is missing: {reason}.", reason=reason)
    if kind is StreamBroken:
        return StreamBroken("The database could not give a value: {reason}.", reason=reason)
    return BadConfiguration("The database cannot be read: {reason}.", setting="url", reason=reason)


_LOGIN_REMEDY = "Correct user and password in `url`; see the connector's README for a read-only user."


def _kind(state: str | None, reason: str, error: exc.SQLAlchemyError) -> type[ConnectorError]:
    for prefix in (state, state[:2]) if state else ():
        if prefix in _STATES:
            return _STATES[prefix]
    if any(sign in reason for sign in ("file is not a database", "malformed", "unable to open")):
        return BadConfiguration
    if any(sign in reason for sign in ("readonly", "read-only", "authorized")):
        return PermissionMissing
    if "database" in reason and "does not exist" in reason:
        return BadConfiguration
    if any(sign in reason for sign in _CREDENTIALS):
        return BadCredentials
    if any(sign in reason for sign in _MISSING) or isinstance(error, exc.NoSuchTableError):
        return SchemaDrift
    if isinstance(error, exc.DataError):
        return StreamBroken
    if isinstance(error, exc.ProgrammingError | exc.CompileError | exc.ArgumentError) or "syntax error" in reason:
        return BadConfiguration
    return RetryLater


def _reason(error: BaseException, url: str) -> str:
    """The first line of the driver's message, short, without the password."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    try:
        password = make_url(url).password if url else None
    except (exc.ArgumentError, ValueError):
        password = None
    if password:
        text = text.replace(str(password), "***")
    return text[:200].rstrip(".")
