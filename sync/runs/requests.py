"""Asking for runs and taking the request back. Nothing here starts anything: ring the bell after the commit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, text, update

from sync.errors import Misused, NotFound, Refused
from sync.language import Phrase
from sync.master.streams import StreamRef
from sync.runs import clock, events, pauses
from sync.runs.claim import end_row, lease_name
from sync.runs.states import Level, RunMode, Status, Trigger
from sync.runs.sweep import SweepRefused
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state, sync_run
from sync.runs.wording import unpacked


class Requested(NamedTuple):
    """The run that will do what was asked; ``joined`` if it was open already."""

    run_id: int
    joined: bool


def find_stream(connection: Connection, connection_name: str, stream_name: str) -> StreamRef:
    """A stream by its names. Raises NotFound."""
    row = connection.execute(
        select(stream_state.c.id, connections.c.id, connections.c.name, stream_state.c.name, stream_state.c.priority)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .where(
            connections.c.name == connection_name,
            stream_state.c.name == stream_name,
            connections.c.removed_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no stream {name}.", name=f"{connection_name}.{stream_name}"[:200])
    return StreamRef(*row)


def request_run(
    connection: Connection,
    stream_id: int,
    mode: RunMode = RunMode.INCREMENTAL,
    *,
    trigger: Trigger = Trigger.MANUAL,
    since: datetime | None = None,
    until: datetime | None = None,
    accept_deletes: bool = False,
) -> Requested:
    """Queue a run, or join one that is open and does the same.

    A human's request resumes what a fault has paused, since it means: try again. ``accept_deletes`` allows as many
    deletes as the brake has shown, no more. Raises Refused if somebody has paused the stream on purpose, if the
    stream is paused and a machine asks, or if there are no deletes to accept; Misused for a senseless range.
    """
    _check_range(mode, since, until)
    stream = connection.execute(
        select(stream_state).where(stream_state.c.id == stream_id).with_for_update()
    ).one_or_none()
    if stream is None:
        raise NotFound("There is no stream {name}.", name=str(stream_id))
    accepted = _accepted(stream) if accept_deletes else None
    _resume_or_refuse(connection, stream, trigger)
    open_run = None if accept_deletes else _joinable(connection, stream_id, mode, trigger)
    if open_run is not None:
        return Requested(open_run, True)
    row = {
        "stream_id": stream_id,
        "mode": RunMode.FULL if accept_deletes else mode,
        "status": Status.QUEUED,
        "trigger": trigger,
        "since": since,
        "until": until,
        "accepted_deletes": accepted,
        "queued_at": clock.now(),
    }
    run_id = connection.execute(insert(sync_run).values(**row).returning(sync_run.c.id)).scalar_one()
    return Requested(run_id, False)


def cancel(connection: Connection, run_id: int) -> Status:
    """Cancel a run: at once if nobody works on it, else at the end of the page in hand. Answers how it stands now.

    Raises NotFound, or Refused if it has ended.
    """
    row = connection.execute(select(sync_run).where(sync_run.c.id == run_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("There is no run {run}.", run=run_id, remedy="`kehu sync list` shows the runs.")
    if row.finished_at is not None:
        ended = Phrase(Status(row.status).value)
        raise Refused("Run {run} has ended already: {status}.", run=run_id, status=ended, remedy="Nothing to do.")
    if row.status in (Status.QUEUED, Status.WAITING) and not _held(connection, row.stream_id):
        end_row(connection, run_id, Status.CANCELLED)
        events.add(connection, run_id, Level.INFO, "The run was cancelled.")
        return Status.CANCELLED
    connection.execute(update(sync_run).where(sync_run.c.id == run_id).values(cancel_requested=True, rung_at=None))
    return Status(row.status)


def _check_range(mode: RunMode, since: datetime | None, until: datetime | None) -> None:
    if mode is RunMode.BACKFILL and since is None and until is None:
        raise Misused("A backfill needs a range: since, until, or both.")
    if mode is not RunMode.BACKFILL and (since is not None or until is not None):
        raise Misused("Only a backfill takes a range.")
    if since is not None and until is not None and since >= until:
        raise Misused("The range is empty: {since} is not before {until}.", since=str(since), until=str(until))


def _accepted(stream: Any) -> int:
    reason = unpacked(stream.reason)
    if stream.reason_code != SweepRefused.code or reason is None:
        raise Refused("There are no deletes to accept: the brake has not stopped this stream.", remedy="Nothing to do.")
    return int(reason.params["missing"])


def _resume_or_refuse(connection: Connection, stream: Any, trigger: Trigger) -> None:
    parent = connection.execute(select(connections).where(connections.c.id == stream.connection_id)).one()
    for row, name in ((parent, parent.name), (stream, f"{parent.name}.{stream.name}")):
        if row.state == "paused" and row.reason_code in pauses.ON_PURPOSE:
            reason = unpacked(row.reason)
            why = Phrase(reason.template, **reason.params) if reason else ""
            raise Refused("{name} is paused: {reason}", name=name, reason=why, remedy=row.remedy)
    if trigger is Trigger.MANUAL:
        pauses.resume_connection(connection, parent.id)
        pauses.resume_stream(connection, stream.id)
    elif "paused" in (parent.state, stream.state):
        raise Refused(
            "{name} is paused by a fault.", name=parent.name, remedy="Correct the fault, then sync it by hand."
        )


def _joinable(connection: Connection, stream_id: int, mode: RunMode, trigger: Trigger) -> int | None:
    """An open run that covers the request. A webhook speaks of a change that a started run may have passed already."""
    if mode is RunMode.BACKFILL:
        return None
    open_runs = select(sync_run.c.id).where(sync_run.c.stream_id == stream_id, sync_run.c.finished_at.is_(None))
    open_runs = open_runs.where(sync_run.c.cancel_requested.is_(False))
    if mode is RunMode.FULL:
        open_runs = open_runs.where(sync_run.c.mode == RunMode.FULL)
    elif mode is RunMode.HINTED:  # a full read does not fetch what is hinted, but reads it
        open_runs = open_runs.where(sync_run.c.mode != RunMode.BACKFILL)
    else:
        open_runs = open_runs.where(sync_run.c.mode.not_in((RunMode.BACKFILL, RunMode.HINTED)))
    if trigger is Trigger.WEBHOOK:
        open_runs = open_runs.where(sync_run.c.status == Status.QUEUED, sync_run.c.started_at.is_(None))
    return connection.execute(open_runs.order_by(sync_run.c.id).limit(1)).scalar_one_or_none()


def _held(connection: Connection, stream_id: int) -> bool:
    expires = connection.execute(
        text("SELECT expires_at FROM lease WHERE name = :name"), {"name": lease_name(stream_id)}
    ).scalar_one_or_none()
    return expires is not None and expires > clock.seconds(connection)
