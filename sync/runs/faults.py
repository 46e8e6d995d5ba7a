"""What a run does next when something went wrong: one row of ``_ANSWERS`` per kind of error of ours.

Each answer writes the run's row and gives the lease back in one transaction, or lets the run go on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, update

from connectors.errors import CursorExpired, NeedsHuman, RetryLater, StreamBroken, WaitUntil
from sync.database import database_errors
from sync.logs import Logger
from sync.runs import clock, events, lease, pauses, positions
from sync.runs.claim import end_row
from sync.runs.lease import LeaseLost
from sync.runs.session import CancelRequested, Session, Stopping
from sync.runs.states import Level, RunMode, Status
from sync.runs.sweep import SweepRefused
from sync.runs.tables import sync_run
from sync.runs.wording import failure, packed

log = Logger(__name__)

DATABASE_PATIENCE = 25.0
"""Seconds in which a database may come back while the run waits for it in its worker."""

DATABASE_TRIES = 5
"""So often in a row, without a page stored, the run goes on in its worker after the database has failed it."""

RESTARTS = 3
"""So often one run begins again from nothing because its cursor expired."""

_jitter = random.SystemRandom()


def answer(session: Session, error: Exception) -> Status | None:
    """Do what this kind of error asks for. None: the run goes on by itself, from its checkpoint."""
    if isinstance(error, database_errors()):
        return _database_gone(session, error)
    for kind, respond in _ANSWERS:
        if isinstance(error, kind):
            return respond(session, error)
    return _fail_unexpectedly(session, error)


def _lost(session: Session, error: Any) -> Status:
    log.warning("lease lost, nothing written", run=session.run.id)
    return Status.RUNNING


def _database_gone(session: Session, error: Any) -> Status | None:
    """What was open is rolled back. Go on when it is back; else the lease runs out and the sweeper rings again."""
    said = str(getattr(error, "orig", error)).split("\n", 1)[0][:200]
    log.warning("the database failed", run=session.run.id, kind=type(error).__name__, said=said)
    session.database_faults += 1
    deadline = time.monotonic() + DATABASE_PATIENCE
    while session.database_faults <= DATABASE_TRIES and time.monotonic() < deadline:
        session.sleep(_jitter.uniform(0.1, 0.5))
        try:
            with session.unit_of_work():
                return None
        except database_errors():
            continue
    return Status.RUNNING


def _give_back(session: Session, error: Any) -> Status:
    return _leave(session, Status.QUEUED, attempts=0)


def _cancel(session: Session, error: Any) -> Status:
    return end(session, Status.CANCELLED)


def _wait(session: Session, error: WaitUntil) -> Status | None:
    delay = (error.until - clock.now()).total_seconds()
    if delay <= session.pace.in_process:
        session.sleep(max(delay, session.pace.first))  # a time that has passed must not become a busy loop
        return None
    return _leave(session, Status.WAITING, error, waiting_until=error.until, attempts=0)


def _retry(session: Session, error: RetryLater) -> Status | None:
    with session.unit_of_work() as connection:
        retries = _count_retry(connection, session.run.id, error)
    if retries > session.pace.retries:
        return end(session, Status.FAILED, error)
    delay = min(session.pace.first * 2 ** (retries - 1), session.pace.most) * _jitter.uniform(0.5, 1.5)
    if delay <= session.pace.in_process:
        _note(session, error)
        session.sleep(delay)
        return None
    until = clock.now() + timedelta(seconds=delay)
    return _leave(session, Status.WAITING, error, waiting_until=until, attempts=0)


def _start_over(session: Session, error: CursorExpired) -> Status | None:
    session.restarts += 1
    if session.run.mode is RunMode.BACKFILL or session.restarts > RESTARTS:
        return _stop_stream(session, error)
    with session.unit_of_work() as connection:
        positions.start_over(connection, session.stream, session.run.id)
        events.add(connection, session.run.id, Level.WARNING, error.template, **error.params)
    session.run = session.run._replace(mode=RunMode.FULL, generation=None)
    return None


def _pause_connection(session: Session, error: NeedsHuman) -> Status:
    return end(session, Status.FAILED, error, pause=pauses.pause_connection, row_id=session.stream.connection_id)


def _stop_stream(session: Session, error: StreamBroken) -> Status:
    return end(session, Status.FAILED, error, pause=pauses.pause_stream, row_id=session.stream.id)


def _ask_about_deletes(session: Session, error: SweepRefused) -> Status:
    return end(session, Status.PARTIAL, error, pause=pauses.pause_stream, row_id=session.stream.id)


def _fail_unexpectedly(session: Session, error: Exception) -> Status:
    log.error("the run failed", run=session.run.id, exc_info=error)
    return end(session, Status.FAILED, error)


_ANSWERS: tuple[
    tuple[type[BaseException] | tuple[type[BaseException], ...], Callable[[Session, Any], Status | None]], ...
] = (
    (LeaseLost, _lost),
    (Stopping, _give_back),
    (CancelRequested, _cancel),
    (WaitUntil, _wait),
    (RetryLater, _retry),
    (CursorExpired, _start_over),
    (SweepRefused, _ask_about_deletes),
    (NeedsHuman, _pause_connection),
    (StreamBroken, _stop_stream),
)


def end(
    session: Session,
    status: Status,
    error: Exception | None = None,
    *,
    pause: Callable[[Connection, int, Exception], None] | None = None,
    row_id: int = 0,
) -> Status:
    """The run is over: its row, what is paused by it, and the lease, in one transaction."""
    if error is not None:
        _name_the_place(session, error)
    with session.database.transaction() as connection:
        end_row(connection, session.run.id, status, error)
        if pause is not None and error is not None:
            pause(connection, row_id, error)
        if session.run.mode is RunMode.BACKFILL:
            positions.forget_backfill(connection, session.stream, session.run.id)
        lease.release(connection, session.run.lease)
    return status


def _leave(session: Session, status: Status, error: Exception | None = None, **values: Any) -> Status:
    """The run is not over, but this worker is free again."""
    if error is not None:
        why = failure(error)
        values |= _told(error)
    with session.database.transaction() as connection:
        connection.execute(
            update(sync_run).where(sync_run.c.id == session.run.id).values(status=status, rung_at=None, **values)
        )
        if error is not None:
            events.add(connection, session.run.id, Level.WARNING, why.message.template, **why.message.params)
        lease.release(connection, session.run.lease)
    return status


def _told(error: Exception) -> dict[str, Any]:
    """What a run's row says of an error."""
    why = failure(error)
    return {"error_code": why.code, "error": packed(*why.message), "remedy": why.remedy}


def _note(session: Session, error: Exception) -> None:
    why = failure(error)
    with session.unit_of_work() as connection:
        events.add(connection, session.run.id, Level.WARNING, why.message.template, **why.message.params)


def _count_retry(connection: Connection, run_id: int, error: Exception) -> int:
    """One more passing fault in a row, and which; the next page that is stored takes both back."""
    values = {**_told(error), "retries": sync_run.c.retries + 1}
    counted = update(sync_run).where(sync_run.c.id == run_id).values(values)
    return int(connection.execute(counted.returning(sync_run.c.retries)).scalar_one())


def _name_the_place(session: Session, error: Exception) -> None:
    """Remedies speak of {connection} and {stream}; not every error knows them."""
    params = getattr(error, "params", None)
    if isinstance(params, dict):
        params.setdefault("connection", session.stream.connection)
        params.setdefault("stream", session.stream.name)
