"""A rebuild whose pairs Splink weighs, on DuckDB or on Spark, leaves the master as our own does."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.population import customers
from sync import language
from sync.database import Database
from sync.errors import Refused
from sync.matching import calibration, store, switching
from sync.matching.active import ActiveVersion
from sync.matching.engines import engine
from sync.matching.weighing import comparing_with, require_probability
from sync.stewardship import services as stewardship
from tests.master_kit import RULES, consistent, record
from tests.matching_kit import customer, land, resolve, switch, versioned
from tests.steward_kit import MIA

pytestmark = pytest.mark.slow

pytest.importorskip("splink")
Edges = list[tuple[int, int, str, float]]


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Database]:
    """Made-up customers with vetoes and crowded blocks, a version learnt from them, and two words of stewards."""
    language.use("en")
    with versioned(f"sqlite:///{tmp_path}/m.db", cap=12) as database:
        chance = random.Random(3)
        made = [one for _entity, one in islice(customers(260, seed=4), 260)] + [customer(chance) for _ in range(40)]
        for stream in (1, 2):
            land(database, stream, [record(str(n), **one) for n, one in enumerate(made) if n % 2 == stream - 1])
            resolve(database)
        with database.transaction() as connection:
            version = calibration.propose(connection, calibration.learn(database), by="test")
        switch(database, version.number)
        decide(database)
        yield database


def weighed(database: Database) -> Edges:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT left_id, right_id, rule, weight FROM match_edge ORDER BY 1, 2")).all()
    return [(left, right, rule, weight) for left, right, rule, weight in rows]


def rebuilt(database: Database, name: str) -> None:
    with database.transaction() as connection:
        active = store.active(connection)
        require_probability(active)
        switching.begin(connection, active.number, by="test")
    with engine(name) as chosen:
        assert switching.go_on(database, compare=comparing_with(chosen))
    resolve(database)
    switching.finish(database)


def assert_same(database: Database, name: str) -> None:
    before, edges = consistent(database), weighed(database)
    rebuilt(database, name)
    assert consistent(database) == before
    after = weighed(database)
    assert [edge[:3] for edge in after] == [edge[:3] for edge in edges]
    assert [edge[3] for edge in after] == pytest.approx([edge[3] for edge in edges], abs=1e-9)
    assert len(edges) > 60


def decide(database: Database) -> None:
    """Two customers are one by a steward's word, and two records of one customer are kept apart."""
    with database.reading() as connection:
        records = connection.execute(text(
            "SELECT x.customer_id, n.name || '/' || t.name || '/' || s.source_id FROM crosswalk x "
            "JOIN source_record s ON s.id = x.record_id JOIN stream_state t ON t.id = s.stream_id "
            "JOIN connection n ON n.id = t.connection_id ORDER BY s.id"
        )).all()  # fmt: skip
    held: dict[int, list[str]] = {}
    for number, address in records:
        held.setdefault(number, []).append(address)
    alone = [found[0] for found in held.values() if len(found) == 1]
    several = next(found for found in held.values() if len(found) > 1)
    kit = stewardship.Engine(ActiveVersion(), RULES)
    same, apart = (alone[0], alone[1]), (several[0], several[1])
    stewardship.carry_out(database, lambda connection: stewardship.decide(connection, MIA, *same, "same"), kit)
    stewardship.carry_out(database, lambda connection: stewardship.decide(connection, MIA, *apart, "different"), kit)


def test_duckdb_leaves_every_customer_and_edge_as_it_was(master: Database) -> None:
    assert_same(master, "duckdb")


def test_a_batch_ends_where_the_next_begins(master: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "ELSEWHERE", 130)
    assert_same(master, "duckdb")


def test_rules_are_weighed_by_no_engine(tmp_path: Path) -> None:
    with versioned(f"sqlite:///{tmp_path}/r.db", "rules") as database, database.reading() as connection:
        active = store.active(connection)
    with pytest.raises(Refused, match="matches by rules"):
        require_probability(active)


@pytest.mark.slow
@pytest.mark.systems
def test_spark_leaves_every_customer_and_edge_as_it_was(master: Database) -> None:
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    assert_same(master, "spark")
