"""What runs have done in all: counters that go on when runs are forgotten."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from sync.database import metadata

run_total = Table(
    "run_total",
    metadata,
    Column("stream_id", Integer, primary_key=True, autoincrement=False),
    Column("status", String(12), primary_key=True),
    Column("runs", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("ignored", BigInteger, nullable=False),
    comment="Sums over runs that were forgotten; with those that are not, counters that never fall.",
)
