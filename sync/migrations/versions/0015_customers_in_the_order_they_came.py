"""customers in the order they came"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision: str | None = "0014"
branch_labels = None
depends_on = None

_COLUMNS = "id, version, status, kind, name, golden, members, changed_at"


def upgrade() -> None:
    """Bring the schema to this revision: SQLite kept golden records by their ids, which are spread at random, so that
    each new customer changed another page of the file.
    """
    if op.get_bind().dialect.name != "sqlite":
        return
    op.rename_table("customer", "customer_by_id")
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False, comment="active, merged or deleted"),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("golden", sa.Text(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False, comment="live source records"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_customer"),
    )
    op.execute(f"INSERT INTO customer ({_COLUMNS}) SELECT {_COLUMNS} FROM customer_by_id ORDER BY id")  # noqa: S608 - ours
    op.drop_table("customer_by_id")
