"""The table of exports that were asked for over the REST interface."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from sync.database import UtcDateTime, metadata
from sync.master.tables import BigId

export_job = Table(
    "export_job",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("request", Text, nullable=False, comment="JSON: format, encoding, filters, fields, masked"),
    Column("masked", Boolean, nullable=False, comment="personal data is masked"),
    Column("state", String(10), nullable=False, comment="queued, running, done, failed or expired"),
    Column("records", BigInteger, nullable=False, server_default="0", comment="written so far"),
    Column("expected", BigInteger, comment="how many there will be, if that can be told before"),
    Column("bytes", BigInteger),
    Column("sha256", String(64), comment="of the whole file, hexadecimal"),
    Column("token", String(60), comment="where the change feed goes on"),
    Column("replaced", BigInteger, nullable=False, server_default="0", comment="characters the encoding lacks"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="starts; 3 are the end"),
    Column("file", String(80), comment="name in the folder of exports"),
    Column("error_code", String(60)),
    Column("error", Text, comment="JSON {template, params}"),
    Column("remedy", Text),
    Column("user_id", Integer, nullable=False, comment="whose it is"),
    Column("created_by", String(200), nullable=False, comment="as the audit log names them"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("expires_at", UtcDateTime, comment="the file is deleted then"),
    Index("ix_export_job_state", "state"),
)
