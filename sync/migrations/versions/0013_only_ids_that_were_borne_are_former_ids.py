"""only ids that were borne are former ids"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision: str | None = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision: ids that records would have founded, but nobody ever bore, are forgotten."""
    op.execute("DELETE FROM customer_alias WHERE NOT EXISTS (SELECT 1 FROM customer c WHERE c.id = old_id)")
