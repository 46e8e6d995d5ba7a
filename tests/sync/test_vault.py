"""Secrets at rest: sealed for their place, and rotated."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from connectors.errors import BadConfiguration
from sync import migrations, vault
from sync.database import Database
from sync.errors import Misused, NotFound
from sync.project import Project
from sync.vault import Place, Vault, VaultError

CANARY = "canary-geheim-4711"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrations.migrate(made)
    yield made
    made.dispose()


def a_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def test_a_sealed_value_opens_in_its_place_only(database: Database) -> None:
    held, place = Vault([secrets.token_bytes(32)]), Place("webhook", "secret", "1")
    with database.transaction() as connection:
        sealed = held.seal(connection, place, b"whsec")
        assert held.open(connection, place, sealed) == b"whsec"
        for other in (Place("webhook", "secret", "2"), Place("webhook", "url", "1"), Place("secret", "secret", "1")):
            with pytest.raises(VaultError):
                held.open(connection, other, sealed)


def test_a_sealed_value_with_any_byte_changed_does_not_open(database: Database) -> None:
    held, place = Vault([secrets.token_bytes(32)]), Place("a", "b", "c")
    with database.transaction() as connection:
        sealed = held.seal(connection, place, b"x")
        for index in range(len(sealed)):
            changed = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
            with pytest.raises(VaultError):
                held.open(connection, place, changed)
        with pytest.raises(VaultError):
            held.open(connection, place, b"")


def test_no_plain_text_is_in_the_database(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        Vault.at(tmp_path).put(connection, "erp", CANARY, by="test")
    database.dispose()
    for path in tmp_path.iterdir():
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path.name


def test_the_master_key_can_be_changed(database: Database, tmp_path: Path) -> None:
    old, new = a_key(), a_key()
    with database.transaction() as connection:
        Vault.at(tmp_path, {vault.VARIABLE: old}).put(connection, "erp", CANARY, by="test")
    both = Vault.at(tmp_path, {vault.VARIABLE: f"{new},{old}"})
    with database.transaction() as connection:
        assert both.get(connection, "erp") == CANARY
        assert both.rotate(connection, by="test") == 1
    with database.reading() as connection:
        assert Vault.at(tmp_path, {vault.VARIABLE: new}).get(connection, "erp") == CANARY
        assert [one.key for one in vault.stored(connection)] == [2]
        with pytest.raises(VaultError, match="another"):
            Vault.at(tmp_path, {vault.VARIABLE: old}).get(connection, "erp")


def test_a_data_key_that_was_rolled_back_seals_nothing_later(database: Database, tmp_path: Path) -> None:
    held = Vault.at(tmp_path)
    with database.transaction() as connection:
        trial = connection.begin_nested()
        held.put(connection, "erp", "one", by="test")
        trial.rollback()
    with database.transaction() as connection:
        held.put(connection, "erp", CANARY, by="test")
    with database.reading() as connection:
        assert Vault.at(tmp_path).get(connection, "erp") == CANARY


def test_the_master_key_is_shown_nowhere(tmp_path: Path) -> None:
    given = a_key()
    assert given not in repr(Vault.at(tmp_path, {vault.VARIABLE: given}))
    for wrong in ("short", a_key()[:-8], "ü" * 44):
        with pytest.raises(BadConfiguration) as caught:
            Vault.at(tmp_path, {vault.VARIABLE: wrong})
        assert wrong not in str(caught.value)
    Vault.at(tmp_path, {})
    assert (tmp_path / "master.key").stat().st_mode & 0o077 == 0


def test_secrets_are_replaced_and_removed(database: Database, tmp_path: Path) -> None:
    held = Vault.at(tmp_path)
    with database.transaction() as connection:
        held.put(connection, "erp", "one", by="test")
        held.put(connection, "erp", "two", by="test")
        assert held.get(connection, "erp") == "two"
        held.remove(connection, "erp", by="test")
        assert held.get(connection, "erp") is None
        with pytest.raises(NotFound):
            held.remove(connection, "erp", by="test")
        for name, value in (("", "x"), ("a\n", "x"), ("a", ""), ("a", "x" * 70_000)):
            with pytest.raises(Misused):
                held.put(connection, name, value, by="test")


def test_a_connection_reads_its_password_from_the_vault(tmp_path: Path) -> None:
    (tmp_path / "kehu.yaml").write_text("connections: {}\n")
    project = Project.load(tmp_path)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.vault.put(connection, "erp", CANARY, by="test")
    assert project._with_vault.resolve({"password": "vault:erp"}, where="here") == {"password": CANARY}
    with pytest.raises(BadConfiguration, match="crm"):
        project._with_vault.resolve("vault:crm", where="here", key="password")
    with pytest.raises(BadConfiguration):  # the database's own address cannot stand in it
        project.secrets.resolve("vault:erp", where="here", key="database")
    with project.database.reading() as connection:
        rows = connection.execute(text("SELECT * FROM audit_entry")).all()
    assert rows
    assert CANARY not in str(rows)
    project.close()
