"""Erasure on PostgreSQL while others store and resolve the same person's records: they never come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sync.exporting import tables as _exports  # noqa: F401 - erasing looks into them
from sync.privacy import erasing
from sync.project import Project
from sync.vault import Vault
from tests import master_kit, services
from tests.master_kit import record

pytestmark = pytest.mark.services

SETTINGS = "language: en\ndatabase: '{url}'\nconnections: {{}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with services.postgres() as server, server.database() as url:
        (tmp_path / "kehu.yaml").write_text(SETTINGS.format(url=url))
        made = Project.load(tmp_path)
        made.__dict__["matcher"] = master_kit.MATCHER
        made.__dict__["vault"] = Vault([bytes(32)])
        with master_kit.master(url):
            yield made
        made.close()


def test_records_that_are_stored_and_resolved_meanwhile_do_not_bring_the_person_back(project: Project) -> None:
    database = project.database
    people = 12
    for number in range(people):
        master_kit.sync(database, 1, record(f"e{number}", name=f"Secret{number}", tags=[f"t{number}"]))
    stop = threading.Event()
    faults: list[BaseException] = []

    def write(stream: int) -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                page = [
                    record(f"{'es'[stream - 1]}{n}", name=f"Secret{n}", turn=turn, tags=[f"t{n}"])
                    for n in range(people)
                ]
                master_kit.resolve(database, master_kit.land(database, stream, page))
        except BaseException as error:
            faults.append(error)

    writers = [threading.Thread(target=write, args=(stream,)) for stream in (1, 2, 1)]
    for thread in writers:
        thread.start()
    try:
        with database.reading() as connection:
            ids = [row[0] for row in connection.execute(text("SELECT id FROM customer WHERE status = 'active'"))]
        erased = [erasing.erase(project, master_kit.public_id(one), by="user:dpo") for one in ids]
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    assert faults == []
    assert len(erased) > 3
    master_kit.resolve(database)
    before = master_kit.dump(database)
    for stream in (1, 2):
        page = [record(f"{'es'[stream - 1]}{n}", name=f"Secret{n}", turn=0, tags=[f"t{n}"]) for n in range(people)]
        landed = master_kit.land(database, stream, page)
        assert landed.counts.adds_up()
        master_kit.resolve(database, landed)
    assert not {f"e{n}" for n in range(people)} & {address[2] for address in master_kit.dump(database)["crosswalk"]}
    assert set(before["customers"]) == set(master_kit.dump(database)["customers"])
    told = master_kit.replayed(database)
    assert told["customers"] == master_kit.dump(database)["customers"]
