"""Backups: taken while everything goes on, checked, restored elsewhere, and syncing goes on with equal results."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, insert, inspect, select, text

from sync import audit, migrations
from sync.backups import archive, facts, restoring, saving
from sync.backups.archive import MANIFEST, Opened
from sync.backups.facts import Damaged, broken_at
from sync.database import Database
from sync.errors import Misused, Refused, SchemaNewer
from sync.feed import tokens
from sync.identity import users
from sync.identity.permissions import Role
from sync.master.tables import change
from sync.runs.tables import connection as connections
from sync.runs.tables import lease, stream_state
from sync.schema import metadata
from sync.stewardship.effect import Engine
from sync.vault import Vault
from tests import master_kit
from tests.master_kit import NOW, dump, record, sync

VAULT = Vault([bytes(32)])
ENGINE = Engine(master_kit.TokenMatcher(), master_kit.RULES)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated master with customers, an audit log and a stored secret."""
    yield from _made(kind, request, tmp_path / "source.db")


@pytest.fixture
def target(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Another database of the same kind, with nothing in it."""
    yield from _empty(kind, request, tmp_path / "target.db")


def _empty(kind: str, request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    if kind == "sqlite":
        database = Database(f"sqlite:///{path}")
        yield database
        database.dispose()
        return
    with request.getfixturevalue("postgres").database() as url:
        database = Database(url)
        yield database
        database.dispose()


def _made(kind: str, request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    for database in _empty(kind, request, path):
        migrations.migrate(database)
        fill(database)
        yield database


def fill(database: Database) -> None:
    with database.transaction() as connection:
        for number, name in enumerate(("erp", "shop"), 1):
            row = {"id": number, "name": name, "connector": "test", "created_at": NOW}
            connection.execute(insert(connections).values(row))
            connection.execute(insert(stream_state).values(id=number, connection_id=number, name="customers"))
        users.add(connection, "anna", Role.ADMIN, by="test")
        VAULT.put(connection, "erp", "s3cret", by="test")
        audit.record(connection, "user:anna", "tried", "thing", {"text": "tab\there, line\nthere, back\\slash, 客户"})
        connection.execute(insert(lease).values(name="x", owner="y", fence=1, expires_at=9e9, beat_at=9e9))
    first_half(database)


def first_half(database: Database) -> None:
    sync(database, 1, *(record(f"C{n}", name=f"Name\t{n}\\ 客户", tags=[f"t{n}"]) for n in range(20)))
    sync(database, 2, *(record(f"S{n}", name=f"Shop {n}", tags=[f"t{n * 2}"]) for n in range(8)))


def second_half(database: Database) -> None:
    sync(database, 1, *(record(f"C{n}", name=f"New {n}", tags=[f"t{n + 1}"]) for n in range(0, 20, 3)), deleted=["C5"])
    sync(database, 2, *(record(f"S{n}", name=f"More {n}", tags=[f"t{n}"]) for n in range(4, 12)))


def test_what_is_restored_elsewhere_goes_on_syncing_with_equal_results(
    source: Database, target: Database, tmp_path: Path
) -> None:
    manifest = saving.save(source, file := tmp_path / "b.kehu")
    source.dispose()
    restored = restoring.restore(target, file, VAULT, ENGINE)
    assert restored.manifest.facts == manifest.facts
    assert restored.sealed == 0
    assert dump(target) == dump(source)
    for database in (source, target):
        second_half(database)
    assert dump(target) == dump(source)
    with source.reading() as mine, target.reading() as theirs:
        feeds = [c.execute(select(change.c.seq, change.c.type, change.c.body)).all() for c in (mine, theirs)]
        assert feeds[0] == feeds[1]
        assert VAULT.get(theirs, "erp") == "s3cret"
        assert audit.verify(theirs).findings == []
        assert audit.entries(theirs, limit=1)[0].action == "backup.restored"


def test_a_restored_copy_is_another_feed_without_sessions_and_leases(
    source: Database, target: Database, tmp_path: Path
) -> None:
    with source.reading() as connection:
        old = tokens.now(connection)
    saving.save(source, file := tmp_path / "b.kehu")
    restoring.restore(target, file, VAULT, ENGINE)
    with target.reading() as connection:
        new = tokens.now(connection)
        assert (new.feed == old.feed, new.seq) == (False, old.seq)
        assert connection.execute(select(func.count()).select_from(lease)).scalar_one() == 0


def test_a_target_that_is_not_empty_is_left_alone_unless_told(
    source: Database, target: Database, tmp_path: Path
) -> None:
    saving.save(source, file := tmp_path / "b.kehu")
    source.dispose()
    migrations.migrate(target)
    fill(target)
    sync(target, 1, record("extra", name="Extra", tags=["extra"]))
    before = dump(target)
    target.dispose()
    with pytest.raises(Refused):
        restoring.restore(target, file, VAULT, ENGINE)
    target.dispose()
    assert dump(target) == before
    target.dispose()
    restoring.restore(target, file, VAULT, ENGINE, replace=True)
    assert dump(target) == dump(source) != before


def test_a_damaged_backup_is_refused_before_anything_is_touched(
    source: Database, target: Database, tmp_path: Path
) -> None:
    saving.save(source, file := tmp_path / "b.kehu")
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as opened:
        inside = max(opened.infolist(), key=lambda info: info.compress_size).header_offset + 200
    for name, content in {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:inside] + bytes([whole[inside] ^ 255]) + whole[inside + 1 :],
        "text": b"not a backup" * 100,
    }.items():
        (bad := tmp_path / name).write_bytes(content)
        with pytest.raises(Damaged):
            restoring.restore(target, bad, VAULT, ENGINE)
    with target.reading() as connection:
        assert inspect(connection).get_table_names() == []


def rewritten(file: Path, out: Path, **changed: Any) -> Path:
    """The same backup with another manifest."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == MANIFEST:
                content = orjson.dumps({**orjson.loads(content), **changed})
            new.writestr(info, content)
    return out


def test_what_does_not_hold_what_its_manifest_says_is_refused_and_nothing_changes(
    source: Database, target: Database, tmp_path: Path
) -> None:
    manifest = saving.save(source, file := tmp_path / "b.kehu")
    fewer = {**manifest.tables, "customer": manifest.tables["customer"] + 1}
    for number, wrong in enumerate(({"tables": fewer}, {"audit": "1:" + "0" * 64}, {"head": 7})):
        with pytest.raises(Damaged):
            restoring.restore(target, rewritten(file, tmp_path / str(number), **wrong), VAULT, ENGINE)
        target.dispose()
    with target.reading() as connection:
        assert facts.is_empty(connection)


def test_a_backup_of_a_newer_program_is_refused(source: Database, target: Database, tmp_path: Path) -> None:
    saving.save(source, file := tmp_path / "b.kehu")
    with pytest.raises(SchemaNewer):
        restoring.restore(target, rewritten(file, tmp_path / "newer", revision="9999"), VAULT, ENGINE)


def test_another_master_key_is_told(source: Database, target: Database, tmp_path: Path) -> None:
    saving.save(source, file := tmp_path / "b.kehu")
    assert restoring.restore(target, file, Vault([b"x" * 32]), ENGINE).sealed == 1


def test_a_touched_audit_log_is_saved_as_it_is_and_the_backup_says_so(
    source: Database, target: Database, tmp_path: Path
) -> None:
    with source.transaction() as connection:
        trigger = "ON audit_entry" if source.is_postgres else ""
        names = (
            ["audit_entry_append_only"] if source.is_postgres else ["audit_entry_no_update", "audit_entry_no_delete"]
        )
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name} {trigger}"))
        connection.execute(text("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 1"))
    made = saving.save(source, file := tmp_path / "b.kehu")
    assert broken_at(made.audit) == "1"
    restoring.restore(target, file, VAULT, ENGINE)
    with target.reading() as connection:
        assert [finding.seq for finding in audit.verify(connection).findings] == [1]


