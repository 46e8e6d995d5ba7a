"""Statements sent straight through libpq mean what they mean through a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select

from sync.database import Database, database_errors
from sync.master.bulk import bulk_for
from sync.master.encoding import Unsupported, array_of
from sync.master.prepared import Statements
from tests.master_kit import master

pytestmark = pytest.mark.services

_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), _TEXT, st.binary(), st.floats(allow_nan=False),
    st.integers(-10_000_000, 10_000_000).map(lambda days: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=days)),
)  # fmt: skip
_TYPES = {bool: "bool", int: "int8", str: "text", bytes: "bytea", float: "float8", datetime: "timestamptz"}


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with master(postgres_url) as made:
        yield made


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_VALUES)
def test_values_come_back_as_they_went_in(database: Database, value: Any) -> None:
    kind = _TYPES.get(type(value), "text")
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(f"SELECT ?::{kind}", value) == [(value,)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.one_of(st.none(), _TEXT)), blobs=st.lists(st.binary()), numbers=st.lists(st.floats()))
def test_arrays_come_back_as_they_went_in(
    database: Database, values: list[str | None], blobs: list[bytes], numbers: list[float]
) -> None:
    with database.hot_transaction() as connection:
        bulk, sent = bulk_for(connection), [array_of(values), array_of(blobs), array_of(numbers)]
        found = bulk.fetch("SELECT ?::text[], ?::bytea[], ?::float8[]", *sent)[0]
    assert (found[0], found[1]) == (values, blobs)
    assert [repr(number) for number in found[2]] == [repr(number) for number in numbers]


def test_moments_of_other_time_zones_stay_the_same_moment(database: Database) -> None:
    moment = datetime(2026, 5, 1, 8, 30, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        assert bulk.fetch("SELECT ?::timestamptz", moment) == [(moment,)]
        assert bulk.fetch("SELECT ?::timestamptz[]", array_of([moment])) == [([moment],)]


def test_what_only_a_cursor_can_send_is_sent_by_one(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        assert bulk.fetch("SELECT ?::numeric", 2**70)[0][0] == 2**70
        assert bulk.fetch("SELECT ?::int8[]", [1, None, 3]) == [([1, None, 3],)]


def test_a_text_is_never_cut_at_nul(database: Database) -> None:
    for statement, sent in (("SELECT ?::text", "a\x00b"), ("SELECT 1 WHERE 'a' {texts}", ["a\x00b"])):
        with database.transaction() as connection, pytest.raises(psycopg.DataError):
            bulk_for(connection).fetch(statement, sent)


def test_a_failed_statement_raises_as_a_cursor_does_and_ends_the_transaction(database: Database) -> None:
    with database.engine.connect() as connection, connection.begin() as transaction:
        bulk = bulk_for(connection)
        bulk.insert_keys([(1, 1)])
        with pytest.raises(psycopg.errors.UniqueViolation):
            bulk.insert_keys([(1, 1)])
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            bulk.fetch("SELECT 1")
        transaction.rollback()
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch("SELECT count(*) FROM match_key") == [(0,)]


def test_a_lost_connection_is_told_as_one_and_the_next_transaction_has_another(database: Database) -> None:
    def lose() -> None:
        with database.hot_transaction() as connection:
            bulk = bulk_for(connection)
            pid = bulk.fetch("SELECT pg_backend_pid()")[0][0]
            with database.transaction() as other:
                bulk_for(other).fetch("SELECT pg_terminate_backend(?::int, 5000)", pid)
            bulk.fetch("SELECT 1")

    with pytest.raises(database_errors()):
        lose()
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch("SELECT ?::int", 7) == [(7,)]


def test_more_statements_than_are_prepared_still_run(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        assert [bulk.fetch(f"SELECT {number} + ?::int", 1)[0][0] for number in range(420)] == list(range(1, 421))


@pytest.mark.parametrize("hot", [True, False])
def test_statements_outlive_a_rollback(database: Database, hot: bool) -> None:
    for number in range(12):
        with database.hot_transaction() if hot else database.transaction() as connection:
            connection.execute(select(literal(number)))  # whatever the driver prepares for itself is thrown away
            assert bulk_for(connection).fetch("SELECT ?::int", number) == [(number,)]
            connection.rollback()


def test_a_value_that_cannot_be_sent_is_noticed_before_anything_is(database: Database) -> None:
    with database.transaction() as connection:
        statements = Statements(connection.connection.driver_connection)
        with pytest.raises(Unsupported):
            statements.run("DELETE FROM match_key WHERE key = $1", [object()])
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
