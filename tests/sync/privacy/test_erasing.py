"""Erasure: nothing of the person is left in the file, no sync brings them back, and everybody else stays."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from sync import audit, idempotency, migrations, oneshot
from sync.errors import NotFound
from sync.idempotency import Answer, Claim
from sync.master import queries
from sync.master.identity import public_id
from sync.master.search import index
from sync.privacy import erasing, receipts
from sync.project import Project
from sync.runs.history import RunView
from sync.runs.states import RunMode
from sync.stewardship import services
from tests import master_kit

pytestmark = pytest.mark.slow

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
HEAD = "id,name,email,phone,owner"
MARIA = ("Maria Musterfrau", "Maria Mustermann", "maria.musterfrau@example.com", "13811112222", "MariasBerater")
"""What must not be found anywhere."""
SWITCHBOARD = "13900000000"


def rows_of(erp: list[str], shop: list[str], folder: Path) -> None:
    (folder / "erp.csv").write_text("\n".join([HEAD, *erp]) + "\n")
    (folder / "shop.csv").write_text("\n".join([HEAD, *shop]) + "\n")


ERP = [
    f"1,{MARIA[1]},{MARIA[2]},{MARIA[3]},{MARIA[4]}",
    f"2,Peter Schmidt,peter@example.com,{SWITCHBOARD},",
    "3,Clara Otto,clara@example.com,13977776666,",
]
SHOP = [f"77,{MARIA[0]},{MARIA[2]},{SWITCHBOARD},", "78,Clara Otto,clara@example.com,,"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(MAPPING)
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    rows_of(ERP, SHOP, tmp_path)
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    sync(made)
    yield made
    made.close()


def sync(project: Project, mode: RunMode = RunMode.INCREMENTAL) -> list[RunView]:
    runs = oneshot.request(project, oneshot.targets(project, []), mode)
    views = oneshot.finish(project, runs, lambda _views: None)
    index.catch_up(project.database)
    return views


def customer(project: Project, key: str, system: str = "erp") -> str | None:
    with project.database.reading() as connection:
        found = queries.by_source(connection, system, "customers", key)
    return None if found is None else found.id


def say(project: Project, work: Any) -> Any:
    engine = services.Engine(project.matcher, project.survivorship)
    return services.carry_out(project.database, work, engine)


def make_one(project: Project, *found: str | None) -> None:
    ids = sorted({one for one in found if one is not None})
    if len(ids) > 1:
        by = services.Steward("anna", f"told by {MARIA[0]}")
        say(project, lambda connection: services.merge(connection, by, ids))


def left_in(project: Project) -> list[str]:
    """The person's values that the database's files hold."""
    folder = Path(str(project.database.url.database)).parent
    data = b"".join(path.read_bytes() for path in folder.glob("kehu.db*") if path.is_file())
    return [value for value in MARIA if value.encode() in data or value.lower().encode() in data]


def lived_in(project: Project) -> str:
    """A person with two systems, a word of a steward, a pin, a change, a stored answer and quarantine."""
    make_one(project, customer(project, "1"), customer(project, "77", "shop"))
    maria = customer(project, "1")
    assert maria == customer(project, "77", "shop")
    by = services.Steward("anna", f"{MARIA[0]} has called")
    say(project, lambda connection: services.pin(connection, by, maria, "owner", MARIA[4]))
    folder = project.folder
    rows_of([ERP[0].replace("Mustermann", "Musterfrau"), *ERP[1:]], [*SHOP, f"99,,,,{MARIA[2]}"], folder)
    sync(project)
    claim = Claim("user:x", "k", b"1")
    with project.database.transaction() as connection:
        body = orjson.dumps({"id": maria, "emails": [MARIA[2]]})
        idempotency.store(connection, project.vault, claim, Answer(200, {}, body))
    assert maria is not None
    return maria


def test_nothing_of_the_person_is_left_in_the_database(project: Project) -> None:
    maria = lived_in(project)
    assert left_in(project) != []
    done = erasing.erase(project, maria, by="user:dpo")
    assert left_in(project) == []
    assert done.state == "done"
    assert done.counts["records"] == 2
    assert done.counts["systems"] == {"erp": 1, "shop": 1}
    assert done.counts["quarantine"] == 1
    assert done.counts["stored_answers"] == 1
    with project.database.reading() as connection:
        assert audit.verify(connection).findings == []
        entries = audit.entries(connection, action="customer.erased")
    assert [entry.object for entry in entries] == [f"customer:{maria}"]
    assert "maria" not in str(entries).lower()


def test_the_next_syncs_do_not_bring_the_person_back_and_their_counts_add_up(project: Project) -> None:
    maria = lived_in(project)
    erasing.erase(project, maria, by="user:dpo")
    before = master_kit.dump(project.database)
    rows_of([f"1,{MARIA[0]},new@example.com,,", *ERP[1:], f"9,M. M.,{MARIA[2]},,"], [SHOP[0], SHOP[1]], project.folder)
    for mode in (RunMode.INCREMENTAL, RunMode.FULL):
        for view in sync(project, mode):
            assert view.counts.adds_up()
            assert view.status == "succeeded"
            assert view.ignored == {"erp": 2, "shop": 1}[view.connection]
    assert master_kit.dump(project.database) == before
    assert left_in(project) == []
    with project.database.reading() as connection:
        held = connection.execute(text("SELECT source_id, code, state, payload FROM quarantine")).all()
    erased = [row for row in held if row.code == "person_erased"]
    assert len(erased) == 3
    assert {(row.state, bytes(row.payload)) for row in erased} == {("ignored", b"")}


def test_a_contact_that_others_have_too_keeps_nobody_away(project: Project) -> None:
    erasing.erase(project, str(customer(project, "77", "shop")), by="user:dpo")
    rows_of([*ERP[1:], f"10,Paul New,paul@example.com,{SWITCHBOARD},"], SHOP[1:], project.folder)
    sync(project)
    assert customer(project, "10") is not None
    assert customer(project, "2") is not None


def test_a_known_customer_may_take_over_a_contact_of_the_person(project: Project) -> None:
    erasing.erase(project, lived_in(project), by="user:dpo")
    rows_of([ERP[1], ERP[2].replace("clara@", "maria.musterfrau@")], SHOP[1:], project.folder)
    sync(project)
    found = customer(project, "3")
    with project.database.reading() as connection:
        golden = queries.get(connection, str(found)).golden  # type: ignore[union-attr]
    assert MARIA[2] in str(golden)


def test_who_is_readmitted_can_be_a_customer_again(project: Project) -> None:
    erasing.erase(project, lived_in(project), by="user:dpo")
    rows_of([*ERP[1:], f"9,{MARIA[0]},{MARIA[2]},,"], SHOP[1:], project.folder)
    sync(project)
    assert customer(project, "9") is None
    assert erasing.readmit(project, "email", f" {MARIA[2].upper()} ", by="user:dpo") == 1
    assert erasing.readmit(project, "email", MARIA[2], by="user:dpo") == 0
    sync(project, RunMode.FULL)
    assert customer(project, "9") is not None


def test_the_feed_from_the_beginning_still_gives_the_master(project: Project) -> None:
    maria = lived_in(project)
    erasing.erase(project, maria, by="user:dpo")
    content = master_kit.dump(project.database)
    told = master_kit.replayed(project.database)
    assert told["customers"] == content["customers"]
    assert told["crosswalk"] == content["crosswalk"]
    with project.database.reading() as connection:
        row = connection.execute(text("SELECT * FROM change WHERE type = 'erased'")).one()
    assert public_id(row.customer_id) == maria
    assert orjson.loads(row.body) == {}
    assert orjson.loads(row.cause) == {"kind": "erasure"}


def test_what_a_wrong_merge_had_shown_of_the_person_elsewhere_is_erased_too(project: Project) -> None:
    clara, maria = customer(project, "3"), customer(project, "1")
    merged = say(project, lambda c: services.merge(c, services.Steward("anna"), sorted([str(clara), str(maria)])))
    settle = services.Engine(project.matcher, project.survivorship).settle
    say(project, lambda c: services.unmerge(c, services.Steward("anna"), public_id(merged.after[0].id), settle))
    shop = customer(project, "77", "shop")
    for one in {customer(project, "1"), shop}:
        erasing.erase(project, str(one), by="user:dpo")
    assert left_in(project) == []
    content = master_kit.dump(project.database)
    assert customer(project, "3") is not None
    assert master_kit.replayed(project.database)["customers"] == content["customers"]


def test_records_deleted_at_their_source_before_are_erased_too(project: Project) -> None:
    maria = lived_in(project)
    rows_of(ERP[1:], SHOP, project.folder)
    sync(project, RunMode.FULL)
    assert customer(project, "1") is None
    erasing.erase(project, maria, by="user:dpo")
    assert left_in(project) == []


def test_an_erasure_is_done_once_and_has_a_receipt_that_can_be_verified(project: Project) -> None:
    maria = lived_in(project)
    done = erasing.erase(project, maria, by="user:dpo")
    assert erasing.erase(project, maria, by="user:other").receipt == done.receipt
    assert done.receipt is not None
    with project.database.reading() as connection:
        assert receipts.verify(connection, done.receipt)
        assert not receipts.verify(connection, {**done.receipt, "requested_by": "user:other"})
    for value in MARIA:
        assert value not in str(done.receipt)


def test_whoever_looked_before_it_changed_is_refused(project: Project) -> None:
    maria = lived_in(project)
    looked = erasing.precheck(project, maria)
    assert {(one["connection"], one["id"]) for one in looked.records} == {("erp", "1"), ("shop", "77")}
    assert (looked.contacts, looked.shared_contacts, looked.blockers) == (2, 1, [])
    with pytest.raises(erasing.Stale):
        erasing.erase(project, maria, by="user:dpo", version=looked.version - 1)
    erasing.erase(project, maria, by="user:dpo", version=looked.version)
    assert erasing.precheck(project, maria).blockers == ["already_erased"]
    with pytest.raises(NotFound):
        erasing.erase(project, "C0000000000000", by="user:dpo")


def test_files_of_exports_go_with_the_person(project: Project) -> None:
    maria = lived_in(project)
    project.exports_folder.mkdir()
    file = project.exports_folder / "export-1.csv"
    file.write_text(MARIA[2])
    with project.database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO export_job (id, request, masked, state, file, user_id, created_by, created_at) "
                "VALUES (1, '{}', false, 'done', 'export-1.csv', 1, 'user:x', '2026-01-01')"
            )
        )
    erasing.erase(project, maria, by="user:dpo")
    assert not file.exists()
    with project.database.reading() as connection:
        assert connection.execute(text("SELECT state FROM export_job")).scalar_one() == "expired"


def _erase_and_die(folder: str, where: str, maria: str) -> None:
    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    project = Project.load(folder)
    if where == "wiping":
        erasing.wiping.customers = die  # type: ignore[assignment]
    else:
        erasing.scrub = die
    erasing.erase(project, maria, by="user:dpo")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["wiping", "files"])
def test_an_erasure_that_is_killed_is_brought_to_the_end_by_the_next(project: Project, where: str) -> None:
    maria = lived_in(project)
    project.close()
    child = multiprocessing.get_context("spawn").Process(
        target=_erase_and_die, args=(str(project.folder), where, maria)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    fresh = Project.load(project.folder)
    with fresh.database.reading() as connection:
        states = connection.execute(text("SELECT state FROM erasure")).scalars().all()
    assert states == ([] if where == "wiping" else ["wiped"])
    if where == "files":
        assert erasing.finish(fresh) == 1
    done = erasing.erase(fresh, maria, by="user:dpo")
    assert done.state == "done"
    assert left_in(fresh) == []
    fresh.close()
