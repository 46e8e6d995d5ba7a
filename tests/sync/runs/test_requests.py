"""Asking for runs, joining, cancelling, pausing, and when streams run by themselves."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from sync.errors import Misused, NotFound, Refused
from sync.runs import checkpoint, schedules, sweeper
from sync.runs.claim import claim
from sync.runs.controls import pause_connection, resume_connection, why_paused
from sync.runs.history import runs
from sync.runs.requests import cancel, find_stream, request_run
from sync.runs.states import RunMode, Status, Trigger
from tests.sync.runs.lab import Lab, events
from tests.sync.runs.workers import ROOT, environment


def test_a_request_joins_an_open_run_that_does_the_same(lab: Lab) -> None:
    with lab.writing() as connection:
        first = request_run(connection, lab.stream.id)
        second = request_run(connection, lab.stream.id)
        full = request_run(connection, lab.stream.id, RunMode.FULL)
        again = request_run(connection, lab.stream.id, RunMode.FULL)
    assert second == (first.run_id, True)
    assert not full.joined
    assert again == (full.run_id, True)


def test_a_webhook_does_not_join_a_run_that_may_have_passed_the_change(lab: Lab) -> None:
    run_id = lab.request()
    claim(lab.database, run_id)
    with lab.writing() as connection:
        assert request_run(connection, lab.stream.id, trigger=Trigger.SCHEDULE).joined
        queued = request_run(connection, lab.stream.id, trigger=Trigger.WEBHOOK)
        assert not queued.joined
        assert request_run(connection, lab.stream.id, trigger=Trigger.WEBHOOK) == (queued.run_id, True)


def test_every_backfill_is_a_run_of_its_own(lab: Lab) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert lab.request(RunMode.BACKFILL, since=since) != lab.request(RunMode.BACKFILL, since=since)


@pytest.mark.parametrize(
    ("mode", "since", "until"),
    [
        (RunMode.BACKFILL, None, None),
        (RunMode.FULL, datetime(2026, 1, 1, tzinfo=UTC), None),
        (RunMode.BACKFILL, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_senseless_range_is_refused(lab: Lab, mode: RunMode, since: datetime | None, until: datetime | None) -> None:
    with pytest.raises(Misused):
        lab.request(mode, since=since, until=until)


def test_unknown_names_are_told(lab: Lab) -> None:
    with pytest.raises(NotFound, match=r"no stream shop\.orders"), lab.reading() as connection:
        find_stream(connection, "shop", "orders")
    with pytest.raises(NotFound, match="no run 99"), lab.writing() as connection:
        cancel(connection, 99)
    with pytest.raises(NotFound, match="no stream 99"), lab.writing() as connection:
        request_run(connection, 99)


def test_a_queued_run_is_cancelled_at_once(lab: Lab) -> None:
    run_id = lab.request()
    with lab.writing() as connection:
        assert cancel(connection, run_id) is Status.CANCELLED
    assert lab.go_on(run_id) is None
    with pytest.raises(Refused), lab.writing() as connection:
        cancel(connection, run_id)


def test_a_running_run_is_cancelled_at_the_end_of_its_page(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.source.fill(30)
    run_id = lab.request()
    store = checkpoint.store

    def cancelled_meanwhile(*args: object) -> object:
        if lab.run(run_id).pages == 1:
            with lab.writing() as connection:
                assert cancel(connection, run_id) is Status.RUNNING
        return store(*args)

    monkeypatch.setattr("sync.runs.checkpoint.store", cancelled_meanwhile)
    assert lab.go_on(run_id) is Status.CANCELLED
    run = lab.run(run_id)
    assert (run.pages, run.counts.read) == (2, 20)
    assert len(lab.names()) == 20, "what was landed is resolved"
    monkeypatch.undo()
    assert lab.sync().counts.read == 10, "the next run goes on from there"


def test_a_cancelled_run_of_a_lost_worker_ends_when_it_is_claimed_again(lab: Lab) -> None:
    run_id = lab.request()
    claim(lab.database, run_id)
    with lab.writing() as connection:
        assert cancel(connection, run_id) is Status.RUNNING
    lab.execute("UPDATE lease SET expires_at = 0")
    assert [run.run_id for run in sweeper.due(lab.database)] == [run_id]
    assert lab.go_on(run_id) is None
    assert lab.run(run_id).status is Status.CANCELLED


def test_what_a_human_paused_runs_only_after_a_human_resumed_it(lab: Lab) -> None:
    queued = lab.request()
    with lab.writing() as connection:
        pause_connection(connection, "shop")
    assert lab.go_on(queued) is None
    assert sweeper.due(lab.database) == []
    with pytest.raises(Refused, match="shop is paused: shop was paused by hand"):
        lab.request()
    with lab.writing() as connection:
        assert resume_connection(connection, "shop")
        assert not resume_connection(connection, "shop")
    assert lab.go_on(queued) is Status.SUCCEEDED
    with pytest.raises(NotFound), lab.writing() as connection:
        pause_connection(connection, "nowhere")


def test_what_is_not_paused_has_no_reason(lab: Lab) -> None:
    assert why_paused(type("Row", (), {"state": "active"})) is None


def test_runs_are_listed_newest_first_and_filtered(lab: Lab) -> None:
    done = lab.sync()
    queued = lab.request(RunMode.FULL)
    with lab.reading() as connection:
        assert [run.id for run in runs(connection)] == [queued, done.id]
        assert [run.id for run in runs(connection, statuses=[Status.SUCCEEDED])] == [done.id]
        assert [run.id for run in runs(connection, before_id=queued)] == [done.id]
        assert runs(connection, stream_ids=[]) == []


def test_only_the_last_two_hundred_events_are_kept(lab: Lab) -> None:
    from sync.runs import events as notes
    from sync.runs.states import Level

    run_id = lab.request()
    with lab.writing() as connection:
        for number in range(250):
            notes.add(connection, run_id, Level.INFO, "Line {number}.", number=number)
        told = events(connection, run_id)
    assert (len(told), told[0], told[-1]) == (200, "Line 50.", "Line 249.")


def set_schedule(lab: Lab, every: float | None) -> None:
    with lab.writing() as connection:
        schedules.set_schedule(connection, lab.stream.id, every)


def shift(lab: Lab, seconds: float) -> None:
    lab.execute("UPDATE schedule SET next_at = next_at + :by", by=seconds)


def next_in(lab: Lab) -> float:
    from sync.runs.clock import seconds

    with lab.reading() as connection:
        return schedules.list_schedules(connection)[0].next_at - seconds(connection)


def test_a_schedule_fires_once_when_due(lab: Lab) -> None:
    set_schedule(lab, 60)
    (run_id,) = schedules.fire_due(lab.database)
    assert lab.run(run_id).trigger is Trigger.SCHEDULE
    assert schedules.fire_due(lab.database) == []
    assert 0 < next_in(lab) <= 60


def test_a_schedule_that_was_missed_many_times_fires_once(lab: Lab) -> None:
    set_schedule(lab, 60)
    shift(lab, -86_400)
    assert len(schedules.fire_due(lab.database)) == 1
    assert 0 < next_in(lab) <= 60
    assert schedules.fire_due(lab.database) == []


def test_a_clock_set_back_does_not_stop_a_schedule(lab: Lab) -> None:
    set_schedule(lab, 60)
    shift(lab, 86_400)
    assert len(schedules.fire_due(lab.database)) == 1
    assert 0 < next_in(lab) <= 60


def test_a_schedule_does_not_pile_up_runs(lab: Lab) -> None:
    set_schedule(lab, 1)
    assert len(schedules.fire_due(lab.database)) == 1
    shift(lab, -100)
    assert schedules.fire_due(lab.database) == []
    assert len(lab.query("SELECT id FROM sync_run")) == 1


def test_a_paused_stream_keeps_its_schedule_due(lab: Lab) -> None:
    set_schedule(lab, 60)
    with lab.writing() as connection:
        pause_connection(connection, "shop")
    assert schedules.fire_due(lab.database) == []
    with lab.writing() as connection:
        resume_connection(connection, "shop")
    assert len(schedules.fire_due(lab.database)) == 1


def test_setting_the_same_schedule_again_keeps_its_next_time(lab: Lab) -> None:
    set_schedule(lab, 60)
    schedules.fire_due(lab.database)
    before = lab.query("SELECT * FROM schedule")
    set_schedule(lab, 60)
    assert lab.query("SELECT * FROM schedule") == before
    set_schedule(lab, None)
    assert lab.query("SELECT * FROM schedule") == []


@pytest.mark.slow
def test_several_processes_fire_each_due_time_once(lab: Lab) -> None:
    code = (
        "import json, os, time; from tests.sync.runs.workers import _lab;"
        "from sync.runs import schedules;"
        "lab = _lab(json.loads(os.environ['KEHU_LAB'])); until = time.monotonic() + 4;\n"
        "while time.monotonic() < until:\n"
        "    for run in schedules.fire_due(lab.database): print(run, flush=True)\n"
        '    lab.execute("UPDATE sync_run SET finished_at = queued_at"); time.sleep(0.01)\n'
    )
    set_schedule(lab, 1)
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment(lab), cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    fired = [int(line) for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert 2 <= len(fired) <= 8
    assert len(set(fired)) == len(fired)
    times = [row[0] for row in lab.query("SELECT queued_at FROM sync_run ORDER BY id")]
    assert len(times) == len(fired)