def test_the_file_is_private_and_tells_what_is_inside(source: Database, tmp_path: Path) -> None:
    saving.save(source, file := tmp_path / "b.kehu")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Opened(file) as backup:
        assert backup.manifest.revision == migrations.inspect(source).head
        assert backup.manifest.tables["customer"] > 10
        backup.check()
    with pytest.raises(Refused):
        saving.save(source, file)
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("source.db")}
    assert left == {"b.kehu"}


def test_every_table_is_saved(source: Database) -> None:
    with source.reading() as connection:
        there = set(inspect(connection).get_table_names()) - {facts.REVISION_TABLE}
        assert there == {table.name for table in facts.tables_of(connection)} == set(metadata.tables)
        assert {"customer", "erasure", "audit_entry", "alert_state"} <= there


@pytest.mark.services
def test_a_master_moves_from_sqlite_to_postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for source in _made("sqlite", request, tmp_path / "source.db"):
        saving.save(source, file := tmp_path / "b.kehu")
        for target in _empty("postgres", request, tmp_path):
            restoring.restore(target, file, VAULT, ENGINE)
            target.dispose()
            assert dump(target) == dump(source)
            for database in (source, target):
                second_half(database)
            assert dump(target) == dump(source)
            with target.transaction() as connection:
                users.add(connection, "after", Role.VIEWER, by="test")  # numbers go on
                assert audit.verify(connection).findings == []
            saving.save(target, back := tmp_path / "back.kehu")
            with pytest.raises(Misused):
                restoring.restore(source, back, VAULT, ENGINE, replace=True)


