"""how features and keys were made"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    comment = "the program's way to make features and keys by which all of them were made"
    with op.batch_alter_table("match_state", schema=None) as batch_op:
        batch_op.add_column(sa.Column("derivation", sa.Integer(), nullable=True, comment=comment))
