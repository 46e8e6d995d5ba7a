"""Leases: one holder at a time, by the database's clock, and no write after losing it."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from sync.runs import lease
from sync.runs.claim import claim
from sync.runs.history import NOT_RESPONDING
from sync.runs.lease import LeaseLost
from sync.runs.states import RunMode, Status
from tests.sync.runs.lab import Lab
from tests.sync.runs.workers import start_run, wait_until

pytestmark = pytest.mark.slow


def test_a_held_lease_is_not_given_to_a_second_one(lab: Lab) -> None:
    with lab.writing() as connection:
        assert lease.acquire(connection, "stream:1") is not None
        assert lease.acquire(connection, "stream:1") is None
        assert lease.acquire(connection, "stream:2") is not None


def test_the_fence_grows_with_every_change_of_hands(lab: Lab) -> None:
    with lab.writing() as connection:
        first = lease.acquire(connection, "a", expiry=-1.0)
        second = lease.acquire(connection, "a")
    assert first is not None
    assert second is not None
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLost), lab.writing() as connection:
        lease.renew(connection, first)
    with lab.writing() as connection:
        lease.renew(connection, second)


def test_a_lease_that_ran_out_is_not_renewed_even_if_nobody_took_it(lab: Lab) -> None:
    with lab.writing() as connection:
        held = lease.acquire(connection, "a", expiry=0.05)
    assert held is not None
    time.sleep(0.1)
    with pytest.raises(LeaseLost), lab.writing() as connection:
        lease.renew(connection, held)


def test_a_released_lease_is_free_at_once_and_keeps_its_fence(lab: Lab) -> None:
    with lab.writing() as connection:
        held = lease.acquire(connection, "a")
        assert held is not None
        lease.release(connection, held)
        again = lease.acquire(connection, "a")
    assert again is not None
    assert again.fence == 2


def test_a_clock_set_back_does_not_lock_everybody_out(lab: Lab) -> None:
    with lab.writing() as connection:
        assert lease.acquire(connection, "a") is not None
    lab.execute("UPDATE lease SET beat_at = beat_at + 86400, expires_at = expires_at + 86400")
    with lab.writing() as connection:
        assert lease.acquire(connection, "a") is not None


def test_the_keeper_prolongs_the_lease_while_the_block_works(lab: Lab) -> None:
    with lab.writing() as connection:
        held = lease.acquire(connection, "a", expiry=1.0)
    assert held is not None
    with lease.kept(lab.database, held, every=0.2) as keeper:
        time.sleep(1.6)
        keeper.alive()
    with lab.writing() as connection:
        lease.renew(connection, held)


def test_the_keeper_stops_when_the_working_thread_is_stuck(lab: Lab) -> None:
    with lab.writing() as connection:
        held = lease.acquire(connection, "a", expiry=0.6)
    assert held is not None
    with lease.kept(lab.database, held, every=0.1, stuck_after=0.2):
        time.sleep(1.2)
    with lab.writing() as connection:
        assert lease.acquire(connection, "a") is not None


def test_the_keeper_notices_that_the_lease_was_lost(lab: Lab) -> None:
    with lab.writing() as connection:
        held = lease.acquire(connection, "a")
    assert held is not None
    with lease.kept(lab.database, held, every=0.05) as keeper:
        lab.execute("UPDATE lease SET fence = fence + 1")
        time.sleep(0.5)
        with pytest.raises(LeaseLost):
            keeper.alive()


def test_a_run_is_claimed_by_one_worker(lab: Lab) -> None:
    run_id = lab.request()
    assert claim(lab.database, run_id) is not None
    assert claim(lab.database, run_id) is None


def test_runs_of_one_stream_stand_in_line(lab: Lab) -> None:
    first, second = lab.request(), lab.request(RunMode.FULL)
    assert claim(lab.database, second) is None
    lab.go_on(first)
    assert claim(lab.database, second) is not None


def test_a_run_whose_lease_ran_out_says_that_it_does_not_respond(lab: Lab) -> None:
    run_id = lab.request()
    claim(lab.database, run_id)
    assert lab.run(run_id).state == "running"
    lab.execute("UPDATE lease SET beat_at = beat_at - 42, expires_at = expires_at - 42")
    run = lab.run(run_id)
    assert (run.status, run.state) == (Status.RUNNING, NOT_RESPONDING)
    assert run.silent_for == pytest.approx(42, abs=2)


def test_a_stalled_worker_is_refused_at_its_commit(lab: Lab) -> None:
    """Promise 4: stopped in the middle of a page, overtaken after its lease ran out, and continued."""
    lab.source.fill(40)
    run_id = lab.request()
    stalled = start_run(lab, run_id, failpoint="land:after:2:stop", lease=1.0, beat=0.2)
    try:
        wait_until(lambda: is_stopped(stalled), 20)
        if lab.database.is_postgres:
            time.sleep(1.2)
            assert lab.run(run_id).state == NOT_RESPONDING
            overtaken_by_another_worker(lab, run_id)
            expected = lab.run(run_id)
        else:  # SQLite's one write lock is held by the stalled process: nobody can overtake, only time passes
            time.sleep(1.2)
            expected = None
        os.kill(stalled.pid, signal.SIGCONT)
        assert stalled.wait(30) == 0
        assert b"refused" in stalled.stdout.read()  # type: ignore[union-attr]
    finally:
        stalled.kill()
    if expected is not None:
        assert lab.run(run_id) == expected, "the stalled worker wrote nothing"
    else:
        assert lab.run(run_id).pages == 1
        lab.go_on(run_id)
    assert lab.run(run_id).counts.read == 40
    assert lab.live() == lab.source.keys()


def overtaken_by_another_worker(lab: Lab, run_id: int) -> None:
    """The stalled session holds row locks of its open page: the database ends it, as it does after 30 s by itself."""
    lab.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    assert lab.go_on(run_id) is Status.SUCCEEDED


def is_stopped(process: subprocess.Popen[bytes]) -> bool:
    with open(f"/proc/{process.pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"
