"""Answers to writes that are sent twice: claimed by one, freed by a crash, kept with the work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from sync import idempotency, migrations
from sync.database import Database
from sync.idempotency import Answer, Claim, InFlight, idempotency_key
from sync.vault import Vault, VaultError

CLAIM = Claim("key:abc", "k-1", b"f" * 32)
ANSWER = Answer(201, {"location": "/x"}, b'{"secret":"canary-1"}')

HOLDER = """
import sys
from sync import idempotency
from sync.database import Database
with idempotency.held(Database(sys.argv[1]), idempotency.Claim("key:abc", "k-1", b"f")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'test.db'}"
    made = Database(embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    migrations.migrate(made)
    yield made
    made.dispose()


def test_a_key_is_held_by_one_and_others_are_told_at_once(database: Database) -> None:
    with idempotency.held(database, CLAIM):
        with pytest.raises(InFlight), idempotency.held(database, CLAIM):
            pass
        with idempotency.held(database, CLAIM._replace(key="k-2")):
            pass
        with idempotency.held(database, CLAIM._replace(owner="key:other")):
            pass
    with idempotency.held(database, CLAIM):
        pass


def test_a_key_is_free_again_when_its_holder_is_killed(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", HOLDER, url]
    holder = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(InFlight), idempotency.held(database, CLAIM):
        pass
    holder.kill()
    holder.communicate()
    for _attempt in range(200):
        try:
            with idempotency.held(database, CLAIM):
                return
        except InFlight:
            pass  # PostgreSQL notices within moments
    pytest.fail("the key is still held")


def test_an_answer_is_kept_sealed_and_forgotten_after_a_day(database: Database, tmp_path: Path) -> None:
    vault = Vault.at(tmp_path)
    with database.transaction() as connection:
        idempotency.store(connection, vault, CLAIM, ANSWER)
        idempotency.store(connection, vault, CLAIM, ANSWER)
    with database.reading() as connection:
        assert idempotency.find(connection, vault, CLAIM) == idempotency.Stored(CLAIM.fingerprint, ANSWER)
        assert idempotency.find(connection, vault, CLAIM._replace(key="k-2")) is None
        assert "canary" not in str(connection.execute(text("SELECT * FROM idempotency_key")).all())
    with database.transaction() as connection:  # an answer moved to another's row does not open
        connection.execute(update(idempotency_key).values(owner="key:other"))
    with database.reading() as connection, pytest.raises(VaultError):
        idempotency.find(connection, vault, CLAIM._replace(owner="key:other"))
    with database.transaction() as connection:
        connection.execute(update(idempotency_key).values(at=idempotency.datetime(2020, 1, 1, tzinfo=idempotency.UTC)))
        assert idempotency.find(connection, vault, CLAIM._replace(owner="key:other")) is None
        idempotency.store(connection, vault, CLAIM, ANSWER)
        assert connection.execute(text("SELECT count(*) FROM idempotency_key")).scalar_one() == 1


def test_what_is_rolled_back_was_not_answered(database: Database, tmp_path: Path) -> None:
    vault = Vault.at(tmp_path)
    with database.transaction() as connection:
        trial = connection.begin_nested()
        idempotency.store(connection, vault, CLAIM, ANSWER)
        trial.rollback()
    with database.reading() as connection:
        assert idempotency.find(connection, vault, CLAIM) is None


def test_no_lock_file_is_left(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    with idempotency.held(database, CLAIM):
        assert len(list((tmp_path / "test.db.held").iterdir())) == 1
    assert list((tmp_path / "test.db.held").iterdir()) == []
