"""What is forgotten: old runs, uneventful runs of busy schedules, and quarantine that was settled long ago.

Without this a stream that is polled every second would leave 86,400 rows a day, and settled payloads, which are
personal data, would be kept for ever.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, exists, select

from sync.database import Database
from sync.delivery import attempts
from sync.monitoring import totals
from sync.runs import clock
from sync.runs.states import Status, Trigger
from sync.runs.tables import hint_delivery, quarantine, reconciliation, run_event, sync_run

KEEP = timedelta(days=30)
KEEP_UNEVENTFUL = timedelta(hours=1)
BATCH = 5_000


def forget(database: Database) -> int:
    """Delete what is old enough, some of it at a time; answers how many runs. Commits."""
    forgotten = 0
    while True:
        with database.transaction() as connection:
            ids = list(connection.execute(select(sync_run.c.id).where(_old()).limit(BATCH)).scalars())
            totals.keep(connection, ids)
            connection.execute(delete(run_event).where(run_event.c.run_id.in_(ids)))
            connection.execute(delete(sync_run).where(sync_run.c.id.in_(ids)))
            _forget_the_rest(connection)
        forgotten += len(ids)
        if len(ids) < BATCH:
            return forgotten


def _old() -> ColumnElement[bool]:
    """Ended long ago, or brought nothing and is not the newest of its stream."""
    now = clock.now()
    newer = sync_run.alias()
    superseded = exists().where(newer.c.stream_id == sync_run.c.stream_id, newer.c.id > sync_run.c.id)
    uneventful = (
        (sync_run.c.finished_at < now - KEEP_UNEVENTFUL)
        & (sync_run.c.status == Status.SUCCEEDED)
        & (sync_run.c.trigger == Trigger.SCHEDULE)
        & (sync_run.c.read == sync_run.c.unchanged)
    )
    return superseded & ((sync_run.c.finished_at < now - KEEP) | uneventful)


def _forget_the_rest(connection: Connection) -> None:
    before = clock.now() - KEEP
    connection.execute(delete(quarantine).where(quarantine.c.state == "resolved", quarantine.c.closed_at < before))
    connection.execute(delete(reconciliation).where(reconciliation.c.at < before))
    attempts.forget_old(connection)
    connection.execute(delete(hint_delivery).where(hint_delivery.c.received_at < before))
