"""Connections of the sync path that stay taken from their pool between two units of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from sync import kept_connections as module
from sync.database import Database
from sync.master.bulk import bulk_for
from tests.master_kit import master

pytestmark = pytest.mark.services

PID = "SELECT pg_backend_pid()"
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with master(postgres_url) as made:
        yield made


def pid(database: Database) -> int:
    """Which session of the server does the next unit of work."""
    with database.hot_transaction() as connection:
        return int(bulk_for(connection).fetch(PID)[0][0])


def test_units_of_work_that_follow_each_other_share_a_session_and_simultaneous_ones_do_not(database: Database) -> None:
    first = pid(database)
    assert pid(database) == first
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(PID) == [(first,)]
        assert pid(database) != first
    assert pid(database) == first  # the one that was used last


def test_small_questions_share_the_session_of_the_units_of_work_around_them(database: Database) -> None:
    first = pid(database)
    with database.hot_reading() as connection:
        assert bulk_for(connection).fetch(PID) == [(first,)]
        assert connection.exec_driver_sql(SESSIONS).scalar_one() == 2  # and the one that has made the tables
    assert pid(database) == first


def test_nothing_of_a_failed_unit_of_work_is_left_to_the_next(database: Database) -> None:
    with suppress(ZeroDivisionError), database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(1, 1)])
        bulk_for(connection).fetch(PID)
        raise ZeroDivisionError
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch("SELECT count(*) FROM match_key") == [(0,)]


def test_a_transaction_that_was_begun_after_a_commit_of_ones_own_ends_with_the_unit_of_work(database: Database) -> None:
    with database.hot_transaction() as connection:
        connection.commit()
        bulk_for(connection).insert_keys([(1, 1)])
        bulk_for(connection).fetch(PID)
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch("SELECT count(*) FROM match_key") == [(0,)]


def test_a_session_that_has_ended_while_nobody_used_it_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = pid(database)
    with database.transaction() as other:
        bulk_for(other).fetch("SELECT pg_terminate_backend(?::int, 5000)", lost)
    monkeypatch.setattr(module, "TRUSTED", 0.0)
    assert pid(database) != lost


def test_no_more_sessions_are_kept_than_a_pool_keeps_and_none_is_when_the_database_is_closed(
    database: Database, postgres_url: str
) -> None:
    def nested(depth: int) -> None:
        with database.hot_transaction() as connection:
            bulk_for(connection).fetch(PID)
            if depth:
                nested(depth - 1)

    nested(7)
    assert database._hot.pool.checkedout() == module._KEPT  # type: ignore[attr-defined]
    database.dispose()
    other = Database(postgres_url)
    with other.reading() as connection:
        assert connection.exec_driver_sql(SESSIONS).scalar_one() == 1
    other.dispose()


def test_what_connections_bring_along_reaches_those_that_were_kept(database: Database) -> None:
    pid(database)
    database.carry(kehu_test="told")
    with database.hot_transaction() as connection:
        assert connection.get_execution_options()["kehu_test"] == "told"


def free(database: Database) -> bool:
    """Whether nobody holds the lock that the tests below announce."""
    with database.transaction() as connection:
        return bool(connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock(7)").scalar_one())


def announce_a_lock(database: Database) -> None:
    """A unit of work whose commit begins the next, which takes the lock."""
    with database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(1, 1)])
        bulk_for(connection).ahead_of_next(("SELECT pg_advisory_xact_lock(?)", 7))
    assert not free(database)


def test_what_was_announced_and_is_not_done_keeps_no_locks(database: Database) -> None:
    announce_a_lock(database)
    database.let_go()
    assert free(database)
    database.let_go()  # there is nothing left to let go
    assert pid(database) > 0


def test_another_threads_announcement_is_left_alone(database: Database) -> None:
    announce_a_lock(database)
    other = Thread(target=database.let_go)
    other.start()
    other.join()
    assert not free(database)
    pid(database)  # goes on with what had begun, and ends it
    assert free(database)
