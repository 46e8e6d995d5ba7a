"""The audit log: one chain whoever writes, and every touched entry is named."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sync import audit, migrations
from sync.audit import Head
from sync.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    yield from prepared(f"sqlite:///{tmp_path / 'test.db'}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'either.db'}"
    yield from prepared(embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


def prepared(url: str) -> Iterator[Database]:
    made = Database(url)
    migrations.migrate(made)
    yield made
    made.dispose()


def write(database: Database, count: int, actor: str = "user:anna") -> None:
    for number in range(count):
        with database.transaction() as connection:
            audit.record(connection, actor, "tested", f"thing:{number}", {"名": "张伟", "n": number})


def verified(database: Database, anchor: Head | None = None) -> audit.Verified:
    with database.reading() as connection:
        return audit.verify(connection, anchor)


def tamper(database: Database, statement: str) -> None:
    """As somebody would who owns the database: the triggers go first."""
    with database.transaction() as connection:
        if database.is_postgres:
            connection.execute(text("DROP TRIGGER IF EXISTS audit_entry_append_only ON audit_entry"))
        else:
            for act in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_entry_no_{act}"))
        connection.execute(text(statement))


def test_an_untouched_log_is_found_so(either: Database) -> None:
    assert verified(either) == audit.Verified(0, [], Head(0, "0" * 64))
    write(either, 5)
    found = verified(either)
    assert (found.entries, found.findings, found.head.seq) == (5, [], 5)
    with either.reading() as connection:
        assert audit.head(connection) == found.head
        newest = audit.entries(connection, limit=2)
    assert [entry.seq for entry in newest] == [5, 4]
    assert newest[0].details == {"名": "张伟", "n": 4}


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
def test_the_either_itself_refuses_changes(either: Database, statement: str) -> None:
    write(either, 1)
    with pytest.raises(DBAPIError, match="append-only"), either.transaction() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("column", ["actor", "action", "object", "details"])
def test_a_changed_entry_is_named(database: Database, column: str) -> None:
    write(database, 5)
    tamper(database, f"UPDATE audit_entry SET {column} = '{{}}' WHERE seq = 3")
    assert [finding.seq for finding in verified(database).findings] == [3]


def test_a_changed_entry_with_a_matching_hash_breaks_the_next_one(database: Database) -> None:
    write(database, 4)
    tamper(database, "UPDATE audit_entry SET hash = (SELECT hash FROM audit_entry WHERE seq = 1) WHERE seq = 2")
    assert [finding.seq for finding in verified(database).findings] == [2, 3]


def test_a_removed_entry_is_named_wherever_it_stood(either: Database) -> None:
    write(either, 5)
    tamper(either, "DELETE FROM audit_entry WHERE seq IN (1, 3, 5)")
    found = verified(either)
    assert [f.seq for f in found.findings if "missing" in f.what] == [1, 3, 5]


def test_a_log_that_was_made_anew_does_not_hold_the_head_kept_outside(database: Database) -> None:
    write(database, 3)
    kept = verified(database).head
    assert verified(database, kept).findings == []
    write(database, 1)
    assert verified(database, kept).findings == []
    tamper(database, "DELETE FROM audit_entry")
    tamper(database, "DELETE FROM counter WHERE name = 'audit'")
    write(database, 3)
    assert verified(database).findings == []
    assert [finding.seq for finding in verified(database, kept).findings] == [3]
    tamper(database, "DELETE FROM audit_entry WHERE seq = 3")
    tamper(database, "UPDATE counter SET value = 2 WHERE name = 'audit'")
    assert [finding.seq for finding in verified(database, kept).findings] == [3]


def test_many_writers_make_one_chain(either: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write(either, 10, f"user:{number}"), range(8)))
    found = verified(either)
    assert (found.entries, found.findings) == (80, [])


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    write(database, 1)
    with database.transaction() as connection:
        trial = connection.begin_nested()
        audit.record(connection, "user:anna", "tested", "thing")
        trial.rollback()
    write(database, 1)
    assert (verified(database).entries, verified(database).findings) == (2, [])


def test_any_text_is_storable(either: Database) -> None:
    with either.transaction() as connection:
        audit.record(connection, "user:\x00\ud800" * 100, "a", "o\x00", {"key": "x\x00" * 20_000})
    assert verified(either).findings == []


def test_who_acts_is_known_in_the_block_only() -> None:
    with audit.acting_as("user:anna"):
        assert audit.actor() == "user:anna"
    assert audit.actor() == audit.SYSTEM
