"""The tables of erasure: what was erased when, and the keyed tombstones that keep it away."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from sync.database import UtcDateTime, metadata

erasure = Table(
    "erasure",
    metadata,
    Column("id", String(20), primary_key=True, comment="public, random"),
    Column("customer_id", BigInteger, nullable=False),
    Column("state", String(10), nullable=False, comment="wiped: files and free pages are left to do; done"),
    Column("requested_by", String(200), nullable=False, comment="as the audit log names them"),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("counts", Text, nullable=False, comment="JSON: how many of what; no personal data"),
    Column("receipt", Text, comment="JSON, signed"),
    Index("ix_erasure_customer_id", "customer_id"),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("mark", String(64), primary_key=True, comment="HMAC-SHA256, hexadecimal"),
    Column("kind", String(8), nullable=False, comment="record: of a source record's address; contact"),
    Column("erasure_id", String(20), nullable=False, index=True),
    comment="Whom a sync must not bring back. Without the key nobody can tell who it was.",
)

erasure_key = Table(
    "erasure_key",
    metadata,
    Column("name", String(20), primary_key=True, comment="marks, or receipts"),
    Column("sealed", LargeBinary, nullable=False, comment="by the vault"),
    Column("public", LargeBinary, comment="receipts: what others verify with (Ed25519)"),
)
