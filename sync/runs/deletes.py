"""Finding deletes at the end of a complete read, by what it has seen or by the source's own list of keys."""

from __future__ import annotations

from sqlalchemy import select, update

from connectors.contract import Deletes
from connectors.errors import ListingIncomplete
from sync.runs import clock, doubts, events, positions, sweep
from sync.runs.session import Opened, Session
from sync.runs.states import Level, RunMode
from sync.runs.tables import stream_state, sync_run


def sweep_after_read(session: Session, opened: Opened) -> None:
    """Delete what the source has no longer. Raises SweepRefused when that would be suspiciously much."""
    if opened.reading.mode is RunMode.FULL:
        _sweep_full_read(session, opened)
    elif opened.reading.mode is RunMode.INCREMENTAL and _listing_due(session, opened):
        _sweep_unlisted(session, opened)


def _sweep_full_read(session: Session, opened: Opened) -> None:
    with session.database.reading() as connection:
        awaited = positions.is_open(connection, session.stream, opened.reading.generation)
    if not awaited:  # swept by a worker that died before it could close the run
        return
    if opened.reading.keeps_seen:
        _sweep_unseen(session, opened.reading.generation)
    sweep.close_generation(session, opened.reading.generation)


def _sweep_unseen(session: Session, generation: int) -> None:
    with session.database.reading() as connection:
        missing, live = sweep.unseen(connection, session, generation)
        unidentified = doubts.count(connection, session.stream.id, generation)
    if missing and unidentified:
        _say_that_nothing_is_deleted(session, unidentified)
        return
    sweep.brake(session, len(missing), live)
    sweep.delete_missing(session, missing)


def _say_that_nothing_is_deleted(session: Session, unidentified: int) -> None:
    with session.unit_of_work() as connection:
        events.add(
            connection,
            session.run.id,
            Level.WARNING,
            "{records} records could not be identified, so nothing was deleted; correct them and run again.",
            records=unidentified,
        )


def _sweep_unlisted(session: Session, opened: Opened) -> None:
    from sync.runs import reconcile  # loads numpy

    try:
        listed = [list(batch) for batch in opened.connector.ids(session.stream.name)]
    except ListingIncomplete as error:
        with session.unit_of_work() as connection:
            events.add(connection, session.run.id, Level.WARNING, error.template, **error.params)
        return
    with session.database.reading() as connection:
        extra, live = reconcile.extra_ids(connection, session.stream.id, listed)
    sweep.brake(session, len(extra), live)
    sweep.delete_missing(session, extra)
    with session.unit_of_work() as connection:
        connection.execute(
            update(stream_state).where(stream_state.c.id == session.stream.id).values(swept_at=clock.now())
        )


def _listing_due(session: Session, opened: Opened) -> bool:
    if opened.declared.deletes is not Deletes.SWEEP or not opened.declared.ids:
        return False
    with session.database.hot_reading() as connection:
        swept_at, read = connection.execute(
            select(stream_state.c.swept_at, sync_run.c.read)
            .join(sync_run, sync_run.c.stream_id == stream_state.c.id)
            .where(sync_run.c.id == session.run.id)
        ).one()
    every = opened.declared.sweep_every
    return bool(read) if every == 0 else positions.sweep_due(swept_at, every)
