"""Schedules: when a stream is synced by itself. Many processes may look; each due time fires once.

A schedule fires by compare-and-set on its row. After a pause of the whole system it fires once, not once for every
time that was missed; when the clock is set back, a next time that lies too far ahead counts as due.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from sync.database import Database, upsert
from sync.errors import Refused
from sync.runs import clock
from sync.runs.requests import request_run
from sync.runs.states import RunMode, Trigger
from sync.runs.tables import connection as connections
from sync.runs.tables import schedule, stream_state

SLACK = 60.0
"""A next time further ahead than one period and so many seconds means that the clock was set back."""


class Schedule(NamedTuple):
    """When a stream runs by itself; seconds, and seconds since the epoch by the database's clock."""

    stream_id: int
    every_seconds: float
    next_at: float


def set_schedule(connection: Connection, stream_id: int, every_seconds: float | None) -> None:
    """Sync a stream every so often, first at once; None: only by hand. An unchanged schedule keeps its next time."""
    if every_seconds is None:
        connection.execute(delete(schedule).where(schedule.c.stream_id == stream_id))
        return
    known = connection.execute(
        select(schedule.c.every_seconds).where(schedule.c.stream_id == stream_id)
    ).scalar_one_or_none()
    if known == every_seconds:
        return
    statement = upsert(connection, schedule).values(
        stream_id=stream_id, every_seconds=every_seconds, next_at=clock.seconds(connection)
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["stream_id"],
            set_={"every_seconds": statement.excluded.every_seconds, "next_at": statement.excluded.next_at},
        )
    )


def list_schedules(connection: Connection) -> list[Schedule]:
    """All schedules, by stream."""
    return [Schedule(*row) for row in connection.execute(select(schedule).order_by(schedule.c.stream_id))]


def fire_due(database: Database) -> list[int]:
    """Request the runs of all schedules that are due; answers the runs to ring for. Commits each by itself."""
    with database.reading() as connection:
        due = _due(connection)
    fired = []
    for row in due:
        # Paused since we looked: its schedule stays due.
        with suppress(Refused), database.transaction() as connection:
            if _advance(connection, row):
                fired.append(request_run(connection, row.stream_id, RunMode.INCREMENTAL, trigger=Trigger.SCHEDULE))
    return [requested.run_id for requested in fired if not requested.joined]


def _due(connection: Connection) -> list[Schedule]:
    now = clock.seconds(connection)
    statement = (
        select(schedule.c.stream_id, schedule.c.every_seconds, schedule.c.next_at)
        .join(stream_state, stream_state.c.id == schedule.c.stream_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .where(
            stream_state.c.state == "active",
            connections.c.state == "active",
            connections.c.removed_at.is_(None),
            (schedule.c.next_at <= now) | (schedule.c.next_at > now + schedule.c.every_seconds + SLACK),
        )
    )
    return [Schedule(*row) for row in connection.execute(statement)]


def _advance(connection: Connection, row: Schedule) -> bool:
    """Move the next time on; false if another process was first."""
    stream_id, every, next_at = row
    now = clock.seconds(connection)
    on_the_grid = next_at + every
    following = on_the_grid if now < on_the_grid <= now + every else now + every
    moved = update(schedule).where(schedule.c.stream_id == stream_id, schedule.c.next_at == next_at)
    return connection.execute(moved.values(next_at=following)).rowcount == 1
