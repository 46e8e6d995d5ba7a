"""Messages only ring: lost, late, doubled and undeliverable ones cost time and nothing else. Real Valkey."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import dramatiq
import pytest
import redis

from sync.master import resolving
from sync.master.landing import Counts
from sync.master.tables import landing
from sync.runs import actors, dispatch, failpoints, pending, sweeper
from sync.runs.claim import claim
from sync.runs.dispatch import Doorbell, make_broker
from sync.runs.lease import EXPIRY
from sync.runs.recovery import Recovery
from sync.runs.requests import cancel
from sync.runs.states import RunMode, Status, Trigger
from tests.processes import free_port
from tests.sync.runs.lab import Lab, events
from tests.sync.runs.workers import dramatiq_worker, kill, maintenance, start_worker, wait_until

KILLS = 10


def test_a_bell_that_cannot_be_rung_is_only_noted() -> None:
    bell = Doorbell.at(f"redis://127.0.0.1:{free_port()}/0")
    assert bell.run(1) is False
    assert bell.pending() is False
    assert bell.queued() is None


@pytest.mark.services
def test_what_humans_and_webhooks_wait_for_has_a_queue_of_its_own(valkey_url: str) -> None:
    bell, client = Doorbell.at(valkey_url), redis.Redis.from_url(valkey_url)
    bell.run(1, Trigger.MANUAL)
    bell.run(2, Trigger.WEBHOOK)
    bell.run(3, Trigger.SCHEDULE)
    assert client.llen(f"{dispatch.NAMESPACE}:{dispatch.INTERACTIVE}") == 2
    assert client.llen(f"{dispatch.NAMESPACE}:{dispatch.BULK}") == 1
    assert bell.queued() == 3


@pytest.mark.services
def test_messages_carry_ids_only(valkey_url: str) -> None:
    Doorbell.at(valkey_url).run(4711)
    client = redis.Redis.from_url(valkey_url)
    ((_, message),) = client.hgetall(f"{dispatch.NAMESPACE}:{dispatch.INTERACTIVE}.msgs").items()  # type: ignore[union-attr]
    assert b'"args":[4711],"kwargs":{}' in message


@pytest.mark.services
def test_the_sweeper_rings_at_once_for_runs_whose_messages_were_lost(lab: Lab, valkey_url: str) -> None:
    bell = Doorbell.at(valkey_url)
    lab.request()
    assert sweeper.sweep(lab.database, bell) == 1
    assert sweeper.sweep(lab.database, bell) == 0, "its message is still in line"
    redis.Redis.from_url(valkey_url).flushall()
    assert sweeper.sweep(lab.database, bell) == 1


def test_the_sweeper_finds_waiting_and_abandoned_runs_when_they_are_due(lab: Lab) -> None:
    run_id = lab.request()
    claim(lab.database, run_id)
    assert sweeper.due(lab.database) == [], "somebody works on it"
    lab.execute("UPDATE lease SET expires_at = 0")
    assert [run.run_id for run in sweeper.due(lab.database)] == [run_id]
    lab.execute(
        "UPDATE sync_run SET status = 'waiting', waiting_until = :at, rung_at = NULL", at="2099-01-01 00:00:00+00:00"
    )
    assert sweeper.due(lab.database) == []
    lab.execute("UPDATE sync_run SET waiting_until = :at", at="2020-01-01 00:00:00+00:00")
    assert [run.run_id for run in sweeper.due(lab.database)] == [run_id]


def test_the_sweeper_rings_only_for_the_first_in_line(lab: Lab) -> None:
    first = lab.request()
    second = lab.request(RunMode.FULL)
    assert [run.run_id for run in sweeper.due(lab.database)] == [first]
    following = sweeper.next_in_line(lab.database, first)
    assert following is not None
    assert following.run_id == second
    with lab.writing() as connection:
        cancel(connection, first)
    assert [run.run_id for run in sweeper.due(lab.database)] == [second]


def test_each_due_run_is_given_to_one_of_several_sweepers(lab: Lab) -> None:
    lab.request()
    assert len(sweeper.due(lab.database)) == 1
    assert sweeper.due(lab.database) == []


def leave_unresolved(lab: Lab) -> None:
    """A page that was landed by a worker that died before resolving it."""
    lab.source.fill(5)
    failpoints.arm("resolve:before:1:raise")
    try:
        lab.sync()
    finally:
        failpoints.arm(None)
    assert lab.names() == {}
    lab.execute("UPDATE landing SET landed_at = :old", old="2020-01-01 00:00:00+00:00")


@pytest.mark.services
def test_what_was_landed_and_left_alone_is_resolved(lab: Lab, valkey_url: str) -> None:
    leave_unresolved(lab)
    assert sweeper.sweep(lab.database, Doorbell.at(valkey_url)) == 1
    assert pending.resolve_pending(lab.workspace) == 1
    assert set(lab.names()) == lab.source.keys()
    assert lab.query("SELECT count(*) FROM landing_try") == [(0,)]


def test_a_fresh_landing_is_left_to_its_worker(lab: Lab) -> None:
    leave_unresolved(lab)
    lab.execute("UPDATE landing SET landed_at = :now", now="2099-01-01 00:00:00+00:00")
    assert pending.resolve_pending(lab.workspace) == 0


def test_a_landing_that_always_fails_is_left_alone_after_three_tries_and_shown(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_unresolved(lab)

    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("a fault in matching")

    monkeypatch.setattr("sync.master.resolving.resolve", broken)
    assert pending.resolve_pending(lab.workspace) == 0
    with lab.reading() as connection:
        assert pending.waiting(connection) == []
        assert len(pending.stuck(connection)) == 1
    monkeypatch.undo()
    assert pending.resolve_pending(lab.workspace) == 0
    with lab.writing() as connection:
        assert pending.retry_stuck(connection) == 1
    assert pending.resolve_pending(lab.workspace) == 1


def test_a_stuck_landing_does_not_hold_up_its_neighbours(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_unresolved(lab)
    with lab.writing() as connection:
        row = connection.execute(landing.select()).mappings().one()
        connection.execute(landing.insert().values({**row, "id": row["id"] + 1}))
    resolve = resolving.resolve

    def broken_for_the_first(database: object, ids: list[int], **options: object) -> object:
        if row["id"] in ids:
            raise RuntimeError("a fault in matching")
        return resolve(database, ids, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("sync.master.resolving.resolve", broken_for_the_first)
    assert pending.resolve_pending(lab.workspace) == 1
    with lab.reading() as connection:
        assert pending.stuck(connection) == [row["id"]]


@pytest.mark.services
def test_a_dead_workers_message_comes_back(valkey_url: str) -> None:
    broker = make_broker(valkey_url)
    Doorbell(broker).run(1)
    taken = next(broker.consume(dispatch.INTERACTIVE))
    assert taken is not None
    recovery = Recovery(valkey_url, silence=300)
    recovery.pulse()
    client = redis.Redis.from_url(valkey_url)
    assert client.llen(f"{dispatch.NAMESPACE}:{dispatch.INTERACTIVE}") == 0
    time.sleep(0.4)
    assert recovery.pulse()
    assert client.llen(f"{dispatch.NAMESPACE}:{dispatch.INTERACTIVE}") == 1
    assert not Recovery(f"redis://127.0.0.1:{free_port()}/0").pulse()


@pytest.mark.services
def test_bulk_work_never_takes_a_workers_last_thread(lab: Lab, valkey_url: str) -> None:
    broker, hold, begun, answered = make_broker(valkey_url), threading.Event(), [], threading.Event()

    def bulk(number: int) -> None:
        begun.append(number)
        hold.wait(20)

    dramatiq.Actor(bulk, broker=broker, actor_name="bulk", queue_name=dispatch.BULK, priority=10, options={})
    dramatiq.Actor(
        answered.set, broker=broker, actor_name="now", queue_name=dispatch.INTERACTIVE, priority=0, options={}
    )
    actors.register(broker, lab.workspace)
    for number in range(6):
        _enqueue(broker, "bulk", dispatch.BULK, number)
    worker = dramatiq.Worker(broker, worker_threads=3)
    worker.start()
    try:
        wait_until(lambda: len(begun) == 2, 10)
        _enqueue(broker, "now", dispatch.INTERACTIVE)
        assert answered.wait(2), "a thread was free, and the message was looked for at once"
        assert len(begun) == 2
        client = redis.Redis.from_url(valkey_url)
        assert client.llen(f"{dispatch.NAMESPACE}:{dispatch.BULK}") == 4, "the rest is left to other workers"
    finally:
        hold.set()
        worker.stop()


def _enqueue(broker: dramatiq.Broker, actor: str, queue: str, *args: int) -> None:
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=queue, actor_name=actor, args=args, kwargs={}, options={}
    )
    broker.enqueue(message)


@pytest.mark.services
def test_a_worker_works_on_what_is_rung_for(lab: Lab, valkey_url: str, tmp_path: Path) -> None:
    lab.source.fill(25)
    bell = Doorbell.at(valkey_url)
    run_id = lab.request()
    for _ in range(5):
        bell.run(run_id)
    with dramatiq_worker(lab, valkey_url, tmp_path / "worker.log"):
        wait_until(lambda: lab.run(run_id).status is Status.SUCCEEDED, 30)
        again = lab.request()
        bell.run(again, Trigger.SCHEDULE)
        wait_until(lambda: lab.run(again).status is Status.SUCCEEDED, 30)
    assert lab.run(run_id).counts == Counts(read=25, created=25), "five messages, one run"


@pytest.mark.slow
@pytest.mark.services
def test_a_worker_that_is_asked_to_end_gives_its_run_back(lab: Lab, valkey_url: str, tmp_path: Path) -> None:
    lab.workspace.config["delay"] = 0.1
    lab.source.fill(500)
    run_id = lab.request()
    Doorbell.at(valkey_url).run(run_id)
    with dramatiq_worker(lab, valkey_url, tmp_path / "worker.log") as worker:
        wait_until(lambda: lab.run(run_id).pages > 1, 30)
        worker.terminate()
        worker.wait(20)
    run = lab.run(run_id)
    assert (run.status, run.attempts) == (Status.QUEUED, 0)
    lab.workspace.config["delay"] = 0.0
    assert lab.go_on(run_id) is Status.SUCCEEDED
    assert lab.run(run_id).counts == Counts(read=500, created=500)


@pytest.mark.slow
@pytest.mark.services
def test_redis_may_be_flushed_at_any_moment(lab: Lab, valkey_url: str, tmp_path: Path) -> None:
    lab.workspace.config["delay"] = 0.05
    lab.source.fill(300)
    client = redis.Redis.from_url(valkey_url)
    run_id = lab.request()
    log = tmp_path / "log"
    with dramatiq_worker(lab, valkey_url, log), maintenance(lab, valkey_url, log):
        for _ in range(4):
            client.flushall()
            time.sleep(0.7)
        wait_until(lambda: lab.run(run_id).status is Status.SUCCEEDED, 40)
        second = lab.request(RunMode.FULL)
        client.flushall()
        wait_until(lambda: lab.run(second).status is Status.SUCCEEDED, 40)
    assert lab.run(run_id).counts == Counts(read=300, created=300)
    assert lab.run(second).counts == Counts(read=300, unchanged=300)


@pytest.mark.slow
@pytest.mark.services
def test_a_dead_workers_run_goes_on_within_a_minute(lab: Lab, valkey_url: str, tmp_path: Path) -> None:
    """With the lease of production, on a quiet system; at most the page in hand is read again."""
    lab.workspace.config["delay"] = 0.2
    lab.source.fill(400)
    run_id = lab.request()
    log = tmp_path / "log"
    with maintenance(lab, valkey_url, log), dramatiq_worker(lab, valkey_url, log) as first:
        wait_until(lambda: lab.run(run_id).pages >= 3, 40)
        kill(first)
        died = time.monotonic()
        pages = lab.run(run_id).pages
        with dramatiq_worker(lab, valkey_url, log):
            wait_until(lambda: lab.run(run_id).pages > pages, 60)
            assert time.monotonic() - died < 60
            wait_until(lambda: lab.run(run_id).status is Status.SUCCEEDED, 60)
    assert lab.run(run_id).counts == Counts(read=400, created=400)
    assert lab.run(run_id).pages == 41
    assert lab.live() == lab.source.keys()


@pytest.mark.slow
@pytest.mark.services
def test_the_work_of_workers_that_die_again_and_again_goes_on_each_time(
    sqlite_lab: Lab, valkey_url: str, tmp_path: Path
) -> None:
    """Ten kills. A lease of production is 28 s longer: the slowest of ten must leave room for that in a minute."""
    lab, log, waits = sqlite_lab, tmp_path / "log", []
    lab.workspace.config["delay"] = 0.1
    lab.source.fill(3_000)
    run_id = lab.request()
    Doorbell.at(valkey_url).run(run_id)
    with maintenance(lab, valkey_url, log):
        worker = start_worker(lab, valkey_url, log, lease=2.0, beat=0.4)
        try:
            wait_until(lambda: lab.run(run_id).pages > 0, 40)
            for _ in range(KILLS):
                kill(worker)
                died, pages = time.monotonic(), lab.run(run_id).pages
                worker = start_worker(lab, valkey_url, log, lease=2.0, beat=0.4)
                wait_until(lambda pages=pages: lab.run(run_id).pages > pages, 60)
                waits.append(time.monotonic() - died)
        finally:
            kill(worker)
    assert max(waits) <= 60 - (EXPIRY - 2.0), waits
    run = lab.run(run_id)
    assert run.counts.read == 10 * run.pages, "no stored page was read again"


@pytest.mark.slow
@pytest.mark.services
def test_a_job_that_ends_its_process_stops_after_three_tries_and_stays_visible(
    lab: Lab, valkey_url: str, tmp_path: Path
) -> None:
    lab.source.fill(30)
    lab.source.break_at("k0015", "exit", times=99)
    run_id = lab.request()
    log = tmp_path / "log"
    with maintenance(lab, valkey_url, log):
        starts = 0
        while lab.run(run_id).finished_at is None:
            assert starts < 6, "it goes on and on"
            worker = start_worker(lab, valkey_url, log, lease=1.5, beat=0.3)
            starts += 1
            try:
                wait_until(lambda w=worker: w.poll() is not None or lab.run(run_id).finished_at, 40)  # type: ignore[misc]
            finally:
                kill(worker)
    run = lab.run(run_id)
    assert (run.status, run.error_code, run.attempts) == (Status.FAILED, "crashed", 3)
    assert "3 times" in str(run.error)
    assert "kehu sync run shop.customers" in str(run.remedy)
    assert run.counts == Counts(read=10, created=10), "what came before it is kept"
    with lab.reading() as connection:
        assert "The worker was lost; another one goes on." in events(connection, run_id)
