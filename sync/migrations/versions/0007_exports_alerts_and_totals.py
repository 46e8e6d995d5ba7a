"""exports alerts and totals"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "alert_notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False, comment="webhook or email"),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=250), nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="JSON {template, params}"),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False, comment="epoch seconds; also how a sender claims it"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="due, sent or given_up"),
        sa.Column("error", sa.Text(), nullable=True, comment="of the last attempt: JSON {template, params}"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notice")),
        comment="The outbox: written with the change of state, sent until it is received.",
    )
    with op.batch_alter_table("alert_notice", schema=None) as batch_op:
        batch_op.create_index("ix_alert_notice_state", ["state", "next_at"], unique=False)

    op.create_table(
        "alert_state",
        sa.Column("kind", sa.String(length=20), nullable=False, comment="connection, stream, quarantine or webhook"),
        sa.Column(
            "subject", sa.String(length=250), nullable=False, comment="what it is about, e.g. erp or erp.customers"
        ),
        sa.Column("wrong", sa.Boolean(), nullable=False, comment="as seen last"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="seen so since"),
        sa.Column("told", sa.Boolean(), nullable=False, comment="what people were told last"),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("text", sa.Text(), nullable=True, comment="why it is wrong: JSON {template, params}"),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("pk_alert_state")),
        comment="What alerts are about. People are told when `wrong` and `told` have differed for some time.",
    )
    op.create_table(
        "export_job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request", sa.Text(), nullable=False, comment="JSON: format, encoding, filters, fields, masked"),
        sa.Column("masked", sa.Boolean(), nullable=False, comment="personal data is masked"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="queued, running, done, failed or expired"),
        sa.Column("records", sa.BigInteger(), server_default="0", nullable=False, comment="written so far"),
        sa.Column(
            "expected", sa.BigInteger(), nullable=True, comment="how many there will be, if that can be told before"
        ),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True, comment="of the whole file, hexadecimal"),
        sa.Column("token", sa.String(length=60), nullable=True, comment="where the change feed goes on"),
        sa.Column(
            "replaced", sa.BigInteger(), server_default="0", nullable=False, comment="characters the encoding lacks"
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="starts; 3 are the end"),
        sa.Column("file", sa.String(length=80), nullable=True, comment="name in the folder of exports"),
        sa.Column("error_code", sa.String(length=60), nullable=True),
        sa.Column("error", sa.Text(), nullable=True, comment="JSON {template, params}"),
        sa.Column("remedy", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=False, comment="whose it is"),
        sa.Column("created_by", sa.String(length=200), nullable=False, comment="as the audit log names them"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True, comment="the file is deleted then"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_job")),
    )
    with op.batch_alter_table("export_job", schema=None) as batch_op:
        batch_op.create_index("ix_export_job_state", ["state"], unique=False)

    op.create_table(
        "run_total",
        sa.Column("stream_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("ignored", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "status", name=op.f("pk_run_total")),
        comment="Sums over runs that were forgotten; with those that are not, counters that never fall.",
    )
