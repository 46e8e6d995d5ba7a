"""versions of mappings"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "mapping_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection", sa.String(length=80), nullable=False),
        sa.Column("stream", sa.String(length=120), nullable=False),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="counts the versions of the stream's mapping, from 1"
        ),
        sa.Column("contents", sa.Text(), nullable=False, comment="the file as it was"),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mapping_version")),
        comment="What mapping files held when they were published.",
    )
    with op.batch_alter_table("mapping_version", schema=None) as batch_op:
        batch_op.create_index("uq_mapping_version_number", ["connection", "stream", "number"], unique=True)
