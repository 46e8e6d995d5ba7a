"""Switching the match model: the same end as a fresh master, from any history, however often it is interrupted."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from connectors.contract import Record
from sync.database import Database
from sync.errors import Refused
from sync.master import resolving
from sync.master.blocks import shared
from sync.master.bulk import bulk_for
from sync.master.records import features_of
from sync.matching import store, switching
from sync.matching.active import ActiveVersion
from sync.runs.tables import lease
from tests.master_kit import consistent, record, without_ids
from tests.matching_kit import customer, land, resolve, switch, versioned

ROOT = Path(__file__).parents[3]
Key = tuple[int, str]


def version_b(database: Database) -> int:
    """The rules as a second version: features, keys and weights all differ from the shipped model's."""
    with database.transaction() as connection:
        return store.ensure(connection, store.RULES).number


def live(database: Database, chance: random.Random, edits: int) -> dict[Key, Record]:
    """A history of pages, updates and deletes, resolved now and then; answers what is left of it."""
    state: dict[Key, Record] = {}
    for _ in range(edits):
        key = (chance.choice((1, 2)), str(chance.randrange(6)))
        if chance.random() < 0.2:
            state.pop(key, None)
            landed = land(database, key[0], [], [key[1]])
        else:
            state[key] = record(key[1], **customer(chance))
            landed = land(database, key[0], [state[key]])
        if chance.random() < 0.5:
            resolve(database, landed if chance.random() < 0.5 else None)
    return state


def fresh(database: Database, state: dict[Key, Record]) -> Any:
    for stream in (1, 2):
        land(database, stream, [content for key, content in sorted(state.items(), key=str) if key[0] == stream])
    resolve(database)
    return without_ids(consistent(database))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), there_and_back=st.booleans())
def test_after_any_history_a_switch_ends_where_a_fresh_master_of_that_version_begins(
    seed: int, there_and_back: bool, databases: Any
) -> None:
    chance = random.Random(seed)
    lived = databases(cap=3)
    other = version_b(lived)
    state = live(lived, chance, 15)
    switch(lived, other)
    family = store.RULES
    if there_and_back:
        switch(lived, 1)
        family = store.PROBABILITY
    assert without_ids(consistent(lived)) == fresh(databases(family=family, cap=3 if there_and_back else None), state)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_what_lands_during_a_switch_is_in_the_new_version_too(seed: int, databases: Any) -> None:
    chance = random.Random(seed)
    lived = databases()
    other = version_b(lived)
    state = live(lived, chance, 10)
    with lived.transaction() as connection:
        switching.begin(connection, other, by="test")
    source, more = ActiveVersion(), True
    while more:
        key = (chance.choice((1, 2)), str(chance.randrange(8)))
        state[key] = record(key[1], **customer(chance))
        landed = land(lived, key[0], [state[key]])
        assert resolve(lived, landed) == resolving.Resolved()
        with lived.hot_transaction() as connection:
            more = switching._step(connection, source)
    resolve(lived)
    assert without_ids(consistent(lived)) == fresh(databases(family=store.RULES), state)


def test_customers_stay_as_they_were_until_all_evidence_is_known(databases: Any) -> None:
    lived = databases()
    live(lived, random.Random(5), 20)
    resolve(lived)
    before, other = consistent(lived), version_b(lived)
    with lived.transaction() as connection:
        switching.begin(connection, other, by="test")
    assert consistent(lived) == before
    assert switching.go_on(lived)
    assert consistent(lived) == before


