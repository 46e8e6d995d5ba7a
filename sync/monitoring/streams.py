"""How every stream stands, by queries whose cost does not grow with the number of records or of runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Label, Table, func, select

from sync.runs.states import Status
from sync.runs.tables import connection as connections
from sync.runs.tables import quarantine, schedule, stream_state, sync_run
from sync.runs.wording import Wording, unpacked

LEAST_TARGET = 120.0
"""Seconds: no stream is called late sooner."""
FAILED = Status.FAILED.value


class StreamHealth(NamedTuple):
    """A stream that is configured. ``last_status`` and ``error`` are those of the newest run that has ended."""

    id: int
    connection: str
    stream: str
    paused: str | None
    """The code of the reason; None if it is not paused."""
    reason: Wording | None
    remedy: str
    every_seconds: float | None
    waiting_since: datetime
    """Its last good run; the connection's beginning if there was none."""
    succeeded_at: datetime | None
    last_status: str | None
    error: Wording | None
    error_remedy: str
    quarantined: int

    @property
    def fresh_seconds(self) -> float:
        """Since the last good run, or since the beginning if there was none."""
        return max(0.0, (datetime.now(UTC) - self.waiting_since).total_seconds())

    def target(self, stale_after: float | None = None) -> float | None:
        """How old it may become: as set, else three intervals; None for streams without a schedule."""
        if self.every_seconds is None:
            return None
        return stale_after if stale_after is not None else max(3 * self.every_seconds, LEAST_TARGET)

    def late(self, stale_after: float | None = None) -> bool:
        """Whether it is older than it may be, though nobody paused it."""
        target = self.target(stale_after)
        return target is not None and self.paused is None and self.fresh_seconds > target


def health(connection: Connection) -> list[StreamHealth]:
    """All streams that are configured, in the order of their connections."""
    opened = _quarantined(connection)
    newest = (
        select(func.max(sync_run.c.id))
        .where(sync_run.c.stream_id == stream_state.c.id, sync_run.c.finished_at.is_not(None))
        .correlate(stream_state)
        .scalar_subquery()
    )
    statement = (
        select(
            stream_state.c.id,
            connections.c.name.label("connection"),
            stream_state.c.name.label("stream"),
            stream_state.c.succeeded_at,
            schedule.c.every_seconds,
            connections.c.created_at,
            *_pause(connections, "whole"),
            *_pause(stream_state, "own"),
            sync_run.c.status,
            sync_run.c.error,
            sync_run.c.remedy,
        )
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .outerjoin(schedule, schedule.c.stream_id == stream_state.c.id)
        .outerjoin(sync_run, sync_run.c.id == newest)
        .where(connections.c.removed_at.is_(None))
        .order_by(connections.c.id, stream_state.c.id)
    )
    return [_health(row, opened.get(row.id, 0)) for row in connection.execute(statement)]


def _pause(table: Table, prefix: str) -> list[Label[Any]]:
    return [table.c[name].label(f"{prefix}_{name}") for name in ("state", "reason_code", "reason", "remedy")]


def _health(row: Any, quarantined: int) -> StreamHealth:
    found = row._mapping
    by = next((part for part in ("whole", "own") if found[f"{part}_state"] == "paused"), None)
    failed = found["status"] == FAILED
    return StreamHealth(
        id=found["id"],
        connection=found["connection"],
        stream=found["stream"],
        paused=None if by is None else found[f"{by}_reason_code"] or "paused",
        reason=None if by is None else unpacked(found[f"{by}_reason"]),
        remedy="" if by is None else found[f"{by}_remedy"] or "",
        every_seconds=found["every_seconds"],
        waiting_since=found["succeeded_at"] or found["created_at"],
        succeeded_at=found["succeeded_at"],
        last_status=found["status"],
        error=unpacked(found["error"]) if failed else None,
        error_remedy=(found["remedy"] or "") if failed else "",
        quarantined=quarantined,
    )


def _quarantined(connection: Connection) -> dict[int, int]:
    rows = connection.execute(
        select(quarantine.c.stream_id, func.count())
        .where(quarantine.c.state == "open")
        .group_by(quarantine.c.stream_id)
    )
    return {row[0]: row[1] for row in rows}
