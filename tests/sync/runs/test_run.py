"""A run from claim to close: what it reads, what it stores, and that its counts add up."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event

import pytest

from connectors.contract import Deletes
from sync.master.landing import Counts
from sync.runs.states import RunMode, Status
from sync.runs.wording import Wording
from tests.sync.runs.lab import QUICK, Lab, events


def test_the_first_run_reads_everything_and_founds_customers(lab: Lab) -> None:
    lab.source.fill(25)
    run = lab.sync()
    assert run.status is Status.SUCCEEDED
    assert run.mode is RunMode.FULL
    assert run.counts == Counts(read=25, created=25)
    assert lab.live() == lab.source.keys()
    assert len(lab.names()) == 25


def test_the_second_run_reads_only_what_changed(lab: Lab) -> None:
    lab.source.fill(25)
    lab.sync()
    lab.source.put("k0003", stamp=5, name="Renamed")
    lab.source.put("new", stamp=5)
    run = lab.sync()
    assert run.mode is RunMode.INCREMENTAL
    assert run.counts == Counts(read=2, created=1, updated=1)
    assert lab.names()["k0003"] == "Renamed"


def test_a_full_read_of_unchanged_records_changes_nothing(lab: Lab) -> None:
    lab.source.fill(25)
    lab.sync()
    changes = lab.query("SELECT count(*) FROM change")
    run = lab.sync(RunMode.FULL)
    assert run.counts == Counts(read=25, unchanged=25)
    assert lab.query("SELECT count(*) FROM change") == changes


def test_a_stream_that_knows_no_changes_is_always_read_in_full(lab: Lab) -> None:
    lab.workspace.config["incremental"] = False
    lab.source.fill(5)
    lab.sync()
    run = lab.sync()
    assert run.mode is RunMode.FULL
    assert run.counts == Counts(read=5, unchanged=5)


def test_an_incremental_read_looks_back_only_at_its_start(lab: Lab) -> None:
    lab.workspace.config["lookback"] = 3
    lab.source.fill(5, stamp=10)
    lab.sync()
    lab.source.put("late", stamp=8)
    run = lab.sync()
    assert run.counts == Counts(read=6, created=1, unchanged=5)
    assert "late" in lab.live()


@pytest.mark.parametrize(("configured", "found"), [("3s", True), (0, False), (None, False)])
def test_the_look_back_of_the_configuration_comes_before_that_of_the_stream(
    lab: Lab, configured: object, found: bool
) -> None:
    lab.workspace.config["lookback"] = 1
    lab.workspace.stream_settings["lookback"] = configured
    lab.source.fill(5, stamp=10)
    lab.sync()
    lab.source.put("late", stamp=8)
    lab.sync()
    assert ("late" in lab.live()) is found


def test_equal_stamps_across_a_page_edge_lose_nothing(lab: Lab) -> None:
    lab.source.put("seed", stamp=1)
    lab.sync()
    lab.source.fill(35, stamp=7)
    lab.sync()
    assert lab.live() == lab.source.keys()


def test_partitions_are_read_one_by_one_and_a_new_one_in_full(lab: Lab) -> None:
    lab.workspace.config["partitions"] = ("a",)
    lab.source.put_all({"a1": {}, "a2": {}, "b1": {}})
    lab.sync()
    assert lab.live() == {"a1", "a2"}
    lab.workspace.config["partitions"] = ("a", "b")
    lab.source.put("a3", stamp=3)
    lab.sync()
    assert lab.live() == {"a1", "a2", "a3", "b1"}
    modes = [mode for mode, _, _ in lab.source.reads()]
    assert modes == ["full", "incremental", "full"]


def test_a_backfill_reads_a_range_and_moves_no_cursor(lab: Lab) -> None:
    lab.source.put("old", stamp=100)
    lab.sync()
    before = lab.query("SELECT * FROM stream_cursor")
    lab.source.put("older", stamp=50)
    lab.source.put("oldest", stamp=10)
    run = lab.sync(RunMode.BACKFILL, since=datetime.fromtimestamp(40, UTC), until=datetime.fromtimestamp(60, UTC))
    assert run.status is Status.SUCCEEDED
    assert run.counts == Counts(read=1, created=1)
    assert lab.live() == {"old", "older"}
    assert lab.query("SELECT * FROM stream_cursor") == before


def test_a_backfill_of_a_stream_without_change_stamps_is_refused_with_a_remedy(lab: Lab) -> None:
    lab.workspace.config["incremental"] = False
    lab.source.fill(3)
    run = lab.sync(RunMode.BACKFILL, since=datetime.fromtimestamp(40, UTC))
    assert (run.status, run.error_code) == (Status.FAILED, "cannot_backfill")
    assert "kehu sync run shop.customers --full" in str(run.remedy)


def test_a_run_without_anything_new_stores_no_page(lab: Lab) -> None:
    lab.source.fill(3)
    lab.sync()
    run = lab.sync()
    assert (run.status, run.pages, run.counts) == (Status.SUCCEEDED, 0, Counts())


def test_a_finished_run_is_left_alone(lab: Lab) -> None:
    lab.source.fill(3)
    run = lab.sync()
    assert lab.go_on(run.id) is None
    assert lab.run(run.id) == run


def test_shutting_down_gives_the_run_back_at_a_page_edge(lab: Lab) -> None:
    lab.source.fill(30)
    stop = Event()
    stop.set()
    run = lab.sync(stop=stop)
    assert (run.status, run.pages, run.attempts) == (Status.QUEUED, 1, 0)
    assert lab.go_on(run.id) is Status.SUCCEEDED
    assert lab.run(run.id).counts == Counts(read=30, created=30)
    assert [resumed for _, _, resumed in lab.source.reads()] == [False, True]


def test_the_run_says_how_it_went(lab: Lab) -> None:
    lab.source.fill(3)
    run = lab.sync()
    with lab.reading() as connection:
        told = events(connection, run.id)
    assert told[0] == "The run starts."
    assert told[-1] == "Read 3: created 3, updated 0, unchanged 0, quarantined 0, deleted 0."


def test_a_source_that_says_it_has_more_is_told(lab: Lab) -> None:
    lab.workspace.config["total"] = True
    lab.source.fill(12)
    run = lab.sync()
    assert run.expected == 12
    with lab.reading() as connection:
        assert not [line for line in events(connection, run.id) if "speaks of" in line]
    lab.source.remove("k0001", "k0002")
    lab.workspace.config["unseen"] = 5
    run = lab.sync(RunMode.FULL)
    with lab.reading() as connection:
        told = [line for line in events(connection, run.id) if "speaks of" in line]
    assert told == ["The source speaks of 15 records, 10 are here and 0 in quarantine."]


def test_a_changed_mapping_derives_stored_records_again(lab: Lab) -> None:
    lab.source.fill(15)
    lab.sync()
    lab.workspace.suffix = " Ltd"
    run = lab.sync()
    assert run.counts == Counts()
    assert set(lab.names().values()) == {f"Customer k{number:04} Ltd" for number in range(15)}


@pytest.mark.parametrize("deletes", [Deletes.SWEEP, Deletes.FEED])
def test_a_record_gone_from_a_full_read_is_deleted(lab: Lab, deletes: Deletes) -> None:
    lab.workspace.config["deletes"] = deletes
    lab.source.fill(25)
    lab.sync()
    lab.source.remove("k0001", "k0024")
    run = lab.sync(RunMode.FULL)
    assert run.counts == Counts(read=25, unchanged=23, deleted=2)
    assert lab.live() == lab.source.keys()
    assert lab.query("SELECT count(*) FROM seen_page") == [(0,)]


def test_a_stream_without_deletes_never_deletes(lab: Lab) -> None:
    lab.workspace.config["deletes"] = Deletes.NONE
    lab.source.fill(5)
    lab.sync()
    lab.source.remove("k0001")
    assert lab.sync(RunMode.FULL).counts.deleted == 0
    assert "k0001" in lab.live()


def test_a_deleted_record_comes_back_to_life(lab: Lab) -> None:
    lab.source.fill(5)
    lab.sync()
    lab.source.remove("k0001")
    lab.sync(RunMode.FULL)
    lab.source.put("k0001", stamp=9)
    lab.sync()
    assert lab.live() == lab.source.keys()


def test_keys_are_compared_once_a_day_where_only_a_list_of_keys_tells_of_deletes(lab: Lab) -> None:
    lab.source.fill(20)
    lab.sync()
    lab.source.remove("k0001")
    assert lab.sync().counts.deleted == 0
    lab.execute("UPDATE stream_state SET swept_at = :old", old="2020-01-01 00:00:00+00:00")
    run = lab.sync()
    assert (run.mode, run.counts.deleted) == (RunMode.INCREMENTAL, 1)
    assert lab.live() == lab.source.keys()


def test_without_a_list_of_keys_a_full_read_looks_for_deletes_once_a_day(lab: Lab) -> None:
    lab.workspace.config["ids"] = False
    lab.source.fill(20)
    lab.sync()
    lab.source.remove("k0001")
    lab.execute("UPDATE stream_state SET swept_at = :old", old="2020-01-01 00:00:00+00:00")
    run = lab.sync()
    assert (run.mode, run.counts.deleted) == (RunMode.FULL, 1)


def test_wordings_survive_parameters_that_no_database_can_hold() -> None:
    from sync.runs.wording import packed, unpacked

    stored = packed("The field {field} holds {value}.", {"field": "a\x00b", "value": "\ud800" * 5000})
    found = unpacked(stored)
    assert isinstance(found, Wording)
    assert "\x00" not in stored
    assert len(str(found)) < 1100


def test_the_pace_of_tests_is_no_pace_of_production() -> None:
    from sync.runs.workspace import Pace

    assert Pace().most > QUICK.most


def test_a_run_takes_those_before_it_in_line_along(lab: Lab) -> None:
    lab.source.fill(5)
    first, second = lab.request(), lab.request(RunMode.FULL)
    assert lab.go_on(second) is Status.SUCCEEDED
    assert lab.run(first).status is Status.SUCCEEDED
