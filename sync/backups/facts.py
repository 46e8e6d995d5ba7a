"""What a backup is checked by: rows of every table, the audit chain, the head of the change feed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, Table, func, inspect, select, text

from sync import audit
from sync.errors import SyncError
from sync.feed import tokens
from sync.master.bulk import bulk_for
from sync.schema import metadata

REVISION_TABLE = "alembic_version"
CONTENT = ("source_record", "customer", "change", "audit_entry", "user_account", "sync_run", "connection")
"""A database is empty when these are."""


BROKEN = " broken at "


class Damaged(SyncError):
    """The backup, or what was restored from it, is not what it should be."""

    code = "backup_damaged"
    default_remedy = "Take another backup; the target was left as it was."


class Facts(NamedTuple):
    """What a database holds. ``head`` is the last change of the feed; ``audit`` the head of the audit log's chain, and
    where it is broken, if so: a log that somebody touched is no reason to go without backups, and stays evidence.
    """

    tables: dict[str, int]
    audit: str
    head: int

    def require(self, wanted: Facts) -> None:
        """Raises Damaged where something differs from what is wanted, naming the first difference."""
        for name in sorted(wanted.tables.keys() | self.tables.keys()):
            found, expected = self.tables.get(name), wanted.tables.get(name)
            if found != expected:
                raise Damaged(
                    "The table {table} has {found} rows; the backup says {expected}.",
                    table=name,
                    found=-1 if found is None else found,
                    expected=-1 if expected is None else expected,
                )
        if self.audit != wanted.audit:
            raise Damaged("The head of the audit log is not the one that the backup names.")
        if self.head != wanted.head:
            raise Damaged("The last change of the feed is not the one that the backup names.")


def broken_at(chain: str) -> str:
    """The entry at which the audit log of some facts is broken; empty if it is whole."""
    return chain.partition(BROKEN)[2]


def tables_of(connection: Connection) -> list[Table]:
    """Our tables that there are, in an order in which rows can be inserted."""
    there = set(inspect(connection).get_table_names())
    return [table for table in metadata.sorted_tables if table.name in there]


def facts_of(connection: Connection, counts: dict[str, int] | None = None) -> Facts:
    """What the database holds; ``counts`` if they are known."""
    if counts is None:
        counts = {table.name: count(connection, table.name) for table in tables_of(connection)}
    verified = audit.verify(connection)
    broken = f"{BROKEN}{verified.findings[0].seq}" if verified.findings else ""
    return Facts(counts, f"{verified.head}{broken}", tokens.bounds(bulk_for(connection)).head)


def count(connection: Connection, name: str) -> int:
    """The rows of one of our tables."""
    return int(connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one())


def is_empty(connection: Connection, names: Iterable[str] = CONTENT) -> bool:
    """Whether nothing is in it that a restore would destroy."""
    there = set(inspect(connection).get_table_names())
    kept = (text(f"SELECT 1 FROM {name} LIMIT 1") for name in names if name in there)  # noqa: S608 - our own names
    return not any(connection.execute(statement).first() for statement in kept)
