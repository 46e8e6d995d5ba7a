"""A page of records of which only what nobody compares has changed: customers keep their members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from sync.database import Database
from sync.master import refreshing, resolving
from tests.master_kit import consistent, dump, land, master, record, resolve, sync


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(resolving, "FEW", 0)  # so that two records are a page
    url = f"sqlite:///{tmp_path}/m.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with master(url) as made:
        yield made


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """How each batch that was refreshed ended: with nothing, or with what it was given up for."""
    ends: list[Any] = []
    original = refreshing.refresh

    def watched(*given: Any) -> None:
        try:
            original(*given)
        except Exception as error:
            ends.append(type(error))
            raise
        ends.append(None)

    monkeypatch.setattr(resolving, "refresh", watched)
    return ends


def names(database: Database) -> list[str]:
    return sorted(golden["name"] for golden in dump(database)["customers"].values())


def test_customers_show_what_changed_and_their_change_rows_tell_no_more(
    database: Database, refreshed: list[Any]
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Ann", tags=["a"]), record("3", name="Cy"))
    sync(database, 1, record("1", name="Anna", tags=["a"]), record("2", name="Ann", tags=["a"]), record("3", name="Di"))
    assert refreshed == [None]
    assert names(database) == ["Anna", "Di"]
    consistent(database)
    with database.reading() as connection:
        told = connection.execute(text("SELECT type, body FROM change ORDER BY seq")).all()[-2:]
    assert {tuple(row) for row in told} == {
        ("updated", '{"set":{"name":"Anna"}}'),
        ("updated", '{"set":{"name":"Di"}}'),
    }


def test_what_shows_nothing_new_writes_no_change(database: Database, refreshed: list[Any]) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    before = dump(database)
    done = resolve(database, land(database, 1, [record("1", name="Ann", tags=["a"], unmapped="new")]))
    assert refreshed == [None]
    assert sum(done) == 0
    assert dump(database) == before


def test_a_page_with_other_changes_too_is_resolved_in_both_ways(database: Database, refreshed: list[Any]) -> None:
    page = [record(str(n), name=f"N{n}", tags=[f"t{n}"]) for n in range(6)]
    sync(database, 1, *page)
    changed = [record(str(n), name=f"M{n}", tags=["t0" if n == 1 else f"t{n}"]) for n in range(5)]
    sync(database, 1, *changed, deleted=["5"])
    assert refreshed == [None]
    assert len(dump(database)["customers"]) == 4
    assert {"M2", "M3", "M4"} < set(names(database))
    consistent(database)


def test_a_member_that_was_landed_and_not_resolved_sends_the_page_the_ordinary_way(
    database: Database, refreshed: list[Any]
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("9", name="Ann", tags=["a"]))
    other = land(database, 2, [record("9", name="Bob", tags=["b"])])
    sync(database, 1, record("1", name="Anna", tags=["a"]))
    assert refreshed == [refreshing.Moved]
    resolve(database, other)
    assert names(database) == ["Anna", "Bob"]
    consistent(database)


def test_a_member_that_is_gone_and_not_resolved_sends_the_page_the_ordinary_way(
    database: Database, refreshed: list[Any]
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("9", name="Bob", tags=["a"]))
    other = land(database, 2, [], ["9"])
    sync(database, 1, record("1", name="Anna", tags=["a"]))
    assert refreshed == [refreshing.Moved]
    resolve(database, other)
    assert names(database) == ["Anna"]
    consistent(database)


def test_a_record_that_was_resolved_in_a_newer_version_meanwhile_keeps_it(
    database: Database, refreshed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    late = land(database, 1, [record("1", name="Anna", tags=["a"])])
    newer = land(database, 1, [record("1", name="Annabel", tags=["a"])])
    placed = resolving._placed

    def as_it_was(*given: Any) -> Any:
        """The look at where records are, taken before the other worker committed."""
        monkeypatch.setattr(resolving, "_placed", placed)
        return {number: place._replace(version=1) for number, place in placed(*given).items()}

    resolve(database, newer)
    monkeypatch.setattr(resolving, "_placed", as_it_was)
    resolve(database, late)
    assert refreshed == [None, refreshing.Moved]
    assert names(database) == ["Annabel"]
    consistent(database)


def test_a_record_that_moved_meanwhile_is_resolved_where_it_is(
    database: Database, refreshed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Bob", tags=["b"]))
    placed = resolving._placed

    def as_it_was(*given: Any) -> Any:
        monkeypatch.setattr(resolving, "_placed", placed)
        found = placed(*given)
        (number, place), (_, other) = sorted(found.items())
        return found | {number: place._replace(customer=other.customer)}

    landed = land(database, 1, [record("1", name="Anna", tags=["a"]), record("2", name="Bobby", tags=["b"])])
    monkeypatch.setattr(resolving, "_placed", as_it_was)
    resolve(database, landed)
    assert refreshed == [refreshing.Moved]
    assert names(database) == ["Anna", "Bobby"]
    consistent(database)
