"""The master is a pure function of the live source records and the decisions, whatever happened on the way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from connectors.contract import Record
from sync.database import Database
from sync.master import resolving
from sync.master.tables import source_record, steward_anchor, steward_decision
from tests.master_kit import NOW, consistent, land, master, record, resolve, without_ids

STREAMS = (1, 2)
Key = tuple[int, str]
State = dict[Key, Record | None]

contents = st.builds(
    dict,
    name=st.sampled_from(["Ann", "Bob", "客户"]),
    tags=st.lists(st.sampled_from("abcd"), max_size=3, unique=True),
    owner=st.sampled_from([None, None, None, "x", "y"]),
)
keys = st.tuples(st.sampled_from(STREAMS), st.sampled_from(["1", "2", "3", "10"]))
edits = st.lists(st.tuples(keys, st.one_of(st.none(), contents, contents)), min_size=1, max_size=20)


@pytest.fixture
def databases(tmp_path: Any) -> Iterator[Any]:
    made: list[Any] = []

    def make() -> Database:
        manager = master(f"sqlite:///{tmp_path}/m{len(made)}-{random.random()}.db")
        made.append(manager)
        return manager.__enter__()

    yield make
    for manager in made:
        manager.__exit__(None, None, None)


def final_state(history: list[tuple[Key, dict[str, Any] | None]]) -> State:
    state: State = {}
    for key, fields in history:
        state[key] = None if fields is None else record(key[1], **fields)
    return state


def land_one(database: Database, key: Key, content: Record | None) -> Any:
    return land(database, key[0], [content] if content else [], [] if content else [key[1]])


def rebuilt(database: Database, state: State) -> Any:
    """A master that only ever saw the final state, in one batch."""
    for stream in STREAMS:
        land(
            database,
            stream,
            [content for key, content in sorted(state.items(), key=str) if content and key[0] == stream],
        )
    resolve(database)
    return without_ids(consistent(database))


@pytest.mark.slow
@pytest.mark.parametrize("few", [resolving.FEW, 0], ids=["few", "many"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=edits, batching=st.randoms(use_true_random=False))
def test_any_history_of_edits_and_deletes_ends_where_a_rebuild_begins(
    history: list[tuple[Key, dict[str, Any] | None]],
    batching: random.Random,
    databases: Any,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolving, "FEW", few)  # how pages are resolved, and single records
    lived = databases()
    for key, fields in history:
        landed = land_one(lived, key, None if fields is None else record(key[1], **fields))
        choice = batching.random()
        if choice < 0.4:
            resolve(lived, landed)
        elif choice < 0.7:
            resolve(lived)
    resolve(lived)
    state = final_state(history)
    expected = rebuilt(databases(), state)
    assert without_ids(consistent(lived)) == expected


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.dictionaries(keys, contents, min_size=1, max_size=8),
    shuffling=st.randoms(use_true_random=False),
)
def test_any_order_and_number_of_deliveries_gives_the_same_dump(
    records: dict[Key, dict[str, Any]], shuffling: random.Random, databases: Any
) -> None:
    state: State = {key: record(key[1], **fields) for key, fields in records.items()}
    expected = rebuilt(databases(), state)
    deliveries = [key for key in state for _ in range(shuffling.randint(1, 5))]
    shuffling.shuffle(deliveries)
    shuffled = databases()
    for key in deliveries:
        landed = land_one(shuffled, key, state[key])
        if shuffling.random() < 0.5:
            resolve(shuffled, landed)
            resolve(shuffled, landed)
    resolve(shuffled)
    assert without_ids(consistent(shuffled)) == expected


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.dictionaries(keys, contents, min_size=2, max_size=6),
    pairs=st.lists(st.tuples(keys, keys, st.booleans()), max_size=3, unique_by=lambda pair: frozenset(pair[:2])),
    shuffling=st.randoms(use_true_random=False),
)
def test_decisions_hold_whether_they_came_before_or_after_the_records_matched(
    records: dict[Key, dict[str, Any]],
    pairs: list[tuple[Key, Key, bool]],
    shuffling: random.Random,
    databases: Any,
) -> None:
    results = []
    for order in (1, -1):
        database = databases()
        for key in sorted(records)[::order]:
            land_one(database, key, record(key[1], **records[key]))
            if shuffling.random() < 0.5:
                resolve(database)
        for left, right, same in pairs[::order]:
            decide(database, left, right, same)
        for key in sorted(records):
            land_one(database, key, record(key[1], **{**records[key], "name": "touched"}))
        resolve(database)
        results.append(without_ids(consistent(database)))
    assert results[0] == results[1]


def decide(database: Database, left: Key, right: Key, same: bool) -> None:
    with database.transaction() as connection:
        ids = [
            connection.execute(
                select(source_record.c.id).where(
                    source_record.c.stream_id == key[0], source_record.c.source_id == key[1]
                )
            ).scalar_one_or_none()
            for key in (left, right)
        ]
        if None in ids or ids[0] == ids[1]:
            return
        number = connection.execute(select(func.count()).select_from(steward_decision)).scalar_one() + 1
        row = {"act": "decide", "verdict": "same" if same else "different", "decided_by": "t", "decided_at": NOW}
        connection.execute(steward_decision.insert().values(id=number, **row))
        for side, record_id in enumerate(ids):
            anchor = {"record_id": record_id, "decision_id": number, "side": side}
            connection.execute(steward_anchor.insert().values(**anchor))
