"""the search index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "search_customer",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_search_customer")),
        comment="The customers of the index, by their last change.",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("search_customer", schema=None) as batch_op:
        batch_op.create_index("ix_search_customer_changed_at", ["changed_at", "customer_id"], unique=False)

    op.create_table(
        "search_term",
        sa.Column(
            "term",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="what a customer is found by; its first letter says what it is",
        ),
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("term", "customer_id", name=op.f("pk_search_term")),
        comment="Follows the change feed; can be made anew from it at any time.",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("search_term", schema=None) as batch_op:
        batch_op.create_index("ix_search_term_customer_id", ["customer_id", "term"], unique=False)
