"""Who was erased after a backup is not brought back by it: tombstones come from the database that is replaced, from the
file beside it, or from one that is named.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from sync import audit, migrations, oneshot
from sync.backups import restoring, saving
from sync.backups.restoring import Restored
from sync.errors import Misused
from sync.master import queries
from sync.privacy import erasing, ledger, receipts
from sync.privacy.ledger import Ledger
from sync.project import Project
from sync.runs.states import RunMode
from sync.stewardship.effect import Engine
from sync.stewardship.services import Steward, carry_out, exclude
from sync.vault import Vault, VaultError

SETTINGS = """
language: en
region: CN
connections:
  erp:
    connector: files
    settings: {streams: {customers: {path: erp.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml, every: never}}
  shop:
    connector: files
    settings: {streams: {customers: {path: shop.csv, key: id}}, settle_seconds: 0}
    streams: {customers: {mapping: customers.yaml, every: never}}
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [email]\n  phones: [phone]\n  owner: owner\n"
HEAD = "id,name,email,phone,owner\n"
MARIA = "1,Maria Mustermann,maria.mustermann@example.com,13811112222,MariasBerater\n"
PETER = "2,Peter Schmidt,peter@example.com,13900000000,\n"
WANTED = ("Mustermann", "maria.mustermann", "13811112222", "MariasBerater")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A project with customers."""
    folder = tmp_path / "project"
    (folder / "mappings").mkdir(parents=True)
    (folder / "mappings" / "customers.yaml").write_text(MAPPING)
    (folder / "erp.csv").write_text(HEAD + MARIA + PETER)
    (folder / "shop.csv").write_text(HEAD + MARIA.replace("1,", "77,", 1))
    if request.param == "sqlite":
        yield from _project(folder, "")
        return
    with request.getfixturevalue("postgres").database() as url:
        yield from _project(folder, f"database: '{url}'\n")


def _project(folder: Path, more: str) -> Iterator[Project]:
    (folder / "kehu.yaml").write_text(more + SETTINGS)
    made = Project.load(folder)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    synced(made)
    yield made
    made.close()


def synced(project: Project) -> int:
    """Sync everything; how many records were ignored."""
    ids = oneshot.request(project, oneshot.targets(project, []), RunMode.FULL)
    runs = oneshot.finish(project, ids, lambda _views: None)
    assert {run.status for run in runs} == {"succeeded"}
    return sum(run.ignored for run in runs)


def maria(project: Project) -> str:
    with project.database.reading() as connection:
        found = queries.by_source(connection, "erp", "customers", "1")
    assert found is not None
    return found.id


def back(project: Project, file: Path, *ledgers: Ledger, replace: bool = True) -> Restored:
    """What ``kehu restore`` does."""
    project.database.dispose()
    engine = Engine(project.matcher, project.survivorship)
    done = restoring.restore(project.database, file, project.vault, engine, replace=replace, ledgers=ledgers)
    erasing.finish(project)
    return done


def held(project: Project) -> list[str]:
    """What the database still holds of the person, in any column of any table."""
    found = []
    with project.database.reading() as connection:
        for table in ("source_record", "customer", "change", "search_term", "quarantine", "run_event"):
            rows = connection.execute(text(f"SELECT * FROM {table}")).all()
            found += [f"{table}: {word}" for word in WANTED if any(word in str(tuple(row)) for row in rows)]
    return found


def test_a_restore_erases_again_whoever_was_erased_since(project: Project, tmp_path: Path) -> None:
    saving.save(project.database, file := tmp_path / "b.kehu")
    customer = maria(project)
    first = erasing.erase(project, customer, by="user:anna")
    done = back(project, file)
    assert done.erased == 1
    assert held(project) == []
    with project.database.reading() as connection:
        kept = erasing.get(connection, first.id)
        again = erasing.of_customer(connection, customer)
        assert kept.receipt == first.receipt
        assert again is not None
        assert again.receipt is not None
        assert again.id != first.id
        assert again.counts["again"] is True
        assert receipts.verify(connection, first.receipt or {})
        assert receipts.verify(connection, again.receipt)
        assert audit.verify(connection).findings == []
        assert {"customer.erased", "backup.restored"} <= {one.action for one in audit.entries(connection, limit=9)}
    assert synced(project) == 2
    assert held(project) == []
    with project.database.reading() as connection:
        assert queries.by_source(connection, "erp", "customers", "2") is not None


def test_a_backup_that_knows_of_the_erasure_is_restored_as_it_is(project: Project, tmp_path: Path) -> None:
    erasing.erase(project, maria(project), by="user:anna")
    saving.save(project.database, file := tmp_path / "b.kehu")
    assert back(project, file).erased == 0
    assert synced(project) == 2


def test_where_the_database_is_lost_the_file_beside_it_knows(project: Project, tmp_path: Path) -> None:
    saving.save(project.database, file := tmp_path / "b.kehu")
    erasing.erase(project, maria(project), by="user:anna")
    kept = ledger.kept_at(project)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not any(word in kept.read_text() for word in WANTED)
    known = ledger.load(kept, project.vault)
    with project.database.transaction() as connection:
        for table in ("tombstone", "erasure", "erasure_key"):
            connection.execute(text(f"DELETE FROM {table}"))
    assert back(project, file, known).erased == 1
    assert held(project) == []
    assert synced(project) == 2
    saving.save(project.database, after := tmp_path / "after.kehu")
    assert back(project, after, known).erased == 0  # what is known is not done twice


def test_of_a_customer_that_was_two_people_at_the_time_only_one_goes(project: Project, tmp_path: Path) -> None:
    """At the time of the backup strangers were one customer; one of them was split off since, and erased."""
    shop = project.folder / "shop.csv"
    shop.write_text(HEAD + "77,Maria Mustermann,maria.mustermann@example.com,13811113333,\n")
    synced(project)
    saving.save(project.database, file := tmp_path / "b.kehu")
    engine = Engine(project.matcher, project.survivorship)
    customer, record = maria(project), "shop/customers/77"
    carry_out(project.database, lambda c: exclude(c, Steward("anna"), customer, record), engine)
    with project.database.reading() as connection:
        stranger = queries.by_source(connection, "shop", "customers", "77")
    assert stranger is not None
    assert stranger.id != customer
    erasing.erase(project, stranger.id, by="user:anna")
    assert back(project, file).erased == 1
    with project.database.reading() as connection:
        assert queries.by_source(connection, "shop", "customers", "77") is None
        left = queries.get(connection, customer)
    assert left is not None
    assert [(one.connection, one.source_id) for one in left.sources] == [("erp", "1")]
    assert "13811113333" not in orjson.dumps(left.golden).decode()
    assert [word for word in ("13811113333",) if any(word in one for one in _bodies(project))] == []
    assert synced(project) == 1


def _bodies(project: Project) -> list[str]:
    with project.database.reading() as connection:
        return [row.body for row in connection.execute(text("SELECT body FROM change"))]


def test_a_ledger_that_was_changed_or_is_of_another_master_key_is_refused(project: Project, tmp_path: Path) -> None:
    erasing.erase(project, maria(project), by="user:anna")
    file = tmp_path / "ledger.json"
    shutil.copy(ledger.kept_at(project), file)
    said = orjson.loads(file.read_bytes())
    said["tombstones"].pop()
    file.write_bytes(orjson.dumps(said))
    with pytest.raises(Misused):
        ledger.load(file, project.vault)
    with pytest.raises(VaultError):
        ledger.load(ledger.kept_at(project), Vault([b"x" * 32]))
    file.write_text("[]")
    with pytest.raises(Misused):
        ledger.load(file, project.vault)
