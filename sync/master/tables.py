"""The tables of the customer master: what came in, what it matched, and the golden records derived from it."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    String,
    Table,
    Text,
    event,
    text,
)

from sync.database import PARTIAL, WITHOUT_ROWID, UtcDateTime, metadata

BigId = BigInteger().with_variant(Integer, "sqlite")

_UNCOMPRESSED = "ALTER TABLE %(table)s ALTER COLUMN record_ids SET STORAGE EXTERNAL"
UNCOMPRESSED_IDS = DDL(_UNCOMPRESSED).execute_if(dialect="postgresql")  # type: ignore[no-untyped-call]
"""After the creation of a table of ids that are deleted soon: to compress those of a page takes a millisecond."""

counter = Table(
    "counter",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
    comment="Gap-free numbers: the row is advanced inside the transaction that uses the number.",
)

record_id = Sequence("record_id", metadata=metadata)

tally = Table(
    "tally",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("name", String(40), nullable=False, comment="records:STREAM, size:MEMBERS or placed"),
    Column("value", BigInteger, nullable=False, comment="how many more, or fewer"),
    comment="What transactions changed of the counts that pages show; the sum of a name is the count.",
)

source_record = Table(
    "source_record",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("stream_id", Integer, nullable=False),  # no foreign key: checking it costs more than the insert
    Column("source_id", Text, nullable=False),
    Column("part", Text, nullable=False, server_default=""),
    Column("parent_id", BigInteger, comment="the record this part was found in; null for the record itself"),
    Column("version", Integer, nullable=False, comment="counts the landed contents, from 1"),
    Column("features_version", Integer, comment="the version since which the features stand; null: this one"),
    Column("hash", LargeBinary, comment="xxh3-128 of the raw body; null for parts"),
    Column("raw", Text, comment="the body as received; null for parts"),
    Column("canonical", Text, comment="the mapped customer as JSON; null when the mapping gives none"),
    Column("features", Text, comment="comparison features as JSON; null when there is no customer"),
    Column("changed_at", Text, comment="the source's own change stamp, ISO 8601 UTC"),
    Column("landed_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("uq_source_record_key", "stream_id", "source_id", "part", unique=True),
    Index(
        "ix_source_record_parent",
        "parent_id",
        info={PARTIAL: "parent_id IS NOT NULL"},
    ),
)

landing = Table(
    "landing",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("stream_id", Integer, nullable=False),
    Column("record_ids", LargeBinary, nullable=False, comment="int64 little-endian: landed, not yet resolved"),
    Column("records", Integer, nullable=False),
    Column("landed_at", UtcDateTime, nullable=False),
    Column(
        "edges_known",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="nothing was landed: customers are settled anew after a switch of the match model",
    ),
    comment="Pending work of RESOLVE: one row per landed page, deleted by the transaction that resolves it.",
)
event.listen(landing, "after_create", UNCOMPRESSED_IDS)

match_key = Table(
    "match_key",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    info={WITHOUT_ROWID: True},
)

match_edge = Table(
    "match_edge",
    metadata,
    Column("left_id", BigInteger, primary_key=True, autoincrement=False),
    Column("right_id", BigInteger, primary_key=True, autoincrement=False),
    Column("left_version", Integer, nullable=False, comment="of the features that were compared"),
    Column("right_version", Integer, nullable=False, comment="of the features that were compared"),
    Column("weight", Float, nullable=False),
    Column("rule", String(60), nullable=False),
    Index("ix_match_edge_right_id", "right_id"),
    comment="Evidence between two records (left < right); it counts only while both hold the features compared.",
)

crosswalk = Table(
    "crosswalk",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, comment="the record's version that was resolved"),
    Column("features_version", Integer, comment="the one since which its features stood; null: this one"),
    Index("ix_crosswalk_customer_id", "customer_id"),
    info={WITHOUT_ROWID: True},
)

customer = Table(
    "customer",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("status", String(10), nullable=False, comment="active, merged or deleted"),
    Column("kind", String(12), nullable=False),
    Column("name", Text),
    Column("golden", Text, nullable=False),
    Column("members", Integer, nullable=False, comment="live source records"),
    Column("changed_at", UtcDateTime, nullable=False),
)

customer_alias = Table(
    "customer_alias",
    metadata,
    Column("old_id", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    Index("ix_customer_alias_customer_id", "customer_id"),
    comment="Ids that records would found, or did found, and the customer they stand for now.",
)

change = Table(
    "change",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, nullable=False),
    Column("type", String(10), nullable=False, comment="created, updated, merged, split or deleted"),
    Column("version", Integer, nullable=False, comment="the customer's version after the change"),
    Column("body", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("cause", Text, comment="JSON: kind, and what names it; see sync.master.cause"),
    Index("ix_change_customer_id", "customer_id"),
    comment="The change feed: gap-free, in commit order. Replayed from zero it gives the master.",
)

steward_decision = Table(
    "steward_decision",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False, comment="gap-free, in commit order"),
    Column("act", String(10), nullable=False, comment="decide, merge, exclude, unmerge, pin, unpin or undo"),
    Column("verdict", String(10), comment="same, different or undecided: said of the anchors on different sides"),
    Column("field", String(40), comment="the golden field of a pin"),
    Column("value", Text, comment="the value of a pin as JSON"),
    Column("target_id", BigInteger, comment="the act that an undo or an unmerge takes back"),
    Column("decided_by", String(120), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decided_at", UtcDateTime, nullable=False),
    Column("undone_by", BigInteger, index=True, comment="the later act that took it back; null while it holds"),
    comment="What stewards said and did. Anchored on source records, so that it holds through rebuilds.",
)

steward_anchor = Table(
    "steward_anchor",
    metadata,
    Column("record_id", BigInteger, primary_key=True, autoincrement=False),
    Column("decision_id", BigInteger, primary_key=True, autoincrement=False),
    Column("side", Integer, nullable=False, comment="of a merge: which of the customers; of a verdict: whose side"),
    Column("undone_by", BigInteger, comment="the exclusion that took the record out of a merge"),
    Index("ix_steward_anchor_decision_id", "decision_id"),
    comment="The source records that a steward's word is about.",
)

match_model = Table(
    "match_model",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="the version's number, gap-free"),
    Column("family", String(12), nullable=False, comment="probability or rules"),
    Column("fingerprint", String(60), nullable=False, comment="hash of all that decides: equal ones match equally"),
    Column(
        "contents", LargeBinary, comment="zlib of JSON: by kind Splink's settings with frozen tables; null for rules"
    ),
    Column("block_cap", Integer, nullable=False, comment="a block of more records is refined"),
    Column("origin", String(12), nullable=False, comment="default, calibrated, trained, imported or rules"),
    Column("note", Text, nullable=False, server_default=""),
    Column("statistics", Text, nullable=False, server_default="{}", comment="JSON: what it was learnt from"),
    Column("state", String(10), nullable=False, comment="proposed, active or retired"),
    Column("made_by", String(120), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    comment="Versions of the match model: everything learnt from data is frozen in one.",
)

match_state = Table(
    "match_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("active", Integer, nullable=False, comment="the version that LAND and RESOLVE work with"),
    Column("epoch", Integer, nullable=False, server_default="0", comment="the latest switch; counts them"),
    Column("stage", String(8), comment="of a switch under way: keys, blocks, edges; null if there is none"),
    Column("cursor", BigInteger, nullable=False, server_default="0", comment="records up to this id are done"),
    Column("derivation", Integer, comment="the program's way to make features and keys by which all of them were made"),
    Column("last", BigInteger, nullable=False, server_default="0", comment="the last record the switch has to do"),
    comment="One row: what is in force.",
)

match_switch = Table(
    "match_switch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("from_version", Integer),
    Column("to_version", Integer, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("begun_by", String(120), nullable=False, comment="a person, or the policy that did it"),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("records", BigInteger, nullable=False, comment="live records when it began"),
    Column("derived_at", UtcDateTime, comment="when all keys and edges were made anew"),
    Column("change_seq", BigInteger, comment="the last change before customers began to be settled anew"),
    Column("finished_at", UtcDateTime),
    comment="The history of what was in force: every change of version, and every rebuild.",
)

match_block = Table(
    "match_block",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False, comment="0: a matcher without versions"),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False, comment="counts the recordings of a version"),
    Column("action", String(8), nullable=False, comment="refined: finer keys took over; linked: as a star"),
    Column("question", String(40), nullable=False, comment="what the key asks, e.g. family"),
    Column("value", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="records that shared it then"),
    Column("pairs", BigInteger, nullable=False, comment="pairs that were not compared for it then"),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_match_block_version_revision", "version", "revision"),
    comment="Keys that grew past the cap of a version. They stay recorded for as long as the version is in force.",
)
