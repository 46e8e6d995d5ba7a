"""With the probabilistic matcher too the master is a pure function of live records, version and decisions."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.contract import Record
from mappings.contract import Decision
from sync.database import Database
from sync.master import decisions, streams
from sync.master.bulk import bulk_for
from sync.master.tables import source_record
from sync.matching import partition, store
from tests import services
from tests.master_kit import consistent, record, without_ids
from tests.matching_kit import customer, land, resolve, versioned
from tests.matching_worker import WORKERS, final
from tests.sync.master.test_order_independence import decide

ROOT = Path(__file__).parents[3]
CAP = 3
Key = tuple[int, str]
Said = tuple[Key, Key, bool]


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Any]:
    made: list[Any] = []

    def make() -> Database:
        manager = versioned(f"sqlite:///{tmp_path}/m{len(made)}-{random.random()}.db", cap=CAP)
        made.append(manager)
        return manager.__enter__()

    yield make
    for manager in made:
        manager.__exit__(None, None, None)


def live(
    database: Database, chance: random.Random, edits: int
) -> tuple[dict[Key, Record], list[tuple[Key, Key, bool]]]:
    """Pages of any size, redelivered pages, updates, deletes and decisions, resolved now and then."""
    state: dict[Key, Record] = {}
    said: list[Said] = []
    for _ in range(edits):
        stream = chance.choice((1, 2))
        keys = [str(chance.randrange(7)) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.2:
            for key in keys:
                state.pop((stream, key), None)
            landed = land(database, stream, [], keys)
        else:
            page = [record(key, **customer(chance)) for key in dict.fromkeys(keys)]
            state |= {(stream, one.key): one for one in page}
            landed = land(database, stream, page)
            if chance.random() < 0.3:
                land(database, stream, page)
        if chance.random() < 0.5:
            resolve(database, landed if chance.random() < 0.5 else None)
        if chance.random() < 0.15 and len(state) > 1:
            pair = chance.sample(sorted(state), 2)
            if not any({*pair} == {left, right} for left, right, _ in said):
                said.append((pair[0], pair[1], chance.random() < 0.5))
                decide(database, *said[-1])
                touch(database, state, chance)
    return state, said


def touch(database: Database, state: dict[Key, Record], chance: random.Random) -> None:
    """A decision made by hand in the tables takes effect when its records are resolved again."""
    for key, content in state.items():
        body = orjson.loads(content.body) | {"note": str(chance.random())}
        state[key] = record(key[1], **body)
        land(database, key[0], [state[key]])
    resolve(database)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_any_history_ends_where_a_rebuild_begins(seed: int, databases: Any) -> None:
    chance = random.Random(seed)
    lived, rebuilt = databases(), databases()
    state, said = live(lived, chance, 12)
    resolve(lived)
    take_over_blocks(lived, rebuilt)
    shuffled = sorted(state)
    chance.shuffle(shuffled)
    for key in shuffled:
        land(rebuilt, key[0], [state[key]])
    for pair in said:
        decide(rebuilt, *pair)
    resolve(rebuilt)
    assert without_ids(consistent(lived)) == without_ids(consistent(rebuilt))


def take_over_blocks(one: Database, other: Database) -> None:
    """What is recorded as crowded is part of the version: the rebuild is one of the same version."""
    with one.reading() as connection:
        rows = connection.execute(text("SELECT * FROM match_block")).mappings().all()
    with other.transaction() as connection:
        for row in rows:
            names = ", ".join(row)
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO match_block ({names}) VALUES ({marks})"), dict(row))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_the_master_is_what_the_pure_function_says(seed: int, databases: Any) -> None:
    lived = databases()
    live(lived, random.Random(seed), 12)
    resolve(lived)
    assert groups_of(lived) == by_function(lived)


def groups_of(database: Database) -> set[frozenset[int]]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT customer_id, record_id FROM crosswalk")).all()
    found: dict[int, set[int]] = {}
    for number, record_id in rows:
        found.setdefault(number, set()).add(record_id)
    return set(map(frozenset, found.values()))


def by_function(database: Database) -> set[frozenset[int]]:
    with database.reading() as connection:
        directory, matcher = streams.load(connection), store.matcher_of(connection, 1)
        rows = connection.execute(source_record.select().where(source_record.c.deleted_at.is_(None))).all()
        keys = {row.id: directory[row.stream_id].key(row.source_id, row.part) for row in rows}
        words = decisions.read(bulk_for(connection), keys).verdicts.values()
        known = connection.execute(text("SELECT key FROM match_block WHERE action = 'refined'")).scalars().all()
    links = decisions.links(words, keys)
    said = [
        Decision(keys[a], keys[b], same)
        for pairs, same in ((links.must, True), (links.cannot, False))
        for a, b in pairs
    ]
    records = {row.id: (keys[row.id], matcher.features(orjson.loads(row.canonical))) for row in rows}
    return set(map(frozenset, partition.customers(records, matcher, CAP, said, frozenset(known))))


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("seed", [1, 2])
def test_four_workers_on_overlapping_customers_equal_the_serial_result(
    postgres: services.PostgresServer, tmp_path: Path, seed: int
) -> None:
    with postgres.database() as url, versioned(url, cap=CAP) as shared:
        command = [sys.executable, "-m", "tests.matching_worker", url]
        workers = [
            subprocess.Popen([*command, str(number), str(seed)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
            for number in range(WORKERS)
        ]
        for worker in workers:
            _, errors = worker.communicate(timeout=200)
            assert worker.returncode == 0, errors
        resolve(shared)
        together = without_ids(consistent(shared))
        with versioned(f"sqlite:///{tmp_path}/serial.db", cap=CAP) as serial:
            take_over_blocks(shared, serial)
            for number in range(WORKERS):
                for stream, page in final(number, seed).items():
                    land(serial, stream, page)
            resolve(serial)
            alone = without_ids(consistent(serial))
        assert groups_of(shared) == by_function(shared)
    assert together == alone
