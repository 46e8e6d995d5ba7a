"""What a run does next when something goes wrong."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from sqlalchemy import select

from sync.errors import Refused
from sync.master.landing import Counts
from sync.runs import failpoints
from sync.runs.controls import accept_schema, why_paused
from sync.runs.requests import request_run
from sync.runs.states import RunMode, Status, Trigger
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state
from tests.sync.runs.lab import QUICK, Lab, events


def stream_row(lab: Lab) -> object:
    with lab.reading() as connection:
        return connection.execute(select(stream_state)).one()


def test_a_passing_fault_is_tried_again_from_the_checkpoint(lab: Lab) -> None:
    lab.source.fill(30)
    lab.source.break_at("k0015", "retry", times=2)
    run = lab.sync()
    assert run.status is Status.SUCCEEDED
    assert run.counts == Counts(read=30, created=30)
    assert run.retries == 0
    assert [resumed for _, _, resumed in lab.source.reads()] == [False, True, True]


def test_a_fault_that_does_not_pass_fails_the_run_and_keeps_what_was_read(lab: Lab) -> None:
    lab.source.fill(30)
    lab.source.break_at("k0015", "retry", times=99)
    run = lab.sync()
    assert (run.status, run.error_code, str(run.error)) == (Status.FAILED, "retry_later", "The shop did not answer.")
    assert run.counts == Counts(read=10, created=10)
    assert stream_row(lab).state == "active"  # type: ignore[attr-defined]


def test_a_full_read_that_failed_is_gone_on_with_and_not_begun_again(lab: Lab) -> None:
    lab.source.fill(30)
    lab.source.break_at("k0015", "retry", times=4)
    assert lab.sync().status is Status.FAILED
    run = lab.sync()
    assert (run.status, run.mode) == (Status.SUCCEEDED, RunMode.FULL)
    assert run.counts == Counts(read=20, created=20)
    assert lab.live() == lab.source.keys()


def test_a_long_retry_delay_gives_the_worker_back(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "retry")
    run = lab.sync(pace=replace(QUICK, first=100.0, most=100.0))
    assert (run.status, run.retries) == (Status.WAITING, 1)
    assert run.waiting_until is not None
    assert str(run.error) == "The shop did not answer."
    assert lab.go_on(run.id) is None
    lab.execute("UPDATE sync_run SET waiting_until = :past", past="2020-01-01 00:00:00+00:00")
    assert lab.go_on(run.id) is Status.SUCCEEDED
    assert lab.run(run.id).error is None


def test_a_short_wait_is_slept_through_and_uses_no_retry(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "wait", times=10)
    run = lab.sync()
    assert (run.status, run.retries) == (Status.SUCCEEDED, 0)


def test_being_asked_to_wait_until_a_time_that_has_passed_is_no_busy_loop(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "wait_past", times=3)
    began = time.monotonic()
    run = lab.sync(pace=replace(QUICK, first=0.2))
    assert run.status is Status.SUCCEEDED
    assert time.monotonic() - began >= 0.6


def test_a_long_wait_is_a_visible_state_and_blocks_no_process(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "wait_long")
    run = lab.sync()
    assert (run.status, run.retries, run.error_code) == (Status.WAITING, 0, "wait_until")
    assert "calls go on at" in str(run.remedy)
    assert run.waiting_until is not None


def test_refused_credentials_pause_the_connection_with_reason_and_remedy(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "credentials")
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "bad_credentials")
    with lab.reading() as connection:
        paused = why_paused(connection.execute(select(connections)).one())
    assert paused is not None
    assert (paused.code, str(paused.reason)) == ("bad_credentials", "The shop refused the key.")
    with pytest.raises(Refused), lab.writing() as connection:
        request_run(connection, lab.stream.id, trigger=Trigger.SCHEDULE)
    assert lab.sync().status is Status.SUCCEEDED, "a human's request means: try again"


def test_a_broken_stream_stops_alone(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "endless")
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "endless_pages")
    assert stream_row(lab).state == "paused"  # type: ignore[attr-defined]
    assert lab.query("SELECT state FROM connection") == [("active",)]


def test_an_expired_cursor_is_followed_by_a_full_read(lab: Lab) -> None:
    lab.source.fill(15)
    lab.sync()
    lab.source.put("k0001", stamp=9, name="New")
    lab.source.remove("k0002")
    lab.source.break_at("k0001", "cursor")
    run = lab.sync()
    assert (run.status, run.mode) == (Status.SUCCEEDED, RunMode.FULL)
    assert lab.names()["k0001"] == "New"
    assert lab.live() == lab.source.keys(), "the full read also finds what was deleted meanwhile"


def test_a_cursor_that_expires_again_and_again_stops_the_stream(lab: Lab) -> None:
    lab.source.fill(15)
    lab.source.break_at("k0012", "cursor", times=99)
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "cursor_expired")


def test_an_unexpected_error_fails_the_run_without_telling_its_text(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.break_at("k0001", "boom")
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "internal_error")
    with lab.reading() as connection:
        told = " ".join(events(connection, run.id))
    assert "RuntimeError" in told
    assert "canary" not in told + str(lab.query("SELECT * FROM sync_run"))


def test_a_removed_field_pauses_the_stream_with_the_difference_and_stores_nothing(lab: Lab) -> None:
    lab.workspace.stream_settings["page_size"] = 100
    lab.source.fill(80)
    lab.sync()
    lab.source.put_raw({f"k{number:04}": {"title": "x", "email": "e@example.com"} for number in range(40)}, stamp=5)
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "schema_drift")
    assert "name -> title" in str(run.error) or "- name" in str(run.error)
    assert run.counts == Counts()
    assert set(lab.names().values()) >= {"Customer k0001"}
    with lab.writing() as connection:
        assert accept_schema(connection, "shop") == 1
    run = lab.sync()
    assert (run.status, run.counts.quarantined) == (Status.PARTIAL, 40)


def test_an_added_field_is_told_and_the_run_goes_on(lab: Lab) -> None:
    lab.workspace.stream_settings["page_size"] = 100
    lab.source.fill(80)
    lab.sync()
    lab.source.put_all({f"k{number:04}": {"vip": True} for number in range(40)}, stamp=5)
    run = lab.sync()
    assert (run.status, run.counts.updated) == (Status.SUCCEEDED, 40)
    with lab.reading() as connection:
        assert "New fields at the source: vip." in events(connection, run.id)


def test_the_counts_of_a_page_must_add_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counts, "adds_up", lambda self: False)
    lab.source.fill(5)
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "counts_wrong")
    assert lab.live() == set()


@pytest.mark.parametrize("name", [name for name in failpoints.NAMES if not name.startswith(("claim", "close:after"))])
def test_an_error_at_any_verb_fails_the_run_and_the_next_one_completes_it(sqlite_lab: Lab, name: str) -> None:
    lab = sqlite_lab
    lab.source.fill(25)
    lab.sync()
    lab.source.remove("k0001")
    lab.source.put("new", stamp=9)
    failpoints.arm(f"{name}:1:raise")
    try:
        first = lab.sync(RunMode.FULL)
    finally:
        failpoints.arm(None)
    assert first.status is Status.FAILED, "the failpoint was reached"
    run = lab.sync(RunMode.FULL)
    assert run.status is Status.SUCCEEDED
    assert lab.live() == lab.source.keys()
