"""match models"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "match_block",
        sa.Column(
            "version", sa.Integer(), autoincrement=False, nullable=False, comment="0: a matcher without versions"
        ),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="counts the recordings of a version"),
        sa.Column(
            "action", sa.String(length=8), nullable=False, comment="refined: finer keys took over; linked: as a star"
        ),
        sa.Column("question", sa.String(length=40), nullable=False, comment="what the key asks, e.g. family"),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="records that shared it then"),
        sa.Column("pairs", sa.BigInteger(), nullable=False, comment="pairs that were not compared for it then"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", "key", name=op.f("pk_match_block")),
        comment="Keys that grew past the cap of a version. They stay recorded for as long as the version is in force.",
    )
    with op.batch_alter_table("match_block", schema=None) as batch_op:
        batch_op.create_index("ix_match_block_version_revision", ["version", "revision"], unique=False)

    op.create_table(
        "match_model",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="the version's number, gap-free"),
        sa.Column("family", sa.String(length=12), nullable=False, comment="probability or rules"),
        sa.Column(
            "fingerprint",
            sa.String(length=60),
            nullable=False,
            comment="hash of all that decides: equal ones match equally",
        ),
        sa.Column(
            "contents",
            sa.LargeBinary(),
            nullable=True,
            comment="zlib of JSON: by kind Splink's settings with frozen tables; null for rules",
        ),
        sa.Column("block_cap", sa.Integer(), nullable=False, comment="a block of more records is refined"),
        sa.Column(
            "origin", sa.String(length=12), nullable=False, comment="default, calibrated, trained, imported or rules"
        ),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "statistics", sa.Text(), server_default="{}", nullable=False, comment="JSON: what it was learnt from"
        ),
        sa.Column("state", sa.String(length=10), nullable=False, comment="proposed, active or retired"),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_model")),
        comment="Versions of the match model: everything learnt from data is frozen in one.",
    )
    op.create_table(
        "match_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("active", sa.Integer(), nullable=False, comment="the version that LAND and RESOLVE work with"),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False, comment="the latest switch; counts them"),
        sa.Column(
            "stage",
            sa.String(length=8),
            nullable=True,
            comment="of a switch under way: keys, blocks, edges; null if there is none",
        ),
        sa.Column(
            "cursor", sa.BigInteger(), server_default="0", nullable=False, comment="records up to this id are done"
        ),
        sa.Column(
            "last", sa.BigInteger(), server_default="0", nullable=False, comment="the last record the switch has to do"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_state")),
        comment="One row: what is in force.",
    )
    op.create_table(
        "match_switch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("begun_by", sa.String(length=120), nullable=False, comment="a person, or the policy that did it"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False, comment="live records when it began"),
        sa.Column(
            "derived_at", sa.DateTime(timezone=True), nullable=True, comment="when all keys and edges were made anew"
        ),
        sa.Column(
            "change_seq",
            sa.BigInteger(),
            nullable=True,
            comment="the last change before customers began to be settled anew",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_switch")),
        comment="The history of what was in force: every change of version, and every rebuild.",
    )
    op.add_column(  # not as a batch, which would copy the table
        "landing",
        sa.Column(
            "edges_known",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="nothing was landed: customers are settled anew after a switch of the match model",
        ),
    )
    # What a database holds so far was matched by the rules: they stay in force until somebody says otherwise.
    op.execute(
        "INSERT INTO match_model "
        "(id, family, fingerprint, block_cap, origin, note, statistics, state, made_by, made_at) "
        "SELECT 1, 'rules', 'rules-1', 100, 'rules', '', '{}', 'active', 'kehu', CURRENT_TIMESTAMP "
        "WHERE EXISTS (SELECT 1 FROM source_record)"
    )
    op.execute("INSERT INTO match_state (id, active) SELECT 1, id FROM match_model")
