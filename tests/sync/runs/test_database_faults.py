"""A database that restarts, or chooses us as a deadlock's victim, costs only time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg.errors
import pytest
from sqlalchemy.exc import IntegrityError

from sync.master.landing import Counts
from sync.runs import checkpoint, maintenance
from sync.runs.states import Status
from tests.services import PostgresServer
from tests.sync.runs.lab import Lab
from tests.sync.runs.workers import wait_until

pytestmark = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.services
def test_a_database_restart_in_the_middle_of_a_run_costs_only_time(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with postgres_server.database() as url:
        lab = Lab(url, tmp_path)
        lab.workspace.config["delay"] = 0.1
        lab.source.fill(300)
        run_id = lab.request()
        worker = threading.Thread(target=lab.go_on, args=(run_id,))
        worker.start()
        wait_until(lambda: lab.run(run_id).pages >= 3, 20)
        postgres_server.stop()
        time.sleep(2)
        postgres_server.start()
        worker.join(60)
        run = lab.run(run_id)
        lab.database.dispose()
    assert run.status is Status.SUCCEEDED
    assert run.counts == Counts(read=300, created=300)
    assert run.pages == 31


def test_a_deadlock_in_a_page_is_tried_again_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.source.fill(30)
    fail_twice(monkeypatch, psycopg.errors.DeadlockDetected("deadlock detected"))
    run = lab.sync()
    assert (run.status, run.retries) == (Status.SUCCEEDED, 0)
    assert run.counts == Counts(read=30, created=30)


def test_a_fault_of_ours_in_the_database_fails_the_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.source.fill(30)
    fail_twice(monkeypatch, IntegrityError("INSERT", {}, Exception("canary")))
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "internal_error")
    assert "canary" not in str(run.error)


def test_a_database_that_fails_every_page_gives_up_and_leaves_the_run_to_the_sweeper(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.source.fill(30)
    fail_twice(monkeypatch, psycopg.OperationalError("disk full"), times=99)
    run = lab.sync()
    assert (run.status, run.counts.read) == (Status.RUNNING, 0)
    monkeypatch.undo()
    lab.execute("UPDATE lease SET expires_at = 0")
    assert lab.go_on(run.id) is Status.SUCCEEDED


def test_a_chore_that_fails_stops_no_other_and_is_tried_again() -> None:
    done = []

    def failing() -> None:
        done.append("tried")
        raise RuntimeError("boom")

    chore = maintenance.Chore("failing", 60.0, failing)
    chore.do_if_due()
    chore.do_if_due()
    assert done == ["tried"]
    chore.next_at = 0.0
    chore.do_if_due()
    assert done == ["tried", "tried"]


def fail_twice(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int = 2) -> None:
    land, left = checkpoint.landing.land, [times]

    def failing(*args: object, **options: object) -> object:
        if left[0]:
            left[0] -= 1
            raise error
        return land(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint.landing, "land", failing)
