"""What is forgotten, and what is not."""

from __future__ import annotations

from sync.runs import retention
from sync.runs.states import RunMode, Trigger
from tests.sync.runs.lab import Lab


def test_old_runs_go_with_their_events_but_never_a_streams_last_one(lab: Lab) -> None:
    lab.source.fill(3)
    lab.sync()
    last = lab.sync(RunMode.FULL)
    lab.execute("UPDATE sync_run SET finished_at = :old", old="2020-01-01 00:00:00+00:00")
    assert retention.forget(lab.database) == 1
    assert lab.query("SELECT id FROM sync_run") == [(last.id,)]
    assert {row[0] for row in lab.query("SELECT run_id FROM run_event")} == {last.id}


def test_scheduled_runs_that_brought_nothing_go_soon(lab: Lab) -> None:
    lab.source.fill(3)
    first = lab.sync()
    for _ in range(3):
        lab.sync(trigger=Trigger.SCHEDULE)
    assert retention.forget(lab.database) == 0
    lab.execute("UPDATE sync_run SET finished_at = :earlier", earlier=yesterday())
    assert retention.forget(lab.database) == 2
    kept = [row[0] for row in lab.query("SELECT id FROM sync_run ORDER BY id")]
    assert kept == [first.id, first.id + 3]


def test_settled_quarantine_goes_and_open_quarantine_stays(lab: Lab) -> None:
    lab.source.put_all({"a": {"name": 1}, "b": {"name": 2}})
    lab.sync()
    lab.source.put("a", stamp=3, name="Good")
    lab.sync()
    assert retention.forget(lab.database) == 0
    lab.execute("UPDATE quarantine SET closed_at = :old WHERE state = 'resolved'", old="2020-01-01 00:00:00+00:00")
    retention.forget(lab.database)
    assert lab.query("SELECT source_id, state FROM quarantine") == [("b", "open")]


def yesterday() -> str:
    from datetime import timedelta

    from sync.runs import clock

    return (clock.now() - timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S+00:00")
