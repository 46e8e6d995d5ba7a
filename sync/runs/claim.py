"""Claim: take one run for this worker, or find out that there is nothing to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, exists, select, text, update
from sqlalchemy.exc import OperationalError

from connectors.errors import ConnectorError
from sync.database import Database
from sync.errors import SyncError
from sync.master import streams
from sync.master.streams import StreamRef
from sync.runs import clock, events, lease
from sync.runs.lease import Lease
from sync.runs.states import Level, RunMode, Status
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state, sync_run
from sync.runs.wording import failure, packed

STARTS = 3
"""So often a run may start without getting any further before it is given up."""


class Crashed(SyncError):
    """The run has ended its process several times at the same place."""

    code = "crashed"
    default_remedy = (
        "Look into the worker's log for what ended the process (memory, a broken library), then run "
        "`kehu sync run {connection}.{stream}`."
    )


class Claimed(NamedTuple):
    """A run that is ours for as long as the lease holds."""

    id: int
    stream: StreamRef
    mode: RunMode
    since: datetime | None
    until: datetime | None
    generation: int | None
    accepted_deletes: int | None
    retries: int
    lease: Lease


def lease_name(stream_id: int) -> str:
    """One run at a time may work on a stream."""
    return f"stream:{stream_id}"


def claim(database: Database, run_id: int, *, expiry: float = lease.EXPIRY) -> Claimed | None:
    """The run, if it is open, due, first in its stream's line, and held by nobody. Commits."""
    try:
        with database.hot_transaction() as connection:
            if database.is_postgres:
                # A stalled holder may have its lease row locked: that is as good as held.
                connection.execute(text("SET LOCAL lock_timeout = '2s'"))
            return _claim(connection, run_id, expiry)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":
            return None
        raise


def runs_ahead(database: Database, run_id: int) -> list[int]:
    """The open runs that stand before this one in its stream's line, oldest first."""
    stream_id = select(sync_run.c.stream_id).where(sync_run.c.id == run_id).scalar_subquery()
    ahead = select(sync_run.c.id).where(
        sync_run.c.stream_id == stream_id, sync_run.c.finished_at.is_(None), sync_run.c.id < run_id
    )
    with database.hot_reading() as connection:
        return list(connection.execute(ahead.order_by(sync_run.c.id)).scalars())


def _claim(connection: Connection, run_id: int, expiry: float) -> Claimed | None:
    row = connection.execute(select(sync_run).where(sync_run.c.id == run_id)).one_or_none()
    if row is None or row.finished_at is not None or not _startable(connection, row):
        return None
    held = lease.acquire(connection, lease_name(row.stream_id), expiry=expiry)
    if held is None:
        return None
    # Read again: between the first look and the lease another worker may have ended the run.
    row = connection.execute(select(sync_run).where(sync_run.c.id == run_id)).one()
    if row.finished_at is not None or _ended_at_claim(connection, row):
        lease.release(connection, held)
        return None
    _start(connection, row)
    stream = streams.load(connection)[row.stream_id]
    return Claimed(
        row.id,
        stream,
        RunMode(row.mode),
        row.since,
        row.until,
        row.generation,
        row.accepted_deletes,
        row.retries,
        held,
    )


def _startable(connection: Connection, row: Any) -> bool:
    if row.status == Status.WAITING and row.waiting_until > clock.now() and not row.cancel_requested:
        return False
    older = sync_run.alias()
    first = not connection.execute(
        select(exists().where(older.c.stream_id == row.stream_id, older.c.finished_at.is_(None), older.c.id < row.id))
    ).scalar_one()
    return first and (row.cancel_requested or not is_paused(connection, row.stream_id))


def is_paused(connection: Connection, stream_id: int) -> bool:
    """Whether a stream or its connection is paused, so that nobody begins its runs."""
    states = connection.execute(
        select(connections.c.state, stream_state.c.state)
        .join(stream_state, stream_state.c.connection_id == connections.c.id)
        .where(stream_state.c.id == stream_id)
    ).one()
    return "paused" in states


def _ended_at_claim(connection: Connection, row: Any) -> bool:
    """Runs that end without being worked on: cancelled ones, and those that keep crashing their process."""
    if row.cancel_requested:
        end_row(connection, row.id, Status.CANCELLED)
        return True
    if row.attempts < STARTS:
        return False
    stream = streams.load(connection)[row.stream_id]
    crash = Crashed(
        "The run ended its process {starts} times at the same place.",
        starts=row.attempts,
        connection=stream.connection,
        stream=stream.name,
    )
    end_row(connection, row.id, Status.FAILED, crash)
    return True


def _start(connection: Connection, row: Any) -> None:
    again = row.status == Status.RUNNING
    connection.execute(
        update(sync_run)
        .where(sync_run.c.id == row.id)
        .values(
            status=Status.RUNNING,
            attempts=sync_run.c.attempts + 1,
            waiting_until=None,
            started_at=row.started_at or clock.now(),
        )
    )
    if again:
        events.add(connection, row.id, Level.WARNING, "The worker was lost; another one goes on.")
    elif row.started_at is None:
        events.add(connection, row.id, Level.INFO, "The run starts.")


def end_row(
    connection: Connection, run_id: int, status: Status, error: ConnectorError | BaseException | None = None
) -> None:
    """Write a run's end on its row, with the reason and the remedy if there is a fault."""
    values: dict[str, Any] = {"status": status, "finished_at": clock.now(), "waiting_until": None}
    values |= {"error_code": None, "error": None, "remedy": None}
    if error is not None:
        why = failure(error)
        values |= {"error_code": why.code, "error": packed(*why.message), "remedy": why.remedy}
        events.add(connection, run_id, Level.ERROR, why.message.template, **why.message.params)
    connection.execute(update(sync_run).where(sync_run.c.id == run_id).values(**values))
