"""webhooks and causes of changes"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endpoint_id", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True, comment="the change; null: a test"),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False, comment="delivered, failed or given_up"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="counts the tries of this event, from 1"),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP; null: no answer"),
        sa.Column("url", sa.Text(), nullable=False, comment="as it was, secrets masked"),
        sa.Column("error", sa.Text(), nullable=True, comment="English template and parameters as JSON"),
        sa.Column("answer", sa.Text(), server_default="", nullable=False, comment="the beginning of the body, masked"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempt")),
        comment="The delivery log. Bodies sent are not kept: they are made again from the change.",
    )
    with op.batch_alter_table("webhook_attempt", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_attempt_customer_id", ["customer_id"], unique=False)
        batch_op.create_index("ix_webhook_attempt_endpoint_id_id", ["endpoint_id", "id"], unique=False)

    op.create_table(
        "webhook_due",
        sa.Column("endpoint_id", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False, comment="the change"),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False, comment="epoch seconds; later ones of the customer wait too"),
        sa.PrimaryKeyConstraint("endpoint_id", "seq", name=op.f("pk_webhook_due")),
        comment="What is still to be delivered: one customer's events strictly in order.",
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=20), nullable=False, comment="public"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=200), server_default="", nullable=False),
        sa.Column("types", sa.Text(), nullable=False, comment="JSON list of event types; empty: all"),
        sa.Column("payload", sa.String(length=10), nullable=False, comment="full, or thin: without personal data"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="active or disabled"),
        sa.Column(
            "reason", sa.String(length=20), nullable=True, comment="why it is disabled: by_hand, gone or failing"
        ),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True, comment="sealed; signs too, until old_secret_until"),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "position",
            sa.BigInteger(),
            nullable=False,
            comment="changes up to this one are delivered, or in webhook_due",
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="grows with every change made by people"),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False, comment="in a row, of whatever customers"
        ),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "resume_at", sa.Float(), server_default="0", nullable=False, comment="epoch seconds: nothing is sent before"
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True, comment="the latest success"),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_table(
        "webhook_notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endpoint_id", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "kind", sa.String(length=20), nullable=False, comment="failing, recovered, disabled, enabled or given_up"
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="English template and parameters as JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_notice")),
        comment="Alerts: one row when something changes its state, none while it stays so.",
    )
    with op.batch_alter_table("webhook_notice", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_notice_endpoint_id_id", ["endpoint_id", "id"], unique=False)

    why = "JSON: kind, and what names it; see sync.master.cause"
    op.add_column("change", sa.Column("cause", sa.Text(), comment=why))
    # Which feed a token belongs to: a copy of the database that goes its own way gets another number.
    op.execute(f"INSERT INTO counter (name, value) VALUES ('feed', {secrets.randbits(62)})")  # noqa: S608
