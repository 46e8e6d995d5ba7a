"""LAND stores what changed, counts everything once, and leaves the rest alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from connectors.contract import Record
from connectors.contract import Rejected as RejectedRecord
from connectors.errors import RecordRejected
from sync.database import Database
from sync.master import landing as landing_module
from sync.master import streams
from sync.master.landing import Counts
from sync.master.records import unpack_ids
from sync.master.tables import landing, match_key, source_record
from tests.master_kit import MAPPING, MATCHER, NOW, consistent, dump, land, record, resolve, sync


def count(database: Database, table: Any) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_new_records_are_created_and_the_same_page_again_is_unchanged(database: Database) -> None:
    page = [record("1", name="Ann", tags=["a"]), record("2", name="Bob", tags=["b"])]
    assert land(database, 1, page).counts == Counts(read=2, created=2)
    again = land(database, 1, page)
    assert again.counts == Counts(read=2, unchanged=2)
    assert again.landing_id is None
    assert again.batch == []
    assert len(unpack_ids(again.seen)) == 2


def test_a_changed_body_is_an_update_and_replaces_its_keys(database: Database) -> None:
    land(database, 1, [record("1", name="Ann", tags=["a", "b"])])
    changed = land(database, 1, [record("1", name="Ann", tags=["b", "c"])])
    assert changed.counts == Counts(read=1, updated=1)
    with database.reading() as connection:
        keys = set(connection.execute(select(match_key.c.key)).scalars())
    assert keys == set(MATCHER.keys((["b", "c"], None)))


def test_a_record_repeated_on_a_page_counts_once_and_the_last_wins(database: Database) -> None:
    landed = land(database, 1, [record("1", name="old"), record("1", name="new")])
    assert landed.counts == Counts(read=2, created=1, unchanged=1)
    resolve(database)
    assert [golden["name"] for golden in dump(database)["customers"].values()] == ["new"]


def test_a_bad_record_is_rejected_and_its_neighbours_land(database: Database) -> None:
    landed = land(database, 1, [record("1", name="Ann"), record("2", bad=True), record("3", name="Cid")])
    assert landed.counts == Counts(read=3, created=2, quarantined=1)
    [rejection] = landed.rejections
    assert rejection.source_id == "2"
    assert str(rejection.error) == "The field bad is bad."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"name": "\\ud800"}',
        b"[" * 5000,
        b'{"a": NaN}',
        b'{"a":1}x',
    ],
)
def test_an_unreadable_body_is_rejected_not_fatal(database: Database, body: bytes) -> None:
    landed = land(database, 1, [Record("1", body), record("2", name="Bob")])
    assert landed.counts == Counts(read=2, created=1, quarantined=1)
    assert landed.rejections[0].payload == body


@pytest.mark.parametrize("key", ["", "a\x00b", "\ud800", "k" * 501, "客" * 200])
def test_a_key_that_cannot_be_stored_is_rejected(database: Database, key: str) -> None:
    assert land(database, 1, [record(key, name="Ann")]).counts == Counts(read=1, quarantined=1)


def test_what_the_connector_could_not_read_is_counted_as_quarantined(database: Database) -> None:
    bad = RejectedRecord("line 7", b"\x00;;", RecordRejected("Line {line} has {n} columns.", line=7, n=3))
    landed = land(database, 1, [record("1", name="Ann")], rejected=[bad])
    assert landed.counts == Counts(read=2, created=1, quarantined=1)
    assert landed.rejections[0].source_id == "line 7"


def test_a_new_version_that_is_bad_leaves_the_old_one_in_the_master(database: Database) -> None:
    sync(database, 1, record("1", name="Ann"))
    landed = sync(database, 1, record("1", bad=True))
    assert landed.counts == Counts(read=1, quarantined=1)
    assert len(unpack_ids(landed.seen)) == 1
    assert [golden["name"] for golden in consistent(database)["customers"].values()] == ["Ann"]


def test_deletes_count_when_the_record_was_live_and_are_unchanged_otherwise(database: Database) -> None:
    sync(database, 1, record("1", name="Ann"))
    assert sync(database, 1, deleted=["1", "2"]).counts == Counts(read=2, unchanged=1, deleted=1)
    assert sync(database, 1, deleted=["1"]).counts == Counts(read=1, unchanged=1)
    assert consistent(database)["customers"] == {}
    assert count(database, match_key) == 0


def test_a_record_that_comes_back_is_created_again_with_its_old_id(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    before = consistent(database)
    sync(database, 1, deleted=["1"])
    assert sync(database, 1, record("1", name="Ann", tags=["a"])).counts == Counts(read=1, created=1)
    assert consistent(database) == before


def test_a_record_in_the_page_and_in_its_deletes_lives(database: Database) -> None:
    landed = sync(database, 1, record("1", name="Ann"), deleted=["1"])
    assert landed.counts == Counts(read=2, created=1, unchanged=1)
    assert len(consistent(database)["customers"]) == 1


def test_contact_persons_inside_a_record_come_change_and_go_with_it(database: Database) -> None:
    company = {"name": "ACME", "tags": ["acme"]}
    sync(database, 1, record("1", **company, contacts=[{"id": 7, "name": "Eve"}, {"id": 8, "name": "Fay"}]))
    names = {golden["name"] for golden in consistent(database)["customers"].values()}
    assert names == {"ACME", "Eve", "Fay"}
    landed = sync(database, 1, record("1", **company, contacts=[{"id": 8, "name": "Faye"}, {"id": 9, "name": "Gus"}]))
    assert landed.counts == Counts(read=1, updated=1)
    assert {golden["name"] for golden in consistent(database)["customers"].values()} == {"ACME", "Faye", "Gus"}
    sync(database, 1, deleted=["1"])
    assert consistent(database)["customers"] == {}


def test_a_record_that_maps_to_no_customer_is_kept_raw_only(database: Database) -> None:
    landed = sync(database, 1, record("1", name="Ann", ignored=True))
    assert landed.counts == Counts(read=1, created=1)
    assert consistent(database)["customers"] == {}
    sync(database, 1, record("1", name="Ann"))
    assert len(consistent(database)["customers"]) == 1
    sync(database, 1, record("1", name="Ann", ignored=True))
    assert consistent(database)["customers"] == {}


def test_a_sweep_deletes_only_live_records_of_its_own_stream(database: Database) -> None:
    first = sync(database, 1, record("1", name="Ann"), record("2", name="Bob"))
    other = sync(database, 2, record("1", name="Cid"))
    ids = [*unpack_ids(first.seen)[:1], *unpack_ids(other.seen)]
    with database.hot_transaction() as connection:
        stream = streams.load(connection)[1]
        swept = landing_module.delete(connection, stream, ids, MATCHER, now=NOW)
        assert list(landing_module.live_ids(connection, stream)) == list(unpack_ids(first.seen)[1:])
    assert swept.counts == Counts(read=1, deleted=1)
    resolve(database, swept)
    assert {golden["name"] for golden in consistent(database)["customers"].values()} == {"Bob", "Cid"}


def test_nothing_changed_writes_nothing(database: Database) -> None:
    page = [record(str(n), name=f"N{n}", tags=[f"t{n}"]) for n in range(50)]
    sync(database, 1, *page)
    with database.reading() as connection:
        before = connection.execute(select(source_record.c.id, source_record.c.version)).all()
    sync(database, 1, *page)
    with database.reading() as connection:
        assert connection.execute(select(source_record.c.id, source_record.c.version)).all() == before
    assert count(database, landing) == 0


def test_another_mapping_is_applied_to_stored_records_without_reading_the_source(database: Database) -> None:
    sync(database, 1, *(record(str(n), name=f"n{n}", contacts=[{"id": 1, "name": "x"}]) for n in range(5)))

    class Shouting(type(MAPPING)):  # type: ignore[misc]
        def __call__(self, fields: Any) -> Any:
            return [
                mapped._replace(customer={**mapped.customer, "name": mapped.customer["name"].upper()})
                for mapped in super().__call__(fields)
            ]

    position: int | None = 0
    total = Counts()
    while position is not None:
        with database.hot_transaction() as connection:
            stream = streams.load(connection)[1]
            landed, position = landing_module.remap(
                connection, stream, Shouting(), MATCHER, after_id=position, limit=2, now=NOW
            )
        total = total.plus(landed.counts)
        resolve(database, landed)
    assert total == Counts(read=5, updated=5)
    names = sorted(golden["name"] for golden in consistent(database)["customers"].values())
    assert names == sorted([f"N{n}" for n in range(5)] + ["X"] * 5)
