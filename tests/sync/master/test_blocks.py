"""Crowded blocks: refined or linked as a star, never cut, never quadratic, and the same whatever the order."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors.contract import Record
from sync.database import Database
from sync.matching import store
from tests.master_kit import consistent, record, without_ids
from tests.matching_kit import land, resolve, versioned

PAGE = 1_000


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/m.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with versioned(url) as made:
        yield made


def load(database: Database, records: list[Record], page: int = PAGE) -> None:
    for start in range(0, len(records), page):
        resolve(database, land(database, 1, records[start : start + page]))


def recorded(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT action, count(*) FROM match_block GROUP BY action"))
        return {row[0]: row[1] for row in rows}


def most_edges(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM match_edge")).scalar_one())


def person(key: str, name: str, **more: Any) -> Record:
    return record(key, kind="person", name=name, **more)


def test_equal_records_far_beyond_the_cap_are_one_customer(database: Database) -> None:
    records = [person(f"{n}", "Ann Smith", emails=[{"value": "ann@example.com"}]) for n in range(300)]
    load(database, records, 50)
    assert len(consistent(database)["customers"]) == 1
    assert recorded(database)["linked"] == 1
    assert most_edges(database) < 10 * len(records)


def test_when_the_hub_of_a_star_is_gone_the_others_stay_together(database: Database) -> None:
    records = [person(f"{n}", "Ann Smith", emails=[{"value": "ann@example.com"}]) for n in range(60)]
    load(database, records, 20)
    resolve(database, land(database, 1, [], [one.key for one in records[:15]]))
    resolve(database, land(database, 1, [person(str(n), "Bob Jones") for n in range(15, 20)]))
    content = consistent(database)
    holders = [number for address, number in content["crosswalk"].items() if int(address[2]) >= 20]
    assert len(set(holders)) == 1


def test_strangers_behind_one_phone_are_not_one_customer_and_not_compared_with_all(database: Database) -> None:
    chance = random.Random(3)
    letters = "abcdefghijklmnoprstuvw"

    def word() -> str:
        return "".join(chance.choices(letters, k=8)).title()

    records = [person(f"{n}", f"{word()} {word()}", phones=[{"value": "+493012345678"}]) for n in range(400)]
    load(database, records, 100)
    found = consistent(database)
    assert len(found["customers"]) > 390
    assert most_edges(database) < 20 * len(records)
    assert recorded(database)["refined"] > 0


@pytest.mark.slow
def test_blocks_end_the_same_in_any_order_and_in_pages_of_any_size(tmp_path: Path) -> None:
    chance = random.Random(8)
    names = ["Ann Smith", "Ann Smyth", "Bob Smith", "Anna Schmidt", "Robert Smith", "Ann Smithers"]
    contents = [
        {"kind": "person", "name": chance.choice(names), "emails": [{"value": f"m{chance.randrange(25)}@example.com"}]}
        for _ in range(150)
    ]
    records = [record(str(number), **content) for number, content in enumerate(contents)]
    ends = []
    for number, size in enumerate((150, 7, 1)):
        chance.shuffle(records)
        with versioned(f"sqlite:///{tmp_path}/{number}.db", cap=4) as database:
            load(database, records, size)
            with database.reading() as connection:
                rows = connection.execute(text("SELECT key, action FROM match_block")).all()
            ends.append((without_ids(consistent(database)), sorted(map(tuple, rows))))
    assert ends[0] == ends[1] == ends[2]


def test_a_block_past_the_cap_is_told_in_words(database: Database) -> None:
    load(database, [person(str(n), f"Smith {n}", birth_date="1980-05-01") for n in range(30)])
    with database.reading() as connection:
        rows = connection.execute(text("SELECT question, value, size, pairs FROM match_block ORDER BY size DESC")).all()
    assert ("b", "1980-05-01", 30, 435) in [tuple(row) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("family", [store.PROBABILITY, store.RULES])
def test_fifty_thousand_equal_records_cost_no_more_than_their_number(tmp_path: Path, family: str) -> None:
    body = {"kind": "person", "name": "Ann Smith", "emails": [{"value": "ann@example.com"}]}
    with versioned(f"sqlite:///{tmp_path}/m.db", family=family) as database:
        took = []
        for start in range(0, 50_000, 10_000):
            began = time.process_time()
            load(database, [record(str(n), **body) for n in range(start, start + 10_000)], 10_000)
            took.append(time.process_time() - began)
        with database.reading() as connection:
            counted = connection.execute(text("SELECT count(*), sum(members) FROM customer WHERE status = 'active'"))
            assert tuple(counted.one()) == (1, 50_000)
        assert most_edges(database) < 3 * 50_000
        assert took[-1] < 10 * took[0] + 5


@pytest.mark.slow
def test_five_thousand_records_that_share_one_phone_cost_no_more_than_their_number(tmp_path: Path) -> None:
    chance = random.Random(4)
    letters = "abcdefghijklmnoprstuvw"
    names = ["".join(chance.choices(letters, k=8)).title() for _ in range(10_000)]
    records = [
        person(f"{n}", f"{names[2 * n]} {names[2 * n + 1]}", phones=[{"value": "+493012345678"}]) for n in range(5_000)
    ]
    with versioned(f"sqlite:///{tmp_path}/m.db") as database:
        load(database, records)
        assert most_edges(database) < 5 * len(records)
        with database.reading() as connection:
            kept = connection.execute(text("SELECT max(n) FROM (SELECT count(*) n FROM match_key GROUP BY key) k"))
            assert kept.scalar_one() <= store.UNLEARNT_CAP
