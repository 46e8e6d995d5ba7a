"""Evidence found for all records at once is that which is found batch by batch, whatever happens meanwhile."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from benchmarks.population import customers
from sync.database import Database
from sync.master.bulk import Bulk
from sync.matching import gathering, store, switching
from sync.matching.active import ActiveVersion
from sync.matching.gathering import Gathered, gather
from sync.matching.packed import PROBABILITY, RULES
from tests.master_kit import consistent, record, without_ids
from tests.matching_kit import customer, land, resolve, switch, versioned

Edges = list[tuple[Any, ...]]


def fill(database: Database, made: list[dict[str, Any]]) -> None:
    for stream in (1, 2):
        land(database, stream, [record(str(n), **one) for n, one in enumerate(made) if n % 2 == stream - 1])
        resolve(database)


def mixed(seed: int) -> list[dict[str, Any]]:
    """Persons and organisations, crowds with official numbers, and records that are equal in everything."""
    chance = random.Random(seed)
    made = [one for _entity, one in customers(120, seed=seed)]
    return made + [customer(chance) for _ in range(40)] + [{"kind": "person", "name": "Ann Smith"}] * 15


def weighed(database: Database) -> Edges:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT * FROM match_edge ORDER BY left_id, right_id")).all()
    return [tuple(row) for row in rows]


def rebuilt(database: Database) -> Edges:
    switch(database, 1)
    return weighed(database)


def at_edges(database: Database, number: int = 1) -> ActiveVersion:
    """Begin a switch and bring it to the point where the evidence is to be found."""
    with database.transaction() as connection:
        switching.begin(connection, number, by="test")
    source = ActiveVersion()
    while not switching._at_beginning_of_edges(database):
        with database.hot_transaction() as connection:
            assert switching._step(connection, source)
    return source


def gathered(database: Database, source: ActiveVersion) -> Gathered:
    found = gather(database, source, switching.progress(database).total)
    assert found is not None
    return found


def finish(database: Database, source: ActiveVersion, found: Gathered | None) -> None:
    more = True
    while more:
        with database.hot_transaction() as connection:
            more = switching._step(connection, source, None, found)
    resolve(database)
    switching.finish(database)


def assert_same_evidence(database: Database, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(database, mixed(seed))
    monkeypatch.setattr(gathering, "MOST", 0)
    expected, before = rebuilt(database), consistent(database)
    assert {"probability", "identifier"} <= {edge[5] for edge in expected}
    monkeypatch.setattr(gathering, "MOST", 100_000)
    monkeypatch.setattr(gathering, "TOGETHER", 50)
    monkeypatch.setattr(gathering, "_READ", 30)
    monkeypatch.setattr(gathering, "_ROWS", 300)
    at_once, store_at_once = [], Gathered.store

    def noted(found: Gathered, bulk: Bulk, after: int) -> int:
        at_once.append(after)
        return store_at_once(found, bulk, after)

    monkeypatch.setattr(Gathered, "store", noted)
    assert rebuilt(database) == expected
    assert consistent(database) == before
    assert len(at_once) == 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_evidence_is_the_same_to_the_last_bit(seed: int, databases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_evidence(databases(cap=6), seed, monkeypatch)


@pytest.mark.services
def test_evidence_is_the_same_on_postgresql(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with versioned(postgres_url, cap=6) as database:
        assert_same_evidence(database, 1, monkeypatch)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), cap=st.sampled_from([3, 30]))
def test_what_lands_after_it_was_read_is_in_the_new_version_too(seed: int, cap: int, databases: Any) -> None:
    chance = random.Random(seed)
    database = databases(family=RULES)
    state = {(1, str(n)): record(str(n), **customer(chance)) for n in range(12)}
    land(database, 1, list(state.values()))
    resolve(database)
    with database.transaction() as connection:
        number = store.ensure(connection, PROBABILITY).number
        connection.execute(text(f"UPDATE match_model SET block_cap = {cap}"))
    source = at_edges(database, number)
    found = gathered(database, source)
    for _ in range(6):
        key = (1, str(chance.randrange(16)))
        if chance.random() < 0.3:
            state.pop(key, None)
            land(database, 1, [], [key[1]])
        else:
            state[key] = record(key[1], **customer(chance))
            land(database, 1, [state[key]])
    finish(database, source, found)
    fresh = databases(cap=cap)
    land(fresh, 1, [state[key] for key in sorted(state)])
    resolve(fresh)
    assert without_ids(consistent(database)) == without_ids(consistent(fresh))


def test_evidence_of_what_is_gone_is_not_stored(databases: Any) -> None:
    database = databases()
    same: dict[str, Any] = {
        "kind": "person",
        "name": "Ann Smith",
        "emails": [{"value": "ann@x.com"}],
        "birth_date": "1980-05-01",
    }
    land(database, 1, [record(str(n), **same) for n in range(3)])
    resolve(database)
    source = at_edges(database)
    found = gathered(database, source)
    land(database, 1, [record("1", **{**same, "name": "Bob Jones"})], ["2"])
    finish(database, source, found)
    assert all(2 not in edge[:2] or edge[2:4] != (1, 1) for edge in weighed(database))
    assert not any(3 in edge[:2] for edge in weighed(database))


def test_a_block_that_has_grown_meanwhile_is_left_to_the_batches(databases: Any) -> None:
    database = databases(cap=3)
    same: dict[str, Any] = {"kind": "person", "name": "Ann Smith"}
    land(database, 1, [record(str(n), **same, emails=[{"value": f"a{n}@x.com"}]) for n in range(3)])
    land(database, 1, [record("9", kind="person", name="Bob Jones")])
    resolve(database)
    source = at_edges(database)
    land(database, 1, [record("9", **same)])
    assert gather(database, source, switching.progress(database).total) is None
    finish(database, source, None)
    assert switching.under_way(database) is None


def test_rules_have_no_weights_and_no_records_have_no_evidence(databases: Any) -> None:
    database = databases(family=RULES)
    land(database, 1, [record("1", kind="person", name="Ann Smith")])
    assert gather(database, at_edges(database), 10) is None
    empty = databases()
    source = at_edges(empty)
    finish(empty, source, gathered(empty, source))
    assert weighed(empty) == []
