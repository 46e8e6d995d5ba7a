"""The sweeper: finds by query what should be worked on and is not, and rings for it again.

Runs that are queued, that wait until now, or that a lost worker left behind; and landings that were not resolved.
A run is rung for again at once when the queue is empty (then its message was lost), else only every now and then:
its message may simply stand in line.
"""

from __future__ import annotations

from typing import NamedTuple

import structlog
from sqlalchemy import Connection, String, cast, exists, func, literal, or_, select, update

from sync.database import Database
from sync.matching import switching
from sync.runs import clock, pending
from sync.runs.dispatch import Doorbell
from sync.runs.states import Status, Trigger
from sync.runs.tables import connection as connections
from sync.runs.tables import lease, stream_state, sync_run

AGAIN_AFTER = 15.0
"""Seconds until a run in a busy queue is rung for again."""

log = structlog.get_logger(__name__)


class Due(NamedTuple):
    """A run that nobody works on and somebody should."""

    run_id: int
    trigger: Trigger


def sweep(database: Database, bell: Doorbell) -> int:
    """Ring for everything that is due; answers how often."""
    empty = bell.queued() == 0
    rung = 0
    for run in due(database, again_after=0.0 if empty else AGAIN_AFTER):
        rung += bell.run(run.run_id, run.trigger)
    with database.reading() as connection:
        leftovers = pending.waiting(connection, 1)
    if (leftovers or switching.under_way(database) is not None) and not _being_resolved(database):
        rung += bell.pending()
    return rung


def due(database: Database, *, again_after: float = AGAIN_AFTER) -> list[Due]:
    """The runs to ring for now; each is given to one of several callers. Commits."""
    with database.reading() as connection:
        found = _due(connection, again_after)
    if not found:
        return []
    with database.transaction() as connection:
        return [run for run in found if _take(connection, run.run_id, again_after)]


def next_in_line(database: Database, ended_run_id: int) -> Due | None:
    """The run that stands behind one that has just ended."""
    ended = select(sync_run.c.stream_id).where(sync_run.c.id == ended_run_id).scalar_subquery()
    with database.reading() as connection:
        row = connection.execute(
            select(sync_run.c.id, sync_run.c.trigger)
            .where(
                sync_run.c.stream_id == ended,
                sync_run.c.id > ended_run_id,
                sync_run.c.status == Status.QUEUED,
                sync_run.c.finished_at.is_(None),
            )
            .order_by(sync_run.c.id)
            .limit(1)
        ).one_or_none()
    return None if row is None else Due(row[0], Trigger(row[1]))


def _due(connection: Connection, again_after: float) -> list[Due]:
    now = clock.seconds(connection)
    first_in_line = (
        select(func.min(sync_run.c.id)).where(sync_run.c.finished_at.is_(None)).group_by(sync_run.c.stream_id)
    )
    held = exists().where(
        lease.c.name == literal("stream:") + cast(sync_run.c.stream_id, String), lease.c.expires_at > now
    )
    runnable = (stream_state.c.state == "active") & (connections.c.state == "active")
    statement = (
        select(sync_run.c.id, sync_run.c.trigger)
        .join(stream_state, stream_state.c.id == sync_run.c.stream_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .where(
            sync_run.c.id.in_(first_in_line),
            runnable | sync_run.c.cancel_requested,
            ~held,
            or_(
                sync_run.c.status.in_([Status.QUEUED, Status.RUNNING]),
                sync_run.c.waiting_until <= clock.now(),
                sync_run.c.cancel_requested,
            ),
            or_(sync_run.c.rung_at.is_(None), sync_run.c.rung_at <= now - again_after, sync_run.c.rung_at > now),
        )
        .order_by(sync_run.c.id)
    )
    return [Due(row[0], Trigger(row[1])) for row in connection.execute(statement)]


def _take(connection: Connection, run_id: int, again_after: float) -> bool:
    now = clock.seconds(connection)
    mine = or_(sync_run.c.rung_at.is_(None), sync_run.c.rung_at <= now - again_after, sync_run.c.rung_at > now)
    taken = update(sync_run).where(sync_run.c.id == run_id, mine).values(rung_at=now)
    return connection.execute(taken).rowcount == 1


def _being_resolved(database: Database) -> bool:
    with database.reading() as connection:
        now = clock.seconds(connection)
        held = select(exists().where(lease.c.name == pending.LEASE, lease.c.expires_at > now))
        return bool(connection.execute(held).scalar_one())
