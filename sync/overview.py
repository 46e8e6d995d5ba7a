"""The state of every stream at one glance, for the dashboard's overview and for `kehu sync watch`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, case, func, select

from sync.master import tally
from sync.master.tables import crosswalk, customer, source_record
from sync.runs.tables import connection as connections
from sync.runs.tables import quarantine, schedule, stream_state, sync_run
from sync.runs.wording import Wording, unpacked


class LastRun(NamedTuple):
    """The newest run of a stream."""

    id: int
    mode: str
    status: str
    read: int
    created: int
    updated: int
    unchanged: int
    quarantined: int
    deleted: int
    expected: int | None
    queued_at: datetime
    finished_at: datetime | None
    error: Wording | None
    remedy: str
    waiting_until: datetime | None = None
    error_code: str = ""


class StreamOverview(NamedTuple):
    """One stream. ``fresh_seconds`` since its last good run; None if there was none."""

    id: int
    connection: str
    connector: str
    stream: str
    removed: bool
    paused: bool
    reason: Wording | None
    remedy: str
    records: int
    quarantined: int
    every_seconds: float | None
    fresh_seconds: float | None
    run: LastRun | None
    reason_code: str | None = None

    @property
    def late(self) -> bool:
        """Whether a scheduled stream has not succeeded for three of its intervals (at least two minutes).

        One that never has counts from when its newest run was asked for.
        """
        if self.every_seconds is None or self.paused or self.removed:
            return False
        age = self.fresh_seconds
        if age is None and self.run is not None:
            age = (datetime.now(UTC) - self.run.queued_at).total_seconds()
        return age is None or age > max(3 * self.every_seconds, 120.0)


def streams(connection: Connection) -> list[StreamOverview]:
    """All streams, in the order of their connections; those taken out of the configuration last."""
    records, quarantined = tally.read(connection).records, _quarantined(connection)
    runs = _last_runs(connection)
    statement = (
        select(
            stream_state,
            connections.c.name.label("connection"),
            connections.c.connector,
            connections.c.removed_at,
            connections.c.state.label("connection_state"),
            connections.c.reason.label("connection_reason"),
            connections.c.reason_code.label("connection_reason_code"),
            connections.c.remedy.label("connection_remedy"),
            schedule.c.every_seconds,
        )
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .outerjoin(schedule, schedule.c.stream_id == stream_state.c.id)
        .order_by(case((connections.c.removed_at.is_(None), 0), else_=1), connections.c.id, stream_state.c.id)
    )
    now = datetime.now(UTC)
    found = []
    for row in connection.execute(statement):
        whole = row.connection_state == "paused"
        found.append(
            StreamOverview(
                id=row.id,
                connection=row.connection,
                connector=row.connector,
                stream=row.name,
                removed=row.removed_at is not None,
                paused=whole or row.state == "paused",
                reason=unpacked(row.connection_reason if whole else row.reason),
                remedy=(row.connection_remedy if whole else row.remedy) or "",
                records=records.get(row.id, 0),
                quarantined=quarantined.get(row.id, 0),
                every_seconds=row.every_seconds,
                fresh_seconds=(now - row.succeeded_at).total_seconds() if row.succeeded_at else None,
                run=runs.get(row.id),
                reason_code=row.connection_reason_code if whole else row.reason_code,
            )
        )
    return found


def members_histogram(connection: Connection) -> dict[int, int]:
    """How many active customers have 1, 2, 3, 4, and 5 or more source records."""
    return dict(tally.read(connection).sizes)


class Shared(NamedTuple):
    """A customer that several connections know."""

    name: str
    records: int
    connections: tuple[str, ...]


def most_shared(connection: Connection, limit: int) -> list[Shared]:
    """The active customers that most connections know, the most widely known first."""
    systems = func.count(stream_state.c.connection_id.distinct())
    widest = (
        select(customer.c.id, customer.c.name)
        .join(crosswalk, crosswalk.c.customer_id == customer.c.id)
        .join(source_record, source_record.c.id == crosswalk.c.record_id)
        .join(stream_state, stream_state.c.id == source_record.c.stream_id)
        .where(customer.c.status == "active")
        .group_by(customer.c.id, customer.c.name)
        .order_by(systems.desc(), func.count().desc(), customer.c.id)
        .limit(limit)
    )
    return [_shared(connection, row.id, row.name or "") for row in connection.execute(widest).all()]


def _shared(connection: Connection, customer_id: int, name: str) -> Shared:
    rows = connection.execute(
        select(connections.c.name)
        .join(stream_state, stream_state.c.connection_id == connections.c.id)
        .join(source_record, source_record.c.stream_id == stream_state.c.id)
        .join(crosswalk, crosswalk.c.record_id == source_record.c.id)
        .where(crosswalk.c.customer_id == customer_id)
        .order_by(connections.c.id)
    )
    names = [row[0] for row in rows]
    return Shared(name, len(names), tuple(dict.fromkeys(names)))


def _quarantined(connection: Connection) -> dict[int, int]:
    rows = connection.execute(
        select(quarantine.c.stream_id, func.count())
        .where(quarantine.c.state == "open")
        .group_by(quarantine.c.stream_id)
    )
    return {row[0]: row[1] for row in rows}


def _last_runs(connection: Connection) -> dict[int, LastRun]:
    own = sync_run.alias()  # a look into the index for each stream, rather than a walk through all runs
    newest = select(
        select(func.max(own.c.id)).where(own.c.stream_id == stream_state.c.id).scalar_subquery()
    ).select_from(stream_state)
    rows = connection.execute(select(sync_run).where(sync_run.c.id.in_(newest)))
    return {
        row.stream_id: LastRun(
            id=row.id,
            mode=row.mode,
            status=row.status,
            read=row.read,
            created=row.created,
            updated=row.updated,
            unchanged=row.unchanged,
            quarantined=row.quarantined,
            deleted=row.deleted,
            expected=row.expected,
            queued_at=row.queued_at,
            finished_at=row.finished_at,
            error=unpacked(row.error),
            remedy=row.remedy or "",
            waiting_until=row.waiting_until,
            error_code=row.error_code or "",
        )
        for row in rows
    }
