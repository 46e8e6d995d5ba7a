"""Rows that are copied arrive in full, whatever the portions in which they go, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, func, select

from sync.database import Database, database_errors
from sync.master.bulk import bulk_for
from sync.master.bulk_postgres import COPIED
from sync.master.tables import crosswalk, match_key, source_record
from tests.master_kit import master

NOW = datetime(2026, 5, 1, 12, 30, 0, 250, tzinfo=UTC)


def new(number: int, now: Any, raw: object = "{}") -> tuple[Any, ...]:
    """Every third has a parent, and every fifth no hash."""
    parent, digest = (None if number % 3 else number // 3), (b"\x00h" if number % 5 else None)
    return (number, 1, f"客户 {number}", "", parent, 1, digest, raw, None, "[]", None, now)


@pytest.mark.parametrize("count", [9, COPIED - 1, COPIED, COPIED + 1, 3 * COPIED + 7])
def test_rows_arrive_in_full(database: Database, count: int) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        rows = [new(number, bulk.instant(NOW)) for number in range(count)]
        bulk.insert("source_record", rows)
        found = connection.execute(select(source_record).order_by(source_record.c.id)).mappings().all()
    names = ("id", "stream_id", "source_id", "part", "parent_id", "version", "hash", "raw", "canonical", "features")
    assert [tuple(row[name] for name in names) for row in found] == [row[:10] for row in rows]
    assert {row["landed_at"] for row in found} == {NOW}


def test_many_keys_arrive_whatever_their_sign(database: Database) -> None:
    pairs = [(sign * number * 2**52, number) for number in range(1, 400) for sign in (1, -1)]
    with database.hot_transaction() as connection:
        bulk_for(connection).insert_keys(pairs)
        assert sorted(map(tuple, connection.execute(select(match_key)))) == sorted(pairs)


@pytest.fixture
def server(postgres_url: str) -> Iterator[Database]:
    with master(postgres_url) as made:
        yield made


def places(count: int) -> list[tuple[Any, ...]]:
    return [(number, number, 1, None) for number in range(count)]


def kept(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(crosswalk)).scalar_one())


@pytest.mark.services
@pytest.mark.parametrize("twin", [0, COPIED - 1, 2 * COPIED + 1])
def test_a_portion_that_fails_raises_as_a_statement_does_and_nothing_of_any_stays(server: Database, twin: int) -> None:
    with server.hot_transaction() as connection:
        bulk, savepoint = bulk_for(connection), connection.begin_nested()
        with pytest.raises(psycopg.errors.UniqueViolation):
            bulk.insert("crosswalk", [(twin, 7, 1, None), *places(3 * COPIED)])
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            bulk.fetch("SELECT 1")
        savepoint.rollback()
        assert kept(connection) == 0
        bulk.insert("crosswalk", places(3 * COPIED))
        assert kept(connection) == 3 * COPIED


@pytest.mark.services
def test_a_value_that_cannot_be_sent_is_noticed_before_anything_is(server: Database) -> None:
    with server.hot_transaction() as connection:
        bulk = bulk_for(connection)
        with pytest.raises(TypeError):
            bulk.insert("source_record", [new(number, NOW, object()) for number in range(2 * COPIED)])
        assert bulk.fetch("SELECT count(*) FROM source_record") == [(0,)]


@pytest.mark.services
def test_a_lost_connection_is_told_as_one(server: Database) -> None:
    def lose() -> None:
        with server.hot_transaction() as connection:
            bulk = bulk_for(connection)
            pid = bulk.fetch("SELECT pg_backend_pid()")[0][0]
            with server.transaction() as other:
                bulk_for(other).fetch("SELECT pg_terminate_backend(?::int, 5000)", pid)
            bulk.insert("crosswalk", places(2 * COPIED))

    with pytest.raises(database_errors()):
        lose()
    with server.hot_transaction() as connection:
        assert kept(connection) == 0


@pytest.mark.services
def test_what_waits_goes_before_what_is_copied(server: Database) -> None:
    with server.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.insert("crosswalk", places(COPIED))
        bulk.later("DELETE FROM crosswalk WHERE record_id {ints}", list(range(COPIED)))
        bulk.insert("crosswalk", places(2 * COPIED))
        assert kept(connection) == 2 * COPIED
