"""The tables of alerts: how everything stands, and what is still to be told to whom."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from sync.database import UtcDateTime, metadata
from sync.master.tables import BigId

alert_state = Table(
    "alert_state",
    metadata,
    Column("kind", String(20), primary_key=True, comment="connection, stream, quarantine or webhook"),
    Column("subject", String(250), primary_key=True, comment="what it is about, e.g. erp or erp.customers"),
    Column("wrong", Boolean, nullable=False, comment="as seen last"),
    Column("since", UtcDateTime, nullable=False, comment="seen so since"),
    Column("told", Boolean, nullable=False, comment="what people were told last"),
    Column("told_at", UtcDateTime),
    Column("text", Text, comment="why it is wrong: JSON {template, params}"),
    Column("remedy", Text),
    comment="What alerts are about. People are told when `wrong` and `told` have differed for some time.",
)

alert_notice = Table(
    "alert_notice",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("channel", String(10), nullable=False, comment="webhook or email"),
    Column("kind", String(20), nullable=False),
    Column("subject", String(250), nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("text", Text, nullable=False, comment="JSON {template, params}"),
    Column("remedy", Text),
    Column("at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Float, nullable=False, comment="epoch seconds; also how a sender claims it"),
    Column("state", String(10), nullable=False, comment="due, sent or given_up"),
    Column("error", Text, comment="of the last attempt: JSON {template, params}"),
    Index("ix_alert_notice_state", "state", "next_at"),
    comment="The outbox: written with the change of state, sent until it is received.",
)
