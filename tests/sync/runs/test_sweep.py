"""The brake on mass deletes, and what survives a crash on the way to the sweep."""

from __future__ import annotations

import pytest

from sync.errors import Refused
from sync.runs import failpoints
from sync.runs.replay import records, replay
from sync.runs.states import RunMode, Status
from tests.sync.runs.lab import Lab, events


def test_a_read_that_would_delete_too_much_stops_deletes_nothing_and_asks(lab: Lab) -> None:
    lab.source.fill(50)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(11)))
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.error_code, run.counts.deleted) == (Status.PARTIAL, "sweep_refused", 0)
    assert "kehu sync run shop.customers --accept-deletes" in str(run.remedy)
    assert len(lab.live()) == 50
    assert lab.query("SELECT state, reason_code FROM stream_state") == [("paused", "sweep_refused")]


def test_accepted_deletes_are_done_without_reading_again(lab: Lab) -> None:
    lab.source.fill(50)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(20)))
    lab.sync(RunMode.FULL)
    run = lab.sync(accept_deletes=True)
    assert (run.status, run.counts.deleted, run.counts.read) == (Status.SUCCEEDED, 20, 20)
    assert lab.live() == lab.source.keys()
    assert lab.query("SELECT state FROM stream_state") == [("active",)]


def test_accepting_binds_to_the_number_that_was_shown(lab: Lab) -> None:
    lab.source.fill(50)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(20)))
    lab.sync(RunMode.FULL)
    lab.execute("DELETE FROM seen_page WHERE page > 0")  # more is missing than anybody has seen
    run = lab.sync(accept_deletes=True)
    assert (run.status, run.counts.deleted) == (Status.PARTIAL, 0)


def test_there_is_nothing_to_accept_without_a_refused_sweep(lab: Lab) -> None:
    with pytest.raises(Refused, match="no deletes to accept"):
        lab.request(accept_deletes=True)


def test_a_corrected_source_ends_the_pause_with_the_next_full_read(lab: Lab) -> None:
    lab.source.fill(50)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(20)))
    lab.sync(RunMode.FULL)
    lab.source.fill(50)
    assert lab.sync().mode is RunMode.INCREMENTAL, "it abandons the sweep: newer records were not seen by that read"
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.counts.deleted, run.counts.unchanged) == (Status.SUCCEEDED, 0, 50)


def test_few_deletes_pass_the_brake_whatever_their_share(lab: Lab) -> None:
    lab.source.fill(12)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(10)))
    assert lab.sync(RunMode.FULL).counts.deleted == 10


def test_the_share_of_the_brake_is_a_setting_of_the_stream(lab: Lab) -> None:
    lab.workspace.stream_settings["deletes"] = {"brake": 0.9, "brake_from": 0}
    lab.source.fill(50)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(40)))
    assert lab.sync(RunMode.FULL).counts.deleted == 40


def test_nothing_is_deleted_after_an_incomplete_read(lab: Lab) -> None:
    lab.source.fill(30)
    lab.sync()
    lab.source.remove("k0001")
    lab.source.break_at("k0025", "retry", times=4)
    assert lab.sync(RunMode.FULL).status is Status.FAILED
    assert "k0001" in lab.live()
    assert lab.sync(RunMode.FULL).counts.deleted == 1


def test_what_was_seen_before_a_crash_is_not_swept_after_it(lab: Lab) -> None:
    lab.source.fill(30)
    lab.sync()
    lab.source.remove("k0001")
    failpoints.arm("checkpoint:before:2:raise")
    try:
        lab.sync(RunMode.FULL)
    finally:
        failpoints.arm(None)
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.counts.deleted) == (Status.SUCCEEDED, 1)
    assert lab.live() == lab.source.keys()


def test_a_record_that_became_unreadable_is_not_taken_for_deleted(lab: Lab) -> None:
    lab.source.fill(15)
    lab.sync()
    lab.source.put("k0003", stamp=2, name=7)
    lab.source.break_at("k0004", "rejected", times=99)
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.counts.quarantined, run.counts.deleted) == (Status.PARTIAL, 2, 0)
    assert {"k0003", "k0004"} <= lab.live()


def test_nothing_is_deleted_while_it_cannot_be_told_which_record_is_illegible(lab: Lab) -> None:
    lab.source.fill(25)
    lab.sync()
    lab.source.remove("k0001")
    lab.source.break_at("k0014", "illegible", times=1)
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.counts.quarantined, run.counts.deleted) == (Status.PARTIAL, 1, 0)
    assert {"k0001", "k0014"} <= lab.live()
    with lab.reading() as connection:
        told = events(connection, run.id)
    assert "1 records could not be identified, so nothing was deleted; correct them and run again." in told
    lab.source.heal()
    assert lab.sync(RunMode.FULL).counts.deleted == 1
    assert lab.live() == lab.source.keys()


def test_an_illegible_record_met_before_a_crash_still_holds_up_the_sweep_after_it(lab: Lab) -> None:
    lab.source.fill(25)
    lab.sync()
    lab.source.remove("k0001")
    lab.source.break_at("k0003", "illegible", times=1)
    failpoints.arm("checkpoint:before:2:raise")
    try:
        lab.sync(RunMode.FULL)
    finally:
        failpoints.arm(None)
    run = lab.sync(RunMode.FULL)
    assert (run.status, run.counts.deleted) == (Status.SUCCEEDED, 0)
    assert "k0003" in lab.live()


def test_an_illegible_record_is_no_news_where_nothing_is_missing(lab: Lab) -> None:
    lab.source.fill(25)
    lab.source.break_at("k0014", "illegible", times=1)
    run = lab.sync()
    with lab.reading() as connection:
        assert not any("identified" in text for text in events(connection, run.id))


def test_a_record_replayed_during_a_full_read_is_not_swept_at_its_end(lab: Lab) -> None:
    lab.source.fill(30)
    lab.source.put("k0001", name=7)
    lab.source.break_at("k0025", "retry", times=4)
    assert lab.sync().status is Status.FAILED
    lab.execute("UPDATE quarantine SET payload = :fixed", fixed=b'{"name": "Fixed", "email": "f@example.com"}')
    with lab.reading() as connection:
        ids = [row.id for row in records(connection)]
    assert [done.failure for done in replay(lab.workspace, ids)] == [None]
    assert lab.sync().counts.deleted == 0
    assert "k0001" in lab.live()


def test_a_full_run_after_a_refused_sweep_reads_anew(lab: Lab) -> None:
    lab.workspace.config["incremental"] = False
    lab.source.fill(50)
    lab.sync()
    lab.source.remove(*(f"k{number:04}" for number in range(20)))
    assert lab.sync().error_code == "sweep_refused"
    lab.source.fill(50)
    run = lab.sync()
    assert (run.status, run.counts.unchanged, run.counts.deleted) == (Status.SUCCEEDED, 50, 0)
