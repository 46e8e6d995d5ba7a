"""hints of webhooks"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "hint_delivery",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.String(length=200), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_hint_delivery_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", "delivery_id", name=op.f("pk_hint_delivery")),
        comment="Webhooks received already: vendors deliver at least once.",
    )
    op.create_table(
        "hint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column(
            "source_id",
            sa.Text(),
            nullable=True,
            comment="the record that may have changed; null: the webhook names none",
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["stream_state.id"], name=op.f("fk_hint_stream_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hint")),
        comment="What webhooks spoke of and no run has read again yet.",
    )
    op.create_index("ix_hint_stream_id_id", "hint", ["stream_id", "id"])
    covered = "the newest hint when it began: its end covers hints up to this one"
    op.add_column("sync_run", sa.Column("hinted_to", sa.BigInteger(), comment=covered))
