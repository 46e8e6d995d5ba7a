"""lists of ids are not compressed"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision: str | None = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision: PostgreSQL took a millisecond to compress the ids of a page, which are deleted
    soon.
    """
    if op.get_bind().dialect.name == "postgresql":
        for table in ("landing", "seen_page"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN record_ids SET STORAGE EXTERNAL")
