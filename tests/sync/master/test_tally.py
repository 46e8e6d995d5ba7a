"""Counts that pages show are kept by the transactions that change them, and summed by whoever asks."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.database import Database
from sync.master import tally
from sync.master.bulk import bulk_for
from sync.master.tally import Tallying
from tests.master_kit import record, sync


def read(database: Database) -> tally.Tally:
    with database.reading() as connection:
        found = tally.read(connection)
        assert found == tally.counted(connection)
    return found


def test_records_and_sizes_follow_landing_merging_deleting_and_coming_back(database: Database) -> None:
    sync(database, 1, record("1", tags=["a"]), record("2", tags=["b"]))
    sync(database, 2, record("1", tags=["a"]))
    first = read(database)
    assert (first.records, first.sizes, first.placed) == ({1: 2, 2: 1}, {1: 1, 2: 1}, 3)
    assert (first.customers, first.shared) == (2, 1)
    sync(database, 1, deleted=["1"])
    assert read(database).sizes == {1: 2}
    sync(database, 1, deleted=["2"])
    assert (read(database).records, read(database).customers) == ({2: 1}, 1)
    sync(database, 1, record("1", tags=["a"]))
    assert (read(database).records, read(database).sizes) == ({1: 1, 2: 1}, {2: 1})


def test_a_page_that_brings_nothing_new_writes_no_count(database: Database) -> None:
    sync(database, 1, record("1", tags=["a"]))
    before = rows(database)
    sync(database, 1, record("1", tags=["a"]))
    assert rows(database) == before


def test_many_rows_are_summed_and_the_counts_stay(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        sync(database, 1, record(str(number), tags=[str(number)]))
    before, many = read(database), rows(database)
    assert tally.compact(database) == 0, "few rows are left alone"
    monkeypatch.setattr(tally, "MOST_ROWS", 3)
    assert tally.compact(database) == many
    assert rows(database) == 3
    assert read(database) == before


def test_what_is_rolled_back_was_never_counted(database: Database) -> None:
    sync(database, 1, record("1", tags=["a"]))
    with database.engine.connect() as connection, connection.begin() as unit:
        tallying = Tallying()
        tallying.records(1, 5)
        tallying.customer(1, 9)
        tallying.store(bulk_for(connection))
        assert tally.read(connection).records == {1: 6}
        assert tally.read(connection).sizes == {5: 1}
        unit.rollback()
    assert read(database).records == {1: 1}


def rows(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM tally")).scalar_one())
