"""What runs there are and how they stand, for people: "running" is derived from the lease, never just believed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, String, cast, literal, select

from sync.errors import NotFound
from sync.master.landing import Counts
from sync.runs import clock
from sync.runs.states import RunMode, Status, Trigger
from sync.runs.tables import connection as connections
from sync.runs.tables import lease, stream_state, sync_run
from sync.runs.wording import Wording, unpacked

NOT_RESPONDING = "not_responding"
"""The derived state of a run that says "running" while nobody holds its lease."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run. ``state`` is its status, or ``not_responding``; ``silent_for`` are seconds since the last heartbeat."""

    id: int
    connection: str
    stream: str
    stream_id: int
    mode: RunMode
    status: Status
    state: str
    silent_for: float | None
    trigger: Trigger
    counts: Counts
    ignored: int
    pages: int
    expected: int | None
    attempts: int
    retries: int
    cancel_requested: bool
    since: datetime | None
    until: datetime | None
    waiting_until: datetime | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None
    error: Wording | None
    remedy: Wording | None

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.finished_at is None


def show(connection: Connection, run_id: int) -> RunView:
    """One run. Raises NotFound."""
    row = connection.execute(_runs().where(sync_run.c.id == run_id)).one_or_none()
    if row is None:
        raise NotFound("There is no run {run}.", run=run_id, remedy="`kehu sync list` shows the runs.")
    return _view(row, clock.seconds(connection))


def runs(
    connection: Connection,
    *,
    stream_ids: Collection[int] | None = None,
    statuses: Collection[Status] = (),
    before_id: int | None = None,
    limit: int = 50,
) -> list[RunView]:
    """The newest runs, of some streams or all, with one of some statuses or any, older than ``before_id``."""
    statement = _runs().order_by(sync_run.c.id.desc()).limit(limit)
    if stream_ids is not None:
        statement = statement.where(sync_run.c.stream_id.in_(stream_ids))
    if statuses:
        statement = statement.where(sync_run.c.status.in_(statuses))
    if before_id is not None:
        statement = statement.where(sync_run.c.id < before_id)
    now = clock.seconds(connection)
    return [_view(row, now) for row in connection.execute(statement)]


def _runs() -> Select[Any]:
    lease_name = literal("stream:") + cast(sync_run.c.stream_id, String)
    return (
        select(
            sync_run,
            connections.c.name.label("connection_name"),
            stream_state.c.name.label("stream_name"),
            lease.c.expires_at,
            lease.c.beat_at,
        )
        .join(stream_state, stream_state.c.id == sync_run.c.stream_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .outerjoin(lease, lease.c.name == lease_name)
    )


def _view(row: Any, now: float) -> RunView:
    status, error = Status(row.status), unpacked(row.error)
    silent_for = None if row.beat_at is None or status is not Status.RUNNING else max(0.0, now - row.beat_at)
    silent = status is Status.RUNNING and (row.expires_at is None or row.expires_at <= now)
    return RunView(
        id=row.id,
        connection=row.connection_name,
        stream=row.stream_name,
        stream_id=row.stream_id,
        mode=RunMode(row.mode),
        status=status,
        state=NOT_RESPONDING if silent else status.value,
        silent_for=silent_for,
        trigger=Trigger(row.trigger),
        counts=Counts(*(getattr(row, name) for name in Counts._fields)),
        ignored=row.ignored,
        pages=row.pages,
        expected=row.expected,
        attempts=row.attempts,
        retries=row.retries,
        cancel_requested=row.cancel_requested,
        since=row.since,
        until=row.until,
        waiting_until=row.waiting_until,
        queued_at=row.queued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_code=row.error_code,
        error=error,
        remedy=None if row.remedy is None else Wording(row.remedy, error.params if error else {}),
    )
