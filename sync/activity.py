"""What happened over time: runs in columns of equal length, for charts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, Integer, case, cast, func, select

from sync.runs.states import Status
from sync.runs.tables import sync_run


class Column(NamedTuple):
    """One column. ``seconds`` is how long a run took on average; None where none ended."""

    began: datetime
    runs: int
    failed: int
    changed: int
    unchanged: int
    quarantined: int
    seconds: float | None


def activity(
    connection: Connection,
    *,
    hours: int = 24,
    columns: int = 48,
    stream_ids: Collection[int] | None = None,
    now: datetime | None = None,
) -> list[Column]:
    """The last ``hours`` in so many columns, the oldest first; runs count where they were asked for."""
    end = now or datetime.now(UTC)
    began, length = end - timedelta(hours=hours), timedelta(hours=hours) / columns
    place = cast(_seconds(connection, sync_run.c.queued_at, began) / length.total_seconds(), Integer)
    took = _seconds(connection, sync_run.c.finished_at, None) - _seconds(connection, sync_run.c.started_at, None)
    statement = (
        select(
            place.label("place"),
            func.count(),
            func.sum(case((sync_run.c.status == Status.FAILED, 1), else_=0)),
            func.sum(sync_run.c.created + sync_run.c.updated + sync_run.c.deleted),
            func.sum(sync_run.c.unchanged),
            func.sum(sync_run.c.quarantined),
            func.avg(took),
        )
        .where(sync_run.c.queued_at >= began)
        .group_by("place")
    )
    if stream_ids is not None:
        statement = statement.where(sync_run.c.stream_id.in_(stream_ids))
    found = {row[0]: row for row in connection.execute(statement)}
    return [_column(began + index * length, found.get(index)) for index in range(columns)]


def _seconds(connection: Connection, column: Any, since: datetime | None) -> Any:
    """A moment in seconds since another one, or since the epoch, as each dialect counts."""
    count: Any = (func.julianday(column) - 2440587.5) * 86400.0
    if connection.dialect.name == "postgresql":
        count = cast(func.extract("epoch", column), Float)
    return count if since is None else count - since.timestamp()


def _column(began: datetime, row: Any) -> Column:
    if row is None:
        return Column(began, 0, 0, 0, 0, 0, None)
    _, runs, failed, changed, unchanged, quarantined, seconds = row
    took = None if seconds is None else float(seconds)
    return Column(began, runs, int(failed or 0), int(changed or 0), int(unchanged or 0), int(quarantined or 0), took)
