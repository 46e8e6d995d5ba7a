"""The database's clock: the one clock that all workers agree on."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, text

_NOW = {
    "postgresql": "extract(epoch FROM clock_timestamp())::double precision",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}


def expression(dialect: str) -> str:
    """Seconds since the epoch by the database's clock, in SQL."""
    return _NOW[dialect]


def seconds(connection: Connection) -> float:
    """Seconds since the epoch by the database's clock."""
    return float(connection.execute(text(f"SELECT {expression(connection.dialect.name)}")).scalar_one())


def now() -> datetime:
    """The time of this machine, aware, UTC: for what people read, never for deciding who may write."""
    return datetime.now(UTC)
