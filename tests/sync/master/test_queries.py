"""Reading the master: by id, by source, by words; totals and the feed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.database import Database
from sync.master import queries
from sync.master.identity import founder_id, public_id
from tests.master_kit import land, master, record, sync


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/m.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with master(url) as made:
        sync(
            made,
            1,
            record("1", name="深圳市腾讯计算机系统有限公司", tags=["a"], owner="east"),
            record("2", name="Acme 100% GmbH", tags=["b"]),
            record("3", name="under_score", tags=["c"], contacts=[{"id": 1, "name": "Eve Müller"}]),
        )
        sync(made, 2, record("S1", name="Tencent", tags=["a"]))
        yield made


def names(database: Database, words: str) -> set[str | None]:
    with database.reading() as connection:
        return {found.name for found in queries.search(connection, words)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("腾讯", {"深圳市腾讯计算机系统有限公司"}),
        ("acme", {"Acme 100% GmbH"}),
        ("GMBH Acme", {"Acme 100% GmbH"}),
        ("100%", {"Acme 100% GmbH"}),
        ("r_s", {"under_score"}),
        ("east", {"深圳市腾讯计算机系统有限公司"}),
        ("' OR 1=1 --", set()),
        ("\\", set()),
        ("nobody", set()),
    ],
)
def test_search_finds_all_words_literally(database: Database, words: str, expected: set[str]) -> None:
    assert names(database, words) == expected


def test_search_takes_an_id_and_an_empty_search_lists_all_in_pages(database: Database) -> None:
    with database.reading() as connection:
        everyone = queries.search(connection, "")
        assert len(everyone) == 4
        first = queries.search(connection, "", limit=3)
        rest = queries.search(connection, "", after=first[-1].id)
        assert [found.id for found in first + rest] == [found.id for found in everyone]
        assert queries.search(connection, everyone[2].id) == [everyone[2]]


def test_a_customer_shows_its_sources_with_what_they_said(database: Database) -> None:
    with database.reading() as connection:
        found = queries.by_source(connection, "shop", "customers", "S1")
        assert found is not None
        assert found.id == public_id(founder_id("erp", "customers", "1"))
        assert [(source.connection, source.source_id) for source in found.sources] == [("erp", "1"), ("shop", "S1")]
        assert found.sources[1].canonical["name"] == "Tencent"


def test_a_part_of_a_record_is_found_by_its_name(database: Database) -> None:
    with database.reading() as connection:
        found = queries.by_source(connection, "erp", "customers", "3", "contact:1")
        assert found is not None
        assert found.name == "Eve Müller"
        assert queries.by_source(connection, "erp", "customers", "3", "contact:2") is None
        assert queries.by_source(connection, "nowhere", "customers", "3") is None


@pytest.mark.parametrize("unknown", ["", "C", "nonsense", "C0000000000000", "C" + "Z" * 13, "C" + "U" * 13])
def test_an_id_never_issued_is_no_customer(database: Database, unknown: str) -> None:
    with database.reading() as connection:
        assert queries.get(connection, unknown) is None


def test_totals_add_up(database: Database) -> None:
    land(database, 2, [record("S2", name="New"), record("S3", name="New")])
    with database.reading() as connection:
        stats = queries.stats(connection)
    assert (stats.customers, stats.shared, stats.source_records, stats.pending) == (4, 1, 6, 2)
    assert stats.by_stream == {("erp", "customers"): 3, ("shop", "customers"): 3}


def test_the_feed_is_read_in_pages_and_by_customer(database: Database) -> None:
    with database.reading() as connection:
        everything = queries.changes(connection)
        assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
        assert queries.changes(connection, after=2, limit=2) == everything[2:4]
        mine = queries.history(connection, public_id(founder_id("erp", "customers", "1")))
    assert [event.type for event in mine] == ["updated", "created"]
    assert mine[0].at.tzinfo is not None
