"""Statements that wait for one another mean what they mean one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text

from sync import kept_connections
from sync.database import Database, database_errors
from sync.master import candidates, components, resolving
from sync.master.bulk import bulk_for
from sync.master.prepared import Statements
from sync.master.tables import counter, landing, match_key
from sync.matching.active import ActiveVersion
from tests.master_kit import NOW, consistent, master, record
from tests.matching_kit import customer, land, resolve, versioned

COUNT = "SELECT count(*) FROM match_key"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with master(postgres_url) as made:
        yield made


@pytest.mark.services
def test_what_waits_is_there_for_whoever_asks_next(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.insert_keys([(1, 1)])
        assert bulk.fetch(COUNT) == [(1,)]
        bulk.insert_keys([(2, 1)])
        assert connection.execute(select(match_key.c.key).order_by(match_key.c.key)).scalars().all() == [1, 2]
        bulk.later("DELETE FROM match_key WHERE key = ?", 1)
        bulk.insert_keys([(3, 1), (1, 2)])
    with database.hot_transaction() as connection:
        assert sorted(bulk_for(connection).fetch("SELECT key, record_id FROM match_key")) == [(1, 2), (2, 1), (3, 1)]


@pytest.mark.services
def test_what_waits_is_forgotten_with_a_rollback(database: Database) -> None:
    with suppress(ZeroDivisionError), database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(1, 1)])
        raise ZeroDivisionError
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.insert_keys([(2, 1)])
        savepoint = connection.begin_nested()
        bulk.insert_keys([(3, 1)])
        savepoint.rollback()
        bulk.insert_keys([(4, 1)])
    with database.hot_transaction() as connection:
        assert sorted(bulk_for(connection).fetch("SELECT key FROM match_key")) == [(2,), (4,)]


@pytest.mark.services
def test_what_goes_wrong_while_it_waits_is_raised_with_the_next_statement_or_the_commit(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(1, 1)])
    with suppress(ZeroDivisionError), database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.insert_keys([(2, 1)])
        bulk.insert_keys([(1, 1)])
        with pytest.raises(psycopg.errors.UniqueViolation):
            bulk.fetch(COUNT)
        raise ZeroDivisionError
    with pytest.raises(psycopg.errors.UniqueViolation), database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(1, 1)])
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(1,)]


@pytest.mark.services
def test_an_answer_of_before_is_given_once_and_never_after_a_write(database: Database) -> None:
    with database.hot_transaction() as connection, database.hot_transaction() as other:
        bulk = bulk_for(connection)
        bulk.ahead((COUNT,), ("SELECT ?::int", 7))
        assert bulk.fetch("SELECT 1") == [(1,)]
        bulk_for(other).insert_keys([(1, 1)])
        other.commit()
        assert bulk.fetch(COUNT) == [(0,)]  # of before
        assert bulk.fetch(COUNT) == [(1,)]
        bulk.ahead((COUNT,))
        assert bulk.fetch("SELECT 2") == [(2,)]
        bulk.insert_keys([(2, 1)])
        assert bulk.fetch(COUNT) == [(2,)]
        assert bulk.fetch("SELECT ?::int", 7) == [(7,)]


@pytest.mark.services
def test_other_threads_go_on_while_one_waits_for_a_lock(database: Database) -> None:
    """The thread that holds the lock can only let it go if the one that waits does not hold up the interpreter."""
    lock = "SELECT pg_advisory_xact_lock(?)"

    def wait() -> int:
        with database.hot_transaction() as connection:
            bulk = bulk_for(connection)
            bulk.insert_keys([(1, 1)])
            bulk.ahead((lock, 77))
            return int(bulk.fetch(COUNT)[0][0])

    with ThreadPoolExecutor(1) as pool:
        with database.hot_transaction() as connection:
            bulk_for(connection).fetch(lock, 77)
            waiting = pool.submit(wait)
            while not bulk_for(connection).fetch("SELECT 1 FROM pg_locks WHERE NOT granted AND objid = 77"):
                pass
        assert waiting.result(20) == 1


@pytest.mark.services
def begun(database: Database, key: int, lock: int = 77) -> None:
    """A unit of work that stores a key and says what the next one asks first: a lock, and what is stored."""
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.insert_keys([(key, 1)])
        bulk.ahead_of_next(("SELECT pg_advisory_xact_lock_shared(?)", lock), (COUNT,))


HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77"


@pytest.mark.services
def test_what_the_next_transaction_asks_first_goes_with_the_commit(database: Database, trips: list[str]) -> None:
    begun(database, 1)
    trips.clear()
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        assert bulk.fetch(COUNT) == [(1,)]
        assert trips == []
        assert bulk.fetch(HELD) == [(1,)]
        bulk.insert_keys([(2, 1)])
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(2,)]
        assert bulk_for(connection).fetch(HELD) == [(0,)]


@pytest.mark.services
def test_another_thread_begins_a_transaction_of_its_own(database: Database) -> None:
    begun(database, 1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(begun, database, 2, 78).result(20)
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(1,)]  # of then
        assert bulk_for(connection).fetch(COUNT) == [(2,)]


@pytest.mark.services
def test_a_transaction_that_nobody_goes_on_with_is_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(database, 1)
    monkeypatch.setattr(kept_connections, "TRUSTED", -1.0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(begun, database, 2, 78).result(20)
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(HELD) == [(0,)]
        assert bulk_for(connection).fetch(COUNT) == [(2,)]
    begun(database, 3)
    database.dispose()
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(HELD) == [(0,)]
        assert bulk_for(connection).fetch(COUNT) == [(3,)]


@pytest.mark.services
def test_a_commit_that_fails_begins_nothing_and_a_beginning_that_fails_undoes_no_commit(database: Database) -> None:
    begun(database, 1)
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(1,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        begun(database, 1)
    with database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(2, 1)])
        bulk_for(connection).ahead_of_next((COUNT,), ("SELECT 1 / ?::int", 0))
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(2,)]
        assert bulk_for(connection).fetch(HELD) == [(0,)]


@pytest.mark.services
def test_a_rollback_forgets_what_the_next_transaction_would_have_asked(database: Database) -> None:
    with suppress(ZeroDivisionError), database.hot_transaction() as connection:
        bulk_for(connection).ahead_of_next((COUNT,))
        raise ZeroDivisionError
    with database.hot_transaction() as connection:
        bulk_for(connection).insert_keys([(1, 1)])
        assert bulk_for(connection).fetch(COUNT) == [(1,)]
    assert not database._kept._begun


@pytest.mark.services
def test_what_is_on_its_way_is_answered_to_whoever_asks_and_never_after_a_write(
    database: Database, trips: list[str]
) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.ahead((COUNT,), ("SELECT ?::int", 7))
        bulk.depart()
        trips.clear()
        bulk.ahead((COUNT,))  # it is asked already
        assert bulk.fetch(COUNT) == [(0,)]
        assert bulk.fetch("SELECT ?::int", 7) == [(7,)]
        assert trips == []
        bulk.ahead((COUNT,))
        bulk.depart()
        bulk.insert_keys([(1, 1)])
        assert bulk.fetch(COUNT) == [(1,)]
        bulk.ahead((COUNT,))
        bulk.depart()
        assert connection.execute(select(match_key.c.key)).scalars().all() == [1]
        bulk.ahead(("SELECT ?::int + 1", 7))
        bulk.depart()
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(1,)]


@pytest.mark.services
def test_what_goes_wrong_on_its_way_is_raised_with_the_next_statement_and_forgotten_with_a_rollback(
    database: Database,
) -> None:
    with suppress(psycopg.Error), database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.ahead(("SELECT 1 / ?::int", 0))
        bulk.depart()
        with pytest.raises(psycopg.errors.DivisionByZero):
            bulk.fetch("SELECT 1")
    for value in (0, 1):
        with suppress(ZeroDivisionError), database.hot_transaction() as connection:
            bulk_for(connection).insert_keys([(1, 1)])
            bulk_for(connection).ahead(("SELECT 1 / ?::int", value))
            bulk_for(connection).depart()
            raise ZeroDivisionError
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(0,)]


@pytest.mark.services
def test_a_record_that_was_derived_by_what_is_no_longer_in_force_is_derived_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        """A matcher that finds nothing in anybody."""

        version = "other"

        def features(self, customer: Any) -> tuple[Any, ...]:
            return ()

        def keys(self, features: Any) -> list[int]:
            return []

    ann = record("a", kind="person", name="Ann Smith", emails=[{"value": "ann.smith@example.com"}])
    with versioned(postgres_url) as database:
        source = ActiveVersion()
        usual = [one.keys for one in land(database, 1, [ann], source=source).batch]
        monkeypatch.setattr(source, "at_hand", Other)
        assert [one.keys for one in land(database, 2, [ann], source=source).batch] == usual
        assert land(database, 2, [ann], source=source).counts.unchanged == 1


@pytest.mark.services
def test_a_connection_that_is_lost_while_statements_wait_is_told_as_one(database: Database) -> None:
    def lose() -> None:
        with database.hot_transaction() as connection:
            bulk = bulk_for(connection)
            pid = bulk.fetch("SELECT pg_backend_pid()")[0][0]
            bulk.insert_keys([(1, 1)])
            with database.transaction() as other:
                bulk_for(other).fetch("SELECT pg_terminate_backend(?::int, 5000)", pid)

    with pytest.raises(database_errors()):
        lose()
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(0,)]


@pytest.mark.services
def test_whoever_is_stopped_while_it_waits_loses_the_transaction_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        with database.hot_transaction() as connection:
            bulk_for(connection).insert_keys([(1, 1)])

    work()
    with monkeypatch.context() as patch:
        patch.setattr(Statements, "_received", stopped)
        with pytest.raises(KeyboardInterrupt):
            work()
    with database.hot_transaction() as connection:
        assert bulk_for(connection).fetch(COUNT) == [(1,)]


@pytest.mark.services
def test_much_in_both_directions_at_once_gets_through(database: Database) -> None:
    much = "客" * 3_000_000
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        bulk.ahead(("SELECT repeat('x', ?::int)", 9_000_000), ("SELECT ?::text", much))
        bulk.later("INSERT INTO counter (name, value) SELECT left(?::text, 1), 1", much)
        assert bulk.fetch("SELECT length(?::text)", much) == [(3_000_000,)]
        assert connection.execute(select(counter.c.name)).scalars().all() == ["客"]


@pytest.mark.services
def test_a_consistent_read_is_one_below_sqlalchemy_too(database: Database) -> None:
    with database.reading() as connection:
        bulk = bulk_for(connection)
        assert bulk.fetch(COUNT) == [(0,)]
        with database.hot_transaction() as other:
            bulk_for(other).insert_keys([(1, 1)])
        assert bulk.fetch(COUNT) == [(0,)]
        assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def test_changes_and_landings_are_numbered(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/m.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    with master(url) as database:
        for count in (1, 3, 0, 1):
            with database.hot_transaction() as connection:
                bulk = bulk_for(connection)
                change = (count, "created", 1, "{}", bulk.instant(NOW), None)
                bulk.insert_changes([change] * count)
                number = bulk.insert_landing((1, b"", count, bulk.instant(NOW)))
        with database.reading() as connection:
            rows = bulk_for(connection).fetch("SELECT seq, customer_id FROM change ORDER BY seq")
            assert rows == [(1, 1), (2, 3), (3, 3), (4, 3), (5, 1)]
            assert connection.execute(select(landing.c.id).order_by(landing.c.id.desc())).scalars().first() == number


def history(url: str, seed: int) -> dict[str, Any]:
    """Single records and small pages, most of them resolved at once, a third of them later; blocks soon are crowded."""
    chance, source = random.Random(seed), ActiveVersion()
    with versioned(url, cap=3) as database:
        for _ in range(40):
            stream, keys = chance.choice((1, 2)), [str(chance.randrange(9)) for _ in range(chance.choice((1, 1, 1, 3)))]
            gone = chance.random() < 0.15
            page = [] if gone else [record(key, **customer(chance)) for key in dict.fromkeys(keys)]
            landed = land(database, stream, page, keys if gone else (), source)
            if chance.random() < 0.7:
                resolve(database, landed, source)
        resolve(database, source=source)
        return consistent(database)


@pytest.mark.services
@pytest.mark.parametrize("seed", range(3))
def test_asking_all_at_once_ends_where_asking_one_by_one_does(
    seed: int, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = history(postgres_url, seed)
    monkeypatch.setattr(components, "FEW", 0)
    monkeypatch.setattr(resolving, "FEW", 0)
    assert history(f"sqlite:///{tmp_path}/m.db", seed) == at_once


@pytest.mark.services
def test_more_neighbours_than_are_read_at_once_are_read_all_the_same(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = history(f"sqlite:///{tmp_path}/m.db", 5)
    monkeypatch.setattr(candidates, "MOST_NEAR", 4)
    assert history(postgres_url, 5) == one_by_one


@pytest.mark.services
def test_of_two_questions_in_the_same_words_each_gets_its_own_answer(database: Database) -> None:
    with database.hot_transaction() as connection:
        bulk = bulk_for(connection)
        for _ in range(2):
            bulk.ahead(("SELECT ?::int", 7), ("SELECT ?::int", 8), ("SELECT ?::int", 7))
            assert bulk.fetch("SELECT ?::int", 8) == [(8,)]
            assert bulk.fetch("SELECT ?::int", 7) == [(7,)]
            bulk.ahead(("SELECT ?::int", 9))
            assert bulk.fetch("SELECT ?::int", 7) == [(7,)]
            assert bulk.fetch("SELECT ?::int", 9) == [(9,)]


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that something is sent and waited for."""
    sent: list[str] = []

    def counted(method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(self: Statements, *args: Any, **options: Any) -> Any:
            sent.append(name)
            return method(self, *args, **options)

        return call

    monkeypatch.setattr(Statements, "_depart", counted(Statements._depart, "together"))
    monkeypatch.setattr(Statements, "_begin", counted(Statements._begin, "alone"))
    return sent


@pytest.mark.services
def test_one_incoming_record_takes_three_round_trips_and_one_that_is_known_already_four(
    postgres_url: str, trips: list[str]
) -> None:
    ann: dict[str, Any] = {"kind": "person", "name": "Ann Smith", "emails": [{"value": "ann.smith@example.com"}]}
    bob: dict[str, Any] = {"kind": "person", "name": "Bob Jones", "emails": [{"value": "bob.jones@example.com"}]}
    with versioned(postgres_url) as database:
        source = ActiveVersion()
        taken = []
        for key, fields in (("0", bob), ("1", ann), ("2", ann)):
            landed = land(database, 1, [record(f"warm{key}", **fields)], source=source)
            resolve(database, landed, source)
        for key, fields in (("a", {**bob, "name": "Zoe Wu", "emails": []}), ("b", ann)):
            with database.hot_transaction() as connection:
                bulk_for(connection)
            trips.clear()
            resolve(database, land(database, 2, [record(key, **fields)], source=source), source)
            taken.append(len(trips))
    # ``land`` of the kit reads the streams besides
    assert taken == [4, 5]
