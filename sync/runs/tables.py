"""The tables of connections, streams and runs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from sync.database import PARTIAL, UtcDateTime, metadata
from sync.master.tables import UNCOMPRESSED_IDS, BigId


def _pause_columns() -> list[Column[str]]:
    """Why something does not run: on the row itself, so that no one has to look into a log."""
    return [
        Column("state", String(10), nullable=False, server_default="active", comment="active or paused"),
        Column("reason_code", String(60)),
        Column("reason", Text, comment="English template and parameters as JSON: {template, params}"),
        Column("remedy", Text, comment="English template; filled with the same parameters"),
    ]


connection = Table(
    "connection",
    metadata,
    Column("id", Integer, primary_key=True, comment="also the seniority of its records: first configured first"),
    Column("name", String(80), nullable=False, unique=True),
    Column("connector", String(80), nullable=False),
    *_pause_columns(),
    Column("created_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
)

stream_state = Table(
    "stream_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("connection_id", Integer, ForeignKey("connection.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("priority", Integer, nullable=False, server_default="100", comment="survivorship: lower wins"),
    Column("generation", Integer, nullable=False, server_default="0", comment="counts the full reads begun"),
    Column(
        "closed_generation",
        Integer,
        nullable=False,
        server_default="0",
        comment="the last full read that ended, its deletes swept; below generation: one is open",
    ),
    Column("full_began_at", UtcDateTime, comment="when the newest full read began"),
    Column("swept_at", UtcDateTime, comment="when deletes were last looked for"),
    Column("declared", Text, comment="what the connector last said the stream can do: JSON"),
    Column("mapping_fingerprint", String(80)),
    Column("shape", Text, comment="the known schema as JSON, for drift detection"),
    *_pause_columns(),
    Column("succeeded_at", UtcDateTime, comment="end of the last run without a fault"),
    UniqueConstraint("connection_id", "name"),
)

stream_cursor = Table(
    "stream_cursor",
    metadata,
    Column("stream_id", Integer, ForeignKey("stream_state.id"), primary_key=True),
    Column(
        "run_id",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="0: the stream's own position; else the backfill whose own position this is",
    ),
    Column("partition", String(120), primary_key=True),
    Column("cursor", Text, comment="JSON, opaque"),
    Column("reading", String(12), nullable=False, comment="full or incremental: what the cursor is in the middle of"),
    Column("complete", Boolean, nullable=False, comment="the read ended; the next one may be incremental"),
    Column("pages", Integer, nullable=False, server_default="0", comment="pages of this read stored so far"),
    Column("updated_at", UtcDateTime, nullable=False),
)

seen_page = Table(
    "seen_page",
    metadata,
    Column("stream_id", Integer, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("partition", String(120), primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("record_ids", LargeBinary, nullable=False, comment="int64 little-endian: records seen on this page"),
    comment="Which records a full read has seen, so that the sweep of deletes survives a crash.",
)
event.listen(seen_page, "after_create", UNCOMPRESSED_IDS)

sync_run = Table(
    "sync_run",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream_id", Integer, ForeignKey("stream_state.id"), nullable=False),
    Column("mode", String(12), nullable=False, comment="full, incremental or backfill"),
    Column(
        "status", String(12), nullable=False, comment="queued, running, waiting, succeeded, partial, failed, cancelled"
    ),
    Column("trigger", String(20), nullable=False, comment="manual, schedule, webhook or recovery"),
    Column("since", UtcDateTime),
    Column("until", UtcDateTime),
    Column("generation", Integer, comment="the full read it takes part in; null until it has begun"),
    Column("hinted_to", BigInteger, comment="the newest hint when it began: its end covers hints up to this one"),
    Column("accepted_deletes", Integer, comment="so many deletes a human has allowed"),
    Column("pages", Integer, nullable=False, server_default="0"),
    Column("read", BigInteger, nullable=False, server_default="0"),
    Column("created", BigInteger, nullable=False, server_default="0"),
    Column("updated", BigInteger, nullable=False, server_default="0"),
    Column("unchanged", BigInteger, nullable=False, server_default="0"),
    Column("quarantined", BigInteger, nullable=False, server_default="0"),
    Column("deleted", BigInteger, nullable=False, server_default="0"),
    Column("ignored", BigInteger, nullable=False, server_default="0", comment="quarantined, but a human said: ignore"),
    Column("expected", BigInteger, comment="how many records the source says it has"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="starts without progress; 3 are the end"),
    Column("retries", Integer, nullable=False, server_default="0", comment="passing faults in a row"),
    Column("waiting_until", UtcDateTime),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("error_code", String(60)),
    Column("error", Text, comment="JSON {template, params}"),
    Column("remedy", Text),
    Column("rung_at", Float, comment="when its message was last sent, by the database's clock"),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("ix_sync_run_stream_id_id", "stream_id", "id"),
    Index(
        "ix_sync_run_open",
        "status",
        info={PARTIAL: "finished_at IS NULL"},
    ),
)

run_event = Table(
    "run_event",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("run_id", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("level", String(8), nullable=False),
    Column("text", Text, nullable=False, comment="JSON {template, params}"),
    Index("ix_run_event_run_id_id", "run_id", "id"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream_id", Integer, ForeignKey("stream_state.id"), nullable=False),
    Column("source_id", Text, nullable=False),
    Column("run_id", BigInteger),
    Column("state", String(10), nullable=False, comment="open, ignored or resolved"),
    Column("code", String(60), nullable=False),
    Column("path", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("message", Text, nullable=False, comment="JSON {template, params}"),
    Column("remedy", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False, comment="the record as received, readable or not"),
    Column("changed_at", Text, comment="the source's change stamp of the payload"),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("note", Text),
    Index(
        "uq_quarantine_open",
        "stream_id",
        "source_id",
        unique=True,
        info={PARTIAL: "state = 'open'"},
    ),
)

hint = Table(
    "hint",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream_id", Integer, ForeignKey("stream_state.id"), nullable=False),
    Column("source_id", Text, comment="the record that may have changed; null: the webhook names none"),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_hint_stream_id_id", "stream_id", "id"),
    comment="What webhooks spoke of and no run has read again yet.",
)

hint_delivery = Table(
    "hint_delivery",
    metadata,
    Column("connection_id", Integer, ForeignKey("connection.id"), primary_key=True),
    Column("delivery_id", String(200), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    comment="Webhooks received already: vendors deliver at least once.",
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("owner", String(120), nullable=False),
    Column("fence", BigInteger, nullable=False, comment="grows with every change of hands; old numbers cannot commit"),
    Column("expires_at", Float, nullable=False, comment="seconds since the epoch by the database's clock"),
    Column("beat_at", Float, nullable=False),
)

schedule = Table(
    "schedule",
    metadata,
    Column("stream_id", Integer, ForeignKey("stream_state.id"), primary_key=True),
    Column("every_seconds", Float, nullable=False),
    Column("next_at", Float, nullable=False, comment="seconds since the epoch; advanced by compare-and-set"),
)

landing_try = Table(
    "landing_try",
    metadata,
    Column("landing_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tries", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    comment="How often the sweeper began to resolve a landing; after 3 it is left alone and shown.",
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream_id", Integer, ForeignKey("stream_state.id"), nullable=False),
    Column("run_id", BigInteger),
    Column("at", UtcDateTime, nullable=False),
    Column("source_count", BigInteger, nullable=False),
    Column("live_count", BigInteger, nullable=False),
    Column("source_checksum", String(16), nullable=False, comment="sum of xxh3-64 of all keys, hexadecimal"),
    Column("live_checksum", String(16), nullable=False),
    Column("missing_count", BigInteger, nullable=False, comment="in the source, not in the master"),
    Column("extra_count", BigInteger, nullable=False, comment="in the master, not in the source"),
    Column("quarantined", BigInteger, nullable=False, comment="of the missing: open in quarantine"),
    Column("sample", Text, nullable=False, comment="JSON {missing, extra}: the first keys of each"),
    Index("ix_reconciliation_stream_id_id", "stream_id", "id"),
)
