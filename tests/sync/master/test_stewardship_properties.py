"""For any records and any decisions: what is undone leaves no trace, and the order of things does not matter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sync.database import Database
from sync.errors import Misused, Refused
from sync.master.identity import public_id
from sync.master.tables import crosswalk, source_record
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state
from sync.stewardship import services as s
from tests import services
from tests.master_kit import consistent, dump, land, master, record, resolve, sync, without_ids
from tests.steward_kit import do, fingerprint, rebuild, rehearse

QUIET: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
KEYS = [(stream, key) for stream in (1, 2) for key in ("1", "2", "3")]
NAMES = {1: "erp", 2: "shop"}

keys = st.sampled_from(KEYS)
contents: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    name=st.sampled_from(["Ann", "Bob", "客户"]),
    tags=st.lists(st.sampled_from("abc"), max_size=2, unique=True),
    owner=st.sampled_from([None, None, "x", "y"]),
)
populations = st.fixed_dictionaries({key: contents for key in KEYS})
edits = st.tuples(st.just("edit"), keys, st.one_of(st.none(), contents))
words = st.one_of(
    st.tuples(st.just("decide"), keys, keys, st.sampled_from(["same", "different", "undecided"])),
    st.tuples(st.just("merge"), keys, keys),
    st.tuples(st.just("exclude"), keys),
    st.tuples(st.just("pin"), keys, st.sampled_from(["Pinned", None])),
    st.tuples(st.just("unpin"), keys),
    st.tuples(st.just("unmerge"), keys),
)


@pytest.fixture
def databases(tmp_path: Any) -> Iterator[Any]:
    made: list[Any] = []

    def make() -> Database:
        made.append(master(f"sqlite:///{tmp_path}/m{len(made)}.db"))
        database: Database = made[-1].__enter__()
        return database

    yield make
    for manager in made:
        manager.__exit__(None, None, None)


def address(key: tuple[int, str]) -> str:
    return f"{NAMES[key[0]]}/customers/{key[1]}"


def customer(database: Database, key: tuple[int, str]) -> str:
    return str(dump(database)["crosswalk"].get((NAMES[key[0]], "customers", key[1], ""), "none"))


def edit(database: Database, key: tuple[int, str], fields: dict[str, Any] | None) -> None:
    sync(
        database,
        key[0],
        *([] if fields is None else [record(key[1], **fields)]),
        deleted=[key[1]] if fields is None else [],
    )


def say(database: Database, word: tuple[Any, ...]) -> int | None:
    """One act; None where it is refused, having changed nothing."""
    kind, key, *rest = word
    calls = {
        "decide": lambda: do(database, s.decide, address(key), address(rest[0]), rest[1]),
        "merge": lambda: do(database, s.merge, [customer(database, key), customer(database, rest[0])]),
        "exclude": lambda: do(database, s.exclude, customer(database, key), address(key)),
        "pin": lambda: do(database, s.pin, customer(database, key), "name", rest[0], record=address(key)),
        "unpin": lambda: do(database, s.unpin, customer(database, key), "name"),
        "unmerge": lambda: do(database, s.unmerge, customer(database, key)),
    }
    before = fingerprint(database)
    try:
        return int(calls[kind]().decision)
    except (Refused, Misused):
        assert fingerprint(database) == before
        return None


def populate(database: Database, population: dict[tuple[int, str], dict[str, Any]]) -> None:
    for stream in (1, 2):
        land(database, stream, [record(key[1], **fields) for key, fields in population.items() if key[0] == stream])
    resolve(database)


@pytest.mark.slow
@settings(max_examples=50, **QUIET)
@given(
    population=populations, said=st.lists(words, min_size=1, max_size=6), shuffling=st.randoms(use_true_random=False)
)
def test_decisions_that_are_all_undone_leave_everything_as_it_was(
    population: Any, said: Any, shuffling: random.Random, databases: Any
) -> None:
    database = databases()
    populate(database, population)
    before = without_ids(consistent(database))
    acts = [number for word in said if (number := say(database, word)) is not None]
    while acts:
        shuffling.shuffle(acts)
        undone = next(number for number in acts if taken_back(database, number))
        acts.remove(undone)
    assert without_ids(consistent(database)) == before


def taken_back(database: Database, number: int) -> bool:
    """Undo an act; False where another has to be undone first."""
    try:
        do(database, s.undo, number)
    except (s.CannotUndo, s.Contradicted):
        return False
    return True


@pytest.mark.slow
@settings(max_examples=60, **QUIET)
@given(population=populations, steps=st.lists(st.one_of(words, edits), min_size=1, max_size=10))
def test_after_any_decisions_and_edits_the_master_equals_a_rebuild(population: Any, steps: Any, databases: Any) -> None:
    database = databases()
    populate(database, population)
    acts: list[int] = []
    for step in steps:
        if step[0] == "edit":
            edit(database, *step[1:])
        elif (number := say(database, step)) is not None:
            acts.append(number)
    for number in acts[::2]:
        with suppress(Refused):
            do(database, s.undo, number)
    lived = without_ids(consistent(database))
    rebuild(database)
    assert without_ids(consistent(database)) == lived


@pytest.mark.slow
@settings(max_examples=40, **QUIET)
@given(
    population=populations,
    said=st.lists(st.tuples(st.just("decide"), keys, keys, st.sampled_from(["same", "different"])), max_size=4),
    changes=st.lists(edits, max_size=4),
    shuffling=st.randoms(use_true_random=False),
)
def test_the_order_of_decisions_and_arrivals_does_not_matter(
    population: Any, said: Any, changes: Any, shuffling: random.Random, databases: Any
) -> None:
    first = databases()
    populate(first, population)
    accepted = [word for word in said if say(first, word) is not None]
    final = {key: fields for _, key, fields in changes if fields is not None}
    for key, fields in final.items():
        edit(first, key, fields)

    second = databases()
    populate(second, population)
    steps: list[Any] = [*accepted, *(("edit", key, fields) for key, fields in final.items())]
    shuffling.shuffle(steps)
    for step in steps:
        if step[0] == "edit":
            edit(second, *step[1:])
        else:
            assert say(second, step) is not None
    assert without_ids(consistent(first)) == without_ids(consistent(second))


@settings(max_examples=25, **QUIET)
@given(population=populations, earlier=st.lists(words, max_size=2), word=st.tuples(st.just("merge"), keys, keys))
def test_a_rehearsal_is_right(population: Any, earlier: Any, word: Any, databases: Any) -> None:
    database = databases()
    populate(database, population)
    for one in earlier:
        say(database, one)
    ids = [customer(database, key) for key in word[1:]]
    try:
        tried = rehearse(database, s.merge, ids)
    except Refused:
        return
    assert do(database, s.merge, ids) == tried


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_workers_and_stewards_at_the_same_customers_lose_nothing(postgres: services.PostgresServer, seed: int) -> None:
    with postgres.database() as url, master(url, [(f"s{n}", "customers") for n in range(1, 5)]) as shared:
        for stream in range(1, 5):
            land(shared, stream, [record(str(key), name="Ann", tags=[f"t{key}"]) for key in range(8)])
        resolve(shared)
        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(_work, url, stream, seed) for stream in range(1, 5)]
            stewards = [pool.submit(_steward, url, f"{seed}-{name}") for name in ("Mia", "Tom")]
            said = [number for job in stewards for number in job.result(timeout=300)]
            for job in jobs:
                job.result(timeout=300)
        resolve(shared)
        lived = without_ids(consistent(shared))
        assert sorted(said) == list(range(1, len(said) + 1)), "a decision was lost, or counted twice"
        rebuild(shared)
        assert without_ids(consistent(shared)) == lived


def _work(url: str, stream: int, seed: int) -> None:
    rng, database = random.Random(f"{seed}-{stream}"), Database(url)
    for _ in range(60):
        key = str(rng.randrange(8))
        tags = [f"t{key}"] if rng.random() < 0.8 else [f"t{key}", f"t{rng.randrange(8)}"]
        edited = [record(key, name=rng.choice("ABC"), tags=tags, owner=rng.choice([None, None, "x"]))]
        gone = rng.random() < 0.1
        resolve(database, land(database, stream, [] if gone else edited, [key] if gone else []))
    database.dispose()


def _steward(url: str, seed: str) -> list[int]:
    rng, database = random.Random(seed), Database(url)
    done: list[int] = []
    for _ in range(40):
        one, other = (f"s{rng.randint(1, 4)}/customers/{rng.randrange(8)}" for _ in range(2))
        holders = [_holder(database, one), _holder(database, other)]
        word: tuple[Any, ...] = rng.choice(
            [
                (s.decide, one, other, rng.choice(["same", "different", "undecided"])),
                (s.merge, holders),
                (s.exclude, holders[0], one),
                (s.unmerge, holders[0]),
                (s.pin, holders[0], "name", f"pinned {seed}", one),
                *[(s.undo, number) for number in done[-3:]],
            ]
        )
        with suppress(Refused, Misused):
            done.append(do(database, *word).decision)
    database.dispose()
    return done


def _holder(database: Database, record_address: str) -> str:
    """Who holds a record at this moment; not by ``dump``, which is for a master at rest."""
    connection_name, _, source_id = record_address.split("/", 2)
    with database.reading() as connection:
        held = connection.execute(
            select(crosswalk.c.customer_id)
            .join(source_record, source_record.c.id == crosswalk.c.record_id)
            .join(stream_state, stream_state.c.id == source_record.c.stream_id)
            .join(connections, connections.c.id == stream_state.c.connection_id)
            .where(connections.c.name == connection_name, source_record.c.source_id == source_id)
        ).scalar_one_or_none()
    return "none" if held is None else public_id(held)
