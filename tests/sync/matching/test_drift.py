"""Later recalibrations are proposed with what they would change, and put in force by a person or the stated policy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.population import customers
from sync import language
from sync.database import Database
from sync.matching import calibration, drift, store, switching
from sync.matching.due import ASK, FOLLOW, NEVER
from tests.master_kit import consistent, record
from tests.matching_kit import land, resolve, switch, versioned

pytestmark = pytest.mark.slow

MADE = [one for _entity, one in customers(330, seed=9)]


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Database]:
    """A master of 120 records, matched by what was learnt from them."""
    language.use("en")
    with versioned(f"sqlite:///{tmp_path}/m.db") as database:
        add(database, 0, 120)
        with database.transaction() as connection:
            version = calibration.propose(connection, calibration.learn(database), by="test")
        switch(database, version.number)
        yield database


def add(database: Database, start: int, end: int) -> None:
    land(database, 1, [record(str(number), **MADE[number]) for number in range(start, end)])
    resolve(database)


def measured(database: Database) -> drift.Drift:
    with database.reading() as connection:
        found = drift.measure(connection)
    assert found is not None
    return found


def active(database: Database) -> int:
    with database.reading() as connection:
        return store.active(connection).number


def test_while_the_data_stay_nothing_is_proposed(master: Database) -> None:
    add(master, 120, 150)
    assert measured(master) == drift.Drift(150, 120, 0)
    assert not measured(master).due
    assert drift.propose_if_due(master, ASK) is None


def test_half_as_many_records_again_are_learnt_from_and_what_would_change_is_counted(master: Database) -> None:
    add(master, 120, 330)
    before, number = consistent(master), active(master)
    found = drift.propose_if_due(master, ASK)
    assert found is not None
    assert (found.basis, found.learnt_from, found.records) == (number, 120, 330)
    assert found.merged is not None
    assert found.split is not None
    assert set(found.moved["person"]) == {"prior", "level", "shared_added", "shared_gone"}
    assert consistent(master) == before, "it is only proposed"
    assert active(master) == number
    with master.reading() as connection:
        assert drift.open_proposal(connection) == found
    assert drift.propose_if_due(master, ASK) is None, "it was proposed already"
    switch(master, found.version.number)
    with master.reading() as connection:
        assert drift.open_proposal(connection) is None


def test_never_means_never(master: Database) -> None:
    add(master, 120, 330)
    assert drift.propose_if_due(master, NEVER) is None


@pytest.mark.parametrize(("share", "follows"), [(1.0, True), (-1.0, False)])
def test_the_policy_follow_switches_where_few_customers_change(
    master: Database, monkeypatch: pytest.MonkeyPatch, share: float, follows: bool
) -> None:
    monkeypatch.setattr(drift, "FEW", share)
    add(master, 120, 330)
    found = drift.propose_if_due(master, FOLLOW)
    assert found is not None
    assert (active(master) == found.version.number) is follows
    if follows:
        with master.reading() as connection:
            latest = switching.history(connection, 1)[0]
        assert (latest.begun_by, latest.reason) == ("policy follow", "the data moved on")


def test_of_very_many_records_the_customers_are_left_to_the_command(
    master: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "COMPARED", 100)
    add(master, 120, 330)
    found = drift.propose_if_due(master, FOLLOW)
    assert found is not None
    assert (found.merged, found.split, found.asks) == (None, None, True)
    assert active(master) == found.basis, "nobody knows how many would change"


def test_blocks_that_grew_crowded_since_ask_for_it_too(master: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "CROWDED", 1)
    chance = random.Random(2)
    same = {"kind": "person", "family_name": "Same", "name": "Same"}
    land(master, 2, [record(str(n), **same, given_name=chance.choice("ABCDEFG") + f"x{n}") for n in range(35)])
    resolve(master)
    assert measured(master).crowded > 0
    assert measured(master).due


def test_a_master_that_nothing_was_learnt_for_is_left_to_the_first_load(tmp_path: Path) -> None:
    with versioned(f"sqlite:///{tmp_path}/m.db") as database, database.reading() as connection:
        assert drift.measure(connection) is None
        assert drift.open_proposal(connection) is None
        assert connection.execute(text("SELECT count(*) FROM match_model")).scalar_one() == 1
