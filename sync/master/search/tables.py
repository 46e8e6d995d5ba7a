"""The tables of the search index."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from sync.database import WITHOUT_ROWID, UtcDateTime, metadata

Term = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared by code point, so that a prefix is a range."""

search_term = Table(
    "search_term",
    metadata,
    Column("term", Term, primary_key=True, comment="what a customer is found by; its first letter says what it is"),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_search_term_customer_id", "customer_id", "term"),
    comment="Follows the change feed; can be made anew from it at any time.",
    info={WITHOUT_ROWID: True},
)

search_customer = Table(
    "search_customer",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("ix_search_customer_changed_at", "changed_at", "customer_id"),
    comment="The customers of the index, by their last change.",
    info={WITHOUT_ROWID: True},
)