KILLED = """
import sys
from sync.backups import restoring
from sync.database import Database
from sync.schema import metadata
from sync.stewardship.effect import Engine
from sync.vault import Vault
def told(step):
    if step == "load":
        print("loading", flush=True)
restoring._Settling.__call__ = lambda *_: (print("loaded", flush=True), sys.stdin.read())
restoring.restore(Database(sys.argv[1]), sys.argv[2], Vault([bytes(32)]), Engine(None, None), replace=True)
"""


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_the_target_as_it_was(
    source: Database, target: Database, tmp_path: Path
) -> None:
    saving.save(source, file := tmp_path / "b.kehu")
    migrations.migrate(target)
    fill(target)
    sync(target, 1, record("extra", name="Extra", tags=["extra"]))
    before = dump(target)
    target.dispose()
    url = target.url.render_as_string(hide_password=False)
    script = KILLED.replace("sys.argv[2]", "__import__('pathlib').Path(sys.argv[2])")
    command = [sys.executable, "-c", script, url, str(file)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"loaded\n"
        os.kill(process.pid, signal.SIGKILL)
    assert dump(target) == before
    target.dispose()
    restoring.restore(target, file, VAULT, ENGINE, replace=True)
    assert dump(target) == dump(source)


def test_what_is_written_meanwhile_does_not_disturb(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The copy is of one moment, and nobody waits for it."""
    for source in _made("sqlite", request, tmp_path / "source.db"):
        before = dump(source)
        looked = saving.look

        def change_then_look(copy: Path) -> Any:
            second_half(source)  # noqa: B023
            return looked(copy)  # noqa: B023

        saving.look = change_then_look  # type: ignore[assignment]
        try:
            saving.save(source, file := tmp_path / "b.kehu")
        finally:
            saving.look = looked
        for target in _empty("sqlite", request, tmp_path / "target.db"):
            restoring.restore(target, file, VAULT, ENGINE)
            assert dump(target) == before != dump(source)


def test_the_archive_can_be_read_by_anybody(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for source in _made("sqlite", request, tmp_path / "source.db"):
        saving.save(source, file := tmp_path / "b.kehu")
    with zipfile.ZipFile(file) as opened:
        assert opened.namelist() == [saving.DATABASE, archive.MANIFEST]
        opened.extractall(tmp_path / "out")
    with closing(sqlite3.connect(tmp_path / "out" / saving.DATABASE)) as database:
        assert database.execute("SELECT count(*) FROM customer").fetchone()[0] > 10
