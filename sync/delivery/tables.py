"""The tables of webhooks: endpoints, what is still to be delivered, the log of attempts, and what happened to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from sync.database import UtcDateTime, metadata
from sync.master.tables import BigId

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", String(20), primary_key=True, comment="public"),
    Column("url", Text, nullable=False),
    Column("description", String(200), nullable=False, server_default=""),
    Column("types", Text, nullable=False, comment="JSON list of event types; empty: all"),
    Column("payload", String(10), nullable=False, comment="full, or thin: without personal data"),
    Column("state", String(10), nullable=False, comment="active or disabled"),
    Column("reason", String(20), comment="why it is disabled: by_hand, gone or failing"),
    Column("secret", LargeBinary, nullable=False, comment="sealed"),
    Column("old_secret", LargeBinary, comment="sealed; signs too, until old_secret_until"),
    Column("old_secret_until", UtcDateTime),
    Column("position", BigInteger, nullable=False, comment="changes up to this one are delivered, or in webhook_due"),
    Column("revision", Integer, nullable=False, comment="grows with every change made by people"),
    Column("failures", Integer, nullable=False, server_default="0", comment="in a row, of whatever customers"),
    Column("failing_since", UtcDateTime),
    Column("resume_at", Float, nullable=False, server_default="0", comment="epoch seconds: nothing is sent before"),
    Column("delivered_at", UtcDateTime, comment="the latest success"),
    Column("created_by", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

webhook_due = Table(
    "webhook_due",
    metadata,
    Column("endpoint_id", String(20), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="the change"),
    Column("customer_id", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False, comment="epoch seconds; later ones of the customer wait too"),
    comment="What is still to be delivered: one customer's events strictly in order.",
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("endpoint_id", String(20), nullable=False),
    Column("seq", BigInteger, comment="the change; null: a test"),
    Column("customer_id", BigInteger),
    Column("type", String(30), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("outcome", String(10), nullable=False, comment="delivered, failed or given_up"),
    Column("attempt", Integer, nullable=False, comment="counts the tries of this event, from 1"),
    Column("status", Integer, comment="HTTP; null: no answer"),
    Column("url", Text, nullable=False, comment="as it was, secrets masked"),
    Column("error", Text, comment="English template and parameters as JSON"),
    Column("answer", Text, nullable=False, server_default="", comment="the beginning of the body, masked"),
    Index("ix_webhook_attempt_endpoint_id_id", "endpoint_id", "id"),
    Index("ix_webhook_attempt_customer_id", "customer_id"),
    comment="The delivery log. Bodies sent are not kept: they are made again from the change.",
)

webhook_notice = Table(
    "webhook_notice",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("endpoint_id", String(20), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(20), nullable=False, comment="failing, recovered, disabled, enabled or given_up"),
    Column("text", Text, nullable=False, comment="English template and parameters as JSON"),
    Index("ix_webhook_notice_endpoint_id_id", "endpoint_id", "id"),
    comment="Alerts: one row when something changes its state, none while it stays so.",
)
