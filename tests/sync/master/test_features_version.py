"""Evidence stands while the compared features stand: a change of anything else compares nobody again."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mappings.contract import Evidence, Features
from sync.database import Database
from sync.master import resolving
from sync.master.tables import match_edge
from tests.master_kit import MATCHER, TokenMatcher, dump, land, record, replayed, resolve, sync


@pytest.fixture(params=[resolving.FEW, 0], ids=["few", "many"], autouse=True)
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single records are resolved in fewer round trips, pages with less work a record."""
    monkeypatch.setattr(resolving, "FEW", request.param)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Features, Features]]:
    """The pairs that the matcher is asked about while records are looked for, not while it makes groups."""
    asked: list[tuple[Features, Features]] = []

    class Counting(TokenMatcher):
        def compare(self, left: Features, right: Features) -> Evidence | None:
            asked.append((left, right))
            return super().compare(left, right)

    monkeypatch.setattr("tests.master_kit.MATCHER", Counting())
    monkeypatch.setattr(Counting, "cluster", lambda _, members, decisions: MATCHER.cluster(members, decisions))
    return asked


def versions(database: Database) -> list[tuple[int, int | None, int, int | None]]:
    """Version and features' version of each record, as landed and as resolved."""
    both = "s.version, s.features_version, x.version, x.features_version"
    with database.reading() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT {both} FROM source_record s JOIN crosswalk x ON x.record_id = s.id ORDER BY s.id"
        )
        return [tuple(row) for row in rows]


def names(database: Database) -> list[str]:
    """The names of all customers."""
    return sorted(golden["name"] for golden in dump(database)["customers"].values())


def edges(database: Database) -> list[tuple[int, int]]:
    """The versions that the edges name."""
    with database.reading() as connection:
        return [(row.left_version, row.right_version) for row in connection.execute(select(match_edge))]


def test_a_change_that_nobody_compares_is_matched_with_nobody_again(
    database: Database, compared: list[tuple[Features, Features]]
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Ann B.", tags=["a"]))
    compared.clear()
    sync(database, 1, record("1", name="Anna", tags=["a"]))
    assert compared == []
    assert edges(database) == [(1, 1)]
    assert versions(database) == [(2, 1, 2, 1), (1, None, 1, 1)]
    assert len(dump(database)["customers"]) == 1
    assert "Anna" in names(database)
    assert replayed(database) == dump(database)


def test_a_changed_feature_is_compared_again_and_its_old_evidence_is_gone(
    database: Database, compared: list[tuple[Features, Features]]
) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Bea", tags=["a", "b"]))
    sync(database, 1, record("1", name="Ann", tags=["c"]))
    assert edges(database) == []
    assert names(database) == ["Ann", "Bea"]
    compared.clear()
    sync(database, 1, record("1", name="Ann", tags=["b"]))
    assert len(compared) == 1
    assert len(names(database)) == 1


def test_features_that_changed_in_a_landing_before_are_compared_with_the_latest(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Bea", tags=["b"]))
    land(database, 1, [record("1", name="Ann", tags=["b"])])
    land(database, 1, [record("1", name="Anna", tags=["b"])])
    resolve(database)
    assert versions(database)[0] == (3, 2, 3, 2)
    assert len(names(database)) == 1


def test_who_lands_between_a_change_and_its_resolving_is_still_met(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    renamed = land(database, 1, [record("1", name="Anna", tags=["a"])])
    newcomer = land(database, 2, [record("9", name="Ann", tags=["a"])])
    resolve(database, renamed)
    resolve(database, newcomer)
    assert len(names(database)) == 1


def test_a_late_batch_does_not_bring_back_what_was_overwritten(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    late = land(database, 1, [record("1", name="Anna", tags=["a"])])
    sync(database, 1, record("1", name="Annabel", tags=["a"]))
    resolve(database, late)
    assert names(database) == ["Annabel"]


def test_a_record_that_comes_back_with_the_features_it_had_is_matched_again(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]), record("2", name="Ann", tags=["a"]))
    sync(database, 1, deleted=["1"])
    assert edges(database) == []
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    assert len(names(database)) == 1
    assert edges(database) == [(3, 1)]
    assert versions(database)[0] == (3, 3, 3, 3)
