"""counts kept for pages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels = None
depends_on = None

_COUNT = """
INSERT INTO tally (name, value)
SELECT 'records:' || CAST(stream_id AS VARCHAR(20)), count(*) FROM source_record
WHERE deleted_at IS NULL AND part = '' GROUP BY stream_id
UNION ALL
SELECT 'size:' || CAST(CASE WHEN members > 5 THEN 5 ELSE members END AS VARCHAR(20)), count(*) FROM customer
WHERE status = 'active' GROUP BY CASE WHEN members > 5 THEN 5 ELSE members END
UNION ALL
SELECT 'placed', coalesce(sum(members), 0) FROM customer WHERE status = 'active'
"""


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "tally",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False, comment="records:STREAM, size:MEMBERS or placed"),
        sa.Column("value", sa.BigInteger(), nullable=False, comment="how many more, or fewer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally")),
        comment="What transactions changed of the counts that pages show; the sum of a name is the count.",
    )
    op.execute(_COUNT)
