"""Reconcile and close: the counts must add up; the end of the run and the lease are one commit."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from sync.master import tally
from sync.master.landing import Counts
from sync.runs import clock, events, hints, lease, positions
from sync.runs.checkpoint import CountsWrong
from sync.runs.claim import end_row
from sync.runs.failpoints import around
from sync.runs.session import Opened, Session
from sync.runs.states import Level, RunMode, Status
from sync.runs.tables import stream_state, sync_run


def close(session: Session, opened: Opened) -> Status:
    """End a run that has read all there was: succeeded, or partial if something new is in quarantine. Commits."""
    with around("close"), session.database.hot_transaction() as connection:
        row = connection.execute(select(sync_run).where(sync_run.c.id == session.run.id)).one()
        with around("reconcile"):
            _reconcile(session, opened, connection, row)
        status = Status.PARTIAL if row.quarantined > row.ignored else Status.SUCCEEDED
        end_row(connection, session.run.id, status)
        if opened.reading.mode is not RunMode.HINTED:  # a few records do not tell how fresh the rest is
            connection.execute(
                update(stream_state).where(stream_state.c.id == session.stream.id).values(succeeded_at=clock.now())
            )
        _say_how_it_went(connection, row)
        if opened.reading.mode in (RunMode.FULL, RunMode.INCREMENTAL):
            hints.forget_covered(connection, session.stream.id, row.hinted_to)
        if opened.reading.mode is RunMode.BACKFILL:
            positions.forget_backfill(connection, session.stream, session.run.id)
        lease.release(connection, session.run.lease)
    return status


def _reconcile(session: Session, opened: Opened, connection: Connection, row: Any) -> None:
    """Every record that was read is accounted for, and a full read has met as many as the source says there are."""
    counts = Counts(row.read, row.created, row.updated, row.unchanged, row.quarantined, row.deleted)
    if not counts.adds_up():
        raise CountsWrong("The counts of the run do not add up: {counts}.", counts=str(counts))
    if opened.reading.mode is not RunMode.FULL or row.expected is None:
        return
    live = tally.read(connection).records.get(session.stream.id, 0)
    if live + row.quarantined < row.expected:
        events.add(
            connection,
            session.run.id,
            Level.WARNING,
            "The source speaks of {expected} records, {live} are here and {quarantined} in quarantine.",
            expected=row.expected,
            live=live,
            quarantined=row.quarantined,
        )


def _say_how_it_went(connection: Connection, row: Any) -> None:
    counts = {name: getattr(row, name) for name in Counts._fields}
    level = Level.WARNING if row.quarantined > row.ignored else Level.INFO
    events.add(
        connection,
        row.id,
        level,
        "Read {read}: created {created}, updated {updated}, unchanged {unchanged}, quarantined {quarantined}, "
        "deleted {deleted}.",
        **counts,
    )
