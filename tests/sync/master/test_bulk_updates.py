"""Many rows in one statement arrive as they were given, whatever they hold, in both dialects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sync.database import Database
from sync.master.bulk import KINDS, Columns, bulk_for
from sync.master.tables import source_record

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
CONTENT: Columns = (
    ("id", "int8"),
    ("version", "int4"),
    ("hash", "bytea"),
    ("raw", "text"),
    ("canonical", "text"),
    ("deleted_at", "timestamptz"),
)
MANY = 120
"""More than go as arrays in text on PostgreSQL."""
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
AWKWARD = st.sampled_from(['{"a": "b\\\\c"}', "{}", "NULL", "", '"', "客户, {1,2}", "a\tb\nc"])
CHANGES = st.tuples(
    st.integers(1, 2**31 - 1),
    st.none() | st.binary(max_size=16),
    st.none() | TEXT | AWKWARD,
    st.none() | TEXT | AWKWARD,
    st.none() | st.just(NOW),
)


def new(number: int, now: Any) -> tuple[Any, ...]:
    return (number, 1, f"r{number}", "", None, 1, b"h", "{}", None, None, None, now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, min_size=1, max_size=6))
def test_updated_rows_hold_what_was_given_and_the_others_what_they_had(
    database: Database, changes: list[tuple[Any, ...]]
) -> None:
    columns = [source_record.c[name] for name, _ in CONTENT]
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.run("DELETE FROM source_record")
        bulk.insert("source_record", [new(number, bulk.instant(NOW)) for number in range(len(changes) + 1)])
        rows = [(number, *change) for number, change in enumerate(changes)]
        stored = [(*row[:-1], row[-1] and bulk.instant(row[-1])) for row in rows]
        bulk.update("source_record", CONTENT, stored)
        found = [tuple(row) for row in connection.execute(select(*columns).order_by(source_record.c.id))]
    assert found == [*rows, (len(changes), 1, b"h", "{}", None, None)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, min_size=1, max_size=6))
def test_many_rows_arrive_as_few_do(database: Database, changes: list[tuple[Any, ...]]) -> None:
    columns = [source_record.c[name] for name, _ in CONTENT]
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.run("DELETE FROM source_record")
        bulk.insert("source_record", [new(number, bulk.instant(NOW)) for number in range(MANY)])
        rows = [(number, *changes[number % len(changes)]) for number in range(MANY)]
        bulk.update("source_record", CONTENT, [(*row[:-1], row[-1] and bulk.instant(row[-1])) for row in rows])
        found = [tuple(row) for row in connection.execute(select(*columns).order_by(source_record.c.id))]
    assert found == rows


def test_updating_nothing_is_no_statement(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.update("customer", KINDS["customer"], [])
        bulk.update("crosswalk", KINDS["crosswalk"], [(1, 2, 3, None)])  # of a record that is not there
        assert bulk.fetch("SELECT * FROM crosswalk") == []
