"""Claiming: what is not due, paused, over, or held is left alone; what a connector declared is remembered."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from connectors.contract import Deletes
from sync.runs import actors, declared, lease
from sync.runs.claim import STARTS, claim, lease_name
from sync.runs.controls import pause_stream, resume_stream, why_paused
from sync.runs.declared import Declared
from sync.runs.dispatch import Doorbell, make_broker
from sync.runs.events import of_run
from sync.runs.requests import request_run
from sync.runs.states import RunMode, Status, Trigger
from sync.runs.tables import stream_state
from tests.sync.runs.lab import CONNECTION, Lab
from tests.sync.runs.workers import dramatiq_worker, wait_until


def test_there_is_nothing_to_claim_of_an_unknown_run(lab: Lab) -> None:
    assert claim(lab.database, 99) is None


def test_a_start_is_counted_until_a_page_is_stored(lab: Lab) -> None:
    run_id = lab.request()
    for start in range(1, STARTS + 1):
        assert claim(lab.database, run_id) is not None
        assert lab.run(run_id).attempts == start
        lab.execute("UPDATE lease SET expires_at = 0")
    assert claim(lab.database, run_id) is None
    assert (lab.run(run_id).status, lab.run(run_id).error_code) == (Status.FAILED, "crashed")


def test_progress_makes_up_for_lost_workers(lab: Lab) -> None:
    lab.source.fill(30)
    run_id = lab.request()
    for _ in range(STARTS - 1):
        claim(lab.database, run_id)
        lab.execute("UPDATE lease SET expires_at = 0")
    assert lab.go_on(run_id) is Status.SUCCEEDED
    assert lab.run(run_id).attempts == 1


def test_a_crashed_run_gives_its_lease_back(lab: Lab) -> None:
    run_id = lab.request()
    lab.execute("UPDATE sync_run SET attempts = 3")
    assert claim(lab.database, run_id) is None
    assert lab.sync().status is Status.SUCCEEDED


@pytest.mark.services
def test_a_lease_row_that_a_stalled_session_has_locked_counts_as_held(postgres_lab: Lab) -> None:
    lab = postgres_lab
    run_id = lab.request()
    with lab.writing() as connection:
        lease.acquire(connection, lease_name(lab.stream.id), expiry=-1.0)
    with lab.writing() as stalled:
        stalled.execute(text("SELECT * FROM lease FOR UPDATE"))
        began = time.monotonic()
        assert claim(lab.database, run_id) is None
        assert time.monotonic() - began < 10
    assert claim(lab.database, run_id) is not None


def test_a_paused_stream_is_not_claimed_and_says_why(lab: Lab) -> None:
    run_id = lab.request()
    with lab.writing() as connection:
        pause_stream(connection, lab.stream.id, "shop.customers")
        paused = why_paused(connection.execute(stream_state.select()).one())
    assert paused is not None
    assert str(paused.reason) == "shop.customers was paused by hand."
    assert claim(lab.database, run_id) is None
    with lab.writing() as connection:
        assert resume_stream(connection, lab.stream.id)
        assert not resume_stream(connection, lab.stream.id)
    assert claim(lab.database, run_id) is not None


def test_what_a_stream_can_do_is_asked_once_a_day(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.source.fill(3)
    lab.sync()
    asked = []
    ask = declared.ask
    monkeypatch.setattr(declared, "ask", lambda *args: asked.append(1) or ask(*args))
    lab.sync()
    assert asked == []
    monkeypatch.setattr(declared, "FRESH", declared.FRESH * 0)
    lab.sync()
    assert asked == [1]
    with lab.reading() as connection:
        assert declared.recall(connection, lab.stream) is None


def test_a_remembered_answer_is_the_answer(lab: Lab) -> None:
    told = Declared(incremental=True, ids=False, deletes=Deletes.FEED)
    with lab.writing() as connection:
        declared.remember(connection, lab.stream, told)
        assert declared.recall(connection, lab.stream) == told


def test_a_stream_that_is_no_longer_offered_stops_with_a_remedy(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sync.runs.lab.Ledger.discover", lambda self: [])
    run = lab.sync()
    assert (run.status, run.error_code) == (Status.FAILED, "stream_missing")
    assert f"kehu connection discover {CONNECTION}" in str(run.remedy)


def test_events_are_read_on_from_the_last_one_seen(lab: Lab) -> None:
    run = lab.sync()
    with lab.reading() as connection:
        first, *rest = of_run(connection, run.id)
        assert of_run(connection, run.id, after_id=first.id) == rest
    assert rest


@pytest.mark.services
def test_the_next_in_line_is_rung_for_by_the_worker_itself(lab: Lab, valkey_url: str, tmp_path: Path) -> None:
    lab.source.fill(5)
    first = lab.request()
    with lab.writing() as connection:
        second = request_run(connection, lab.stream.id, RunMode.FULL, trigger=Trigger.SCHEDULE).run_id
    Doorbell.at(valkey_url).run(first)
    with dramatiq_worker(lab, valkey_url, tmp_path / "worker.log"):
        wait_until(lambda: lab.run(second).status is Status.SUCCEEDED, 30)


@pytest.mark.services
def test_an_actor_survives_a_database_that_cannot_be_reached(postgres_lab: Lab, valkey_url: str) -> None:
    lab = postgres_lab
    broker = make_broker(valkey_url)
    actors.register(broker, lab.workspace)
    run_id = lab.request()
    lab.database.dispose()
    lab.workspace.database = type(lab.database)("postgresql://postgres@127.0.0.1:1/nowhere")
    broker.get_actor("run_sync").fn(run_id)
    broker.get_actor("resolve_pending").fn()
    lab.workspace.database = lab.database
    broker.get_actor("run_sync").fn(run_id)
    assert lab.run(run_id).status is Status.SUCCEEDED
