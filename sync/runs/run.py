"""One sync run, top to bottom:

    claim → open → follow hints → for each page: land → map → resolve → checkpoint → beat; → sweep → reconcile → close

LAND (with the mapping, the checkpoint and the beat) is one transaction, RESOLVE another. A crash anywhere costs at
most the page in hand: reading goes on at the cursor, and what was landed but not resolved is a query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from threading import Event

from connectors.contract import Mode, Page, Read
from sync.master.cause import caused_by
from sync.runs import checkpoint, deletes, faults, lease, opening, positions, refetching
from sync.runs.claim import claim, runs_ahead
from sync.runs.closing import close
from sync.runs.failpoints import around
from sync.runs.positions import Position
from sync.runs.resolving import resolve
from sync.runs.session import Opened, Session
from sync.runs.states import ENDED, RunMode, Status
from sync.runs.workspace import Pace, Workspace, stream_settings


def execute(workspace: Workspace, run_id: int, *, stop: Event | None = None, pace: Pace | None = None) -> Status | None:
    """Work on a run until it ends, waits, or ``stop`` is set; answers how it stands then.

    None: there was nothing to do, because the run has ended, is not due, or another worker holds it. Safe to call any
    number of times, from any number of processes. Open runs that stand before it in its stream's line come first.
    """
    stop, pace = stop or Event(), pace or Pace()
    for ahead in runs_ahead(workspace.database, run_id):
        if _execute(workspace, ahead, stop, pace) not in ENDED:
            return None
    return _execute(workspace, run_id, stop, pace)


def _execute(workspace: Workspace, run_id: int, stop: Event, pace: Pace) -> Status | None:
    with around("claim"):
        run = claim(workspace.database, run_id, expiry=pace.lease)
    if run is None:
        return None
    settings = stream_settings(workspace, run.stream.connection, run.stream.name)
    cause = caused_by("sync", connection=run.stream.connection, stream=run.stream.name, run=run.id)
    with cause, lease.kept(workspace.database, run.lease, every=pace.beat) as keeper:
        return _to_its_end(Session(workspace, run, keeper, settings, stop, pace))


def _to_its_end(session: Session) -> Status:
    while True:
        try:
            return _work(session)
        except Exception as error:
            status = _answered(session, error)
            if status is not None:
                return status


def _answered(session: Session, error: Exception) -> Status | None:
    try:
        return faults.answer(session, error)
    except Exception as second:  # a stop while sleeping, a lease lost while writing the end
        return faults.answer(session, second)


def _work(session: Session) -> Status:
    with _opened(session) as opened:
        refetching.follow(session, opened)
        for position in _unread(session, opened):
            _read(session, opened, position)
        deletes.sweep_after_read(session, opened)
        return close(session, opened)


@contextmanager
def _opened(session: Session) -> Iterator[Opened]:
    with around("open"):
        opened = opening.open_source(session)
    try:
        yield opened
    finally:
        opened.connector.close()


def _unread(session: Session, opened: Opened) -> list[Position]:
    if opened.reading.mode is RunMode.HINTED:
        return []
    backfill = opened.reading.mode is RunMode.BACKFILL
    owner = session.run.id if backfill else positions.STREAM_POSITION
    with session.database.hot_reading() as connection:
        return positions.unread(connection, session.stream, owner)


def _read(session: Session, opened: Opened, position: Position) -> None:
    for page in _pages(session, opened, position):
        landed = checkpoint.store(session, opened, position, page)
        position = replace(position, pages=position.pages + 1)
        resolve(session, landed)
        session.check()
    with around("complete"), session.unit_of_work() as connection:
        positions.complete(connection, session.stream, position)


def _pages(session: Session, opened: Opened, position: Position) -> Iterator[Page]:
    lookback = session.settings.lookback
    return opened.connector.read(
        Read(
            stream=session.stream.name,
            mode=Mode(position.reading),
            cursor=position.cursor,
            partition=position.partition,
            resumed=position.resumed,
            since=session.run.since,
            until=session.run.until,
            page_size=session.settings.page_size,
            lookback=None if lookback is None else ceil(lookback),
        )
    )
