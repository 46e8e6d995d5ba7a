"""the version since which features stand"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    for table, comment in (
        ("crosswalk", "the one since which its features stood; null: this one"),
        ("source_record", "the version since which the features stand; null: this one"),
    ):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("features_version", sa.Integer(), nullable=True, comment=comment))
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.create_table_comment(
            "match_edge",
            "Evidence between two records (left < right); it counts only while both hold the features compared.",
        )
        for column in ("left_version", "right_version"):
            op.alter_column("match_edge", column, comment="of the features that were compared")