def test_a_switch_that_dies_between_two_batches_is_gone_on_with(databases: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(switching, "BATCH", 3)
    lived = databases()
    state, other = live(lived, random.Random(7), 25), version_b(lived)
    with lived.transaction() as connection:
        switching.begin(connection, other, by="test")
    seen = set()
    while switching.under_way(lived) is not None:
        seen.add(switching.progress(lived)[:2])
        with lived.hot_transaction() as connection:  # each batch by a process that knows nothing
            switching._step(connection, ActiveVersion())
    assert len(seen) > 5
    resolve(lived)
    assert without_ids(consistent(lived)) == fresh(databases(family=store.RULES), state)


def test_a_second_switch_is_refused_while_one_is_under_way(databases: Any) -> None:
    lived = databases()
    other = version_b(lived)
    with lived.transaction() as connection:
        switching.begin(connection, other, by="test")
    with pytest.raises(Refused, match="under way"), lived.transaction() as connection:
        switching.begin(connection, 1, by="test")


def test_a_rebuild_changes_nothing(databases: Any) -> None:
    lived = databases(cap=3)
    live(lived, random.Random(11), 30)
    resolve(lived)
    before = consistent(lived)
    with lived.reading() as connection:
        changes = connection.execute(text("SELECT count(*) FROM change")).scalar_one()
    switch(lived, 1)
    assert consistent(lived) == before
    with lived.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM change")).scalar_one() == changes
        assert [row.to_version for row in switching.history(connection)] == [1]


def test_keys_are_those_of_the_version_and_its_blocks_after_any_history(databases: Any) -> None:
    lived = databases(cap=3)
    live(lived, random.Random(13), 40)
    resolve(lived)
    with lived.hot_transaction() as connection:
        bulk, source = bulk_for(connection), ActiveVersion()
        force = source.in_force(bulk)
        wanted = set()
        for number, features in bulk.fetch("SELECT id, features FROM source_record WHERE deleted_at IS NULL"):
            wanted |= {(key, number) for key in force.keys(features_of(features) or ())}
        assert set(bulk.fetch("SELECT key, record_id FROM match_key")) == wanted
        sizes = shared(bulk, {key for key, _ in wanted} - force.linked).values()
    assert force.refined
    assert max(map(len, sizes)) <= 3


KILLED = """
import os, signal, sys
from sync.database import Database
from sync.matching import switching
switching.BATCH = 3
steps = int(sys.argv[2])
inner = switching._step
def step(*given):
    global steps
    more = inner(*given)
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), signal.SIGKILL)  # the batch is done and not committed
    return more
switching._step = step
assert switching.go_on(Database(sys.argv[1]), expiry=60.0)
"""


@pytest.mark.slow
def test_a_switch_survives_kill_9_at_any_batch(databases: Any) -> None:
    lived = databases(cap=3)
    state, other = live(lived, random.Random(17), 25), version_b(lived)
    with lived.transaction() as connection:
        switching.begin(connection, other, by="test")
    ends = []
    for steps in (0, 2, 3, 100):
        command = [sys.executable, "-c", KILLED, str(lived.url), str(steps)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        ends.append(ended.returncode)
        with lived.transaction() as connection:
            connection.execute(update(lease).values(expires_at=0.0))  # the lease of the dead runs out
    assert ends == [-9, -9, -9, 0], ended.stderr
    resolve(lived)
    assert without_ids(consistent(lived)) == fresh(databases(family=store.RULES), state)


def test_after_an_update_of_the_program_all_is_derived_anew_once(databases: Any) -> None:
    lived = databases(family=store.RULES)
    state = live(lived, random.Random(5), 25)
    with lived.transaction() as connection:
        assert switching.follow_program(connection) is None, "nothing was updated"
        connection.exec_driver_sql("UPDATE match_key SET key = key + 1")  # as the older program made them
        connection.exec_driver_sql("UPDATE match_state SET derivation = NULL")
        assert switching.follow_program(connection) is not None
        assert switching.follow_program(connection) is None, "it is under way"
    assert switching.go_on(lived)
    resolve(lived)
    switching.finish(lived)
    assert without_ids(consistent(lived)) == fresh(databases(family=store.RULES), state)
    with lived.transaction() as connection:
        assert switching.follow_program(connection) is None
        (told, *_) = switching.history(connection)
    assert (told.begun_by, told.reason) == ("kehu", "the program was updated")


def test_a_newer_programs_work_is_left_alone(databases: Any) -> None:
    lived = databases(family=store.RULES)
    with lived.transaction() as connection:
        connection.exec_driver_sql("UPDATE match_state SET derivation = 1000000")
        assert switching.follow_program(connection) is None


@pytest.mark.services
def test_a_batch_that_takes_longer_than_a_page_may_is_not_cut_off(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with versioned(postgres_url) as lived:
        live(lived, random.Random(3), 8)
        resolve(lived)
        allowed = []
        derive = switching._derive

        def watched(bulk: Any, *arguments: Any) -> int:
            allowed.append(bulk.fetch("SELECT current_setting('idle_in_transaction_session_timeout')")[0][0])
            return derive(bulk, *arguments)

        monkeypatch.setattr(switching, "_derive", watched)
        switch(lived, version_b(lived))
        assert set(allowed) == {"5min"}
        with lived.hot_transaction() as connection:
            rows = bulk_for(connection).fetch("SELECT current_setting('idle_in_transaction_session_timeout')")
        assert rows == [("30s",)]
