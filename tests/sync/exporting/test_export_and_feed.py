"""An export and the changes after its token give an equal copy, whatever is written meanwhile."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sync.database import Database
from sync.exporting import making
from sync.exporting.request import Request
from sync.feed import tokens
from sync.master import queries
from tests.master_kit import apply_change, dump, master, record, sync

WRITERS, ROUNDS, KEYS = 3, 12, 12


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'kehu.db'}"
    with master(embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url")) as made:
        yield made


def write(database: Database, seed: int) -> None:
    """Customers that come, change, merge, split and go."""
    chosen = random.Random(seed)
    for _ in range(ROUNDS):
        keys = [f"{seed}-{chosen.randrange(KEYS)}" for _ in range(2)]
        records = [
            record(key, name=f"Name {chosen.random()}", tags=[f"{seed}-t{chosen.randrange(6)}"]) for key in set(keys)
        ]
        sync(database, chosen.choice((1, 2)), *records, deleted=[f"{seed}-{chosen.randrange(KEYS)}"])


def copy_of(path: Path, database: Database, after: int) -> dict[str, Any]:
    """What a consumer holds that took the file, then followed the feed from its token."""
    customers: dict[str, Any] = {}
    placed: dict[tuple[str, ...], str] = {}
    aliases: dict[str, str] = {}
    for line in map(orjson.loads, path.read_bytes().splitlines()):
        customers[line["id"]] = line["golden"]
        placed |= {tuple(address): line["id"] for address in line["joined"]}
        aliases |= dict.fromkeys(line["former_ids"], line["id"])
    with database.reading() as connection:
        while found := queries.changes(connection, after, 500):
            for one in found:
                apply_change(customers, placed, aliases, one.customer, one.type, one.body)
            after = found[-1].seq
    return {"customers": customers, "crosswalk": placed}


def test_an_export_and_the_feed_from_its_token_are_an_equal_copy(database: Database, tmp_path: Path) -> None:
    write(database, 99)
    threads = [threading.Thread(target=write, args=(database, seed)) for seed in range(WRITERS)]
    for thread in threads:
        thread.start()
    made = []
    while any(thread.is_alive() for thread in threads) or len(made) < 2:
        path = tmp_path / f"{len(made)}.ndjson"
        made.append((path, tokens.decode(making.make(database, Request(), path).token).seq))
    for thread in threads:
        thread.join()
    whole = dump(database)
    assert made[0][1] < made[-1][1], "nothing was written meanwhile"
    for path, after in (made[0], made[len(made) // 2], made[-1]):
        assert copy_of(path, database, after) == {name: whole[name] for name in ("customers", "crosswalk")}
