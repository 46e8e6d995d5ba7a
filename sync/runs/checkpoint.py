"""Land and checkpoint: one page, one transaction.

Source records, quarantine, what was seen, cursor, counters and the proof that the lease is still ours are committed
together, so the cursor never passes a record that is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from connectors.contract import Page
from sync.errors import SyncError
from sync.master import landing
from sync.master.bulk import bulk_for
from sync.master.landing import Counts, Landed
from sync.master.records import pack_ids
from sync.runs import clock, doubts, events, hints, lease, quarantine, seen, unforeseen
from sync.runs.failpoints import around, reach
from sync.runs.positions import Position
from sync.runs.resolving import announce
from sync.runs.session import Opened, Session
from sync.runs.states import Level


class CountsWrong(SyncError):
    """The engine lost count: a fault of the program, and never to be passed over."""

    code = "counts_wrong"
    default_remedy = "Report this with the run's log. Nothing of the page was stored."


_SAVE_CURSOR = (
    "UPDATE stream_cursor SET cursor = ?, pages = pages + 1, updated_at = ? "
    "WHERE stream_id = ? AND run_id = ? AND partition = ?"
)
_COUNT = (
    "UPDATE sync_run SET pages = pages + ?, ignored = ignored + ?, expected = coalesce(?, expected), "  # noqa: S608 - ours
    f"{', '.join(f'{name} = {name} + ?' for name in Counts._fields)}, "
    "attempts = 1, retries = 0, error_code = NULL, error = NULL, remedy = NULL "
    "WHERE id = ? RETURNING cancel_requested"
)
_SAW = "INSERT INTO seen_page (stream_id, generation, partition, page, record_ids) VALUES (?, ?, ?, ?, ?)"


def store(session: Session, opened: Opened, position: Position, page: Page) -> Landed:
    """Land one page and move the cursor behind it; commits.

    ``position.pages`` counts the pages of this read stored before this one. Raises LeaseLost, CountsWrong,
    ProgramFault or SchemaDrift; then nothing of the page is stored.
    """
    with session.database.hot_transaction() as connection:
        landed = _land(session, opened, connection, page)
        with around("checkpoint"):
            if opened.reading.keeps_seen:
                _remember_seen(session, opened, connection, position, page, landed)
            _save_cursor(session, connection, position, page)
            ignored = _quarantine(session, connection, landed)
            count(session, connection, landed.counts, ignored=ignored, expected=page.total)
        with around("beat"):
            lease.renew(connection, session.run.lease)
        announce(session, connection, landed)
        reach("commit:before")
    session.database_faults = 0
    reach("commit:after")
    return landed


def store_apart(session: Session, opened: Opened, page: Page, hint_ids: Sequence[int]) -> Landed:
    """Land records that were fetched for hints, in no cursor's way, and forget the hints; commits.

    Raises what ``store`` raises; then nothing is stored.
    """
    with session.database.hot_transaction() as connection:
        landed = _land(session, opened, connection, page)
        seen.remember_apart(connection, session.stream, landed.seen)
        ignored = _quarantine(session, connection, landed)
        count(session, connection, landed.counts, ignored=ignored)
        hints.forget(connection, hint_ids)
        lease.renew(connection, session.run.lease)
        announce(session, connection, landed)
    session.database_faults = 0
    return landed


def count(
    session: Session,
    connection: Connection,
    counts: Counts,
    *,
    pages: int = 1,
    ignored: int = 0,
    expected: int | None = None,
) -> None:
    """Add to the run's counters, and learn whether somebody has asked to cancel. Raises CountsWrong."""
    if not counts.adds_up():
        raise CountsWrong("The counts of a page do not add up: {counts}.", counts=str(counts))
    rows = bulk_for(connection).fetch(_COUNT, pages, ignored, expected, *counts, session.run.id)
    session.cancelled = bool(rows[0][0])


def _land(session: Session, opened: Opened, connection: Connection, page: Page) -> Landed:
    if session.open_quarantine:
        met = session.open_quarantine.intersection(record.key for record in page.records)
        quarantine.lock(connection, session.stream.id, met)
    with around("land"):
        landed = landing.land(connection, session.stream, page, opened.mapping, session.matcher, now=clock.now())
        _look_for_drift(session, opened, connection, page, landed)
        unforeseen.check(landed, landed.counts.created + landed.counts.updated + landed.counts.quarantined)
    return landed


def _look_for_drift(session: Session, opened: Opened, connection: Connection, page: Page, landed: Landed) -> None:
    if session.shape is None:
        return
    added = session.shape.check(connection, opened.mapping, page, landed)
    if added:
        fields = ", ".join(added[:20])
        events.add(connection, session.run.id, Level.INFO, "New fields at the source: {fields}.", fields=fields)


def _save_cursor(session: Session, connection: Connection, position: Position, page: Page) -> None:
    bulk, cursor = bulk_for(connection), orjson.dumps(dict(page.cursor)).decode()
    now = bulk.instant(clock.now())
    bulk.later(_SAVE_CURSOR, cursor, now, session.stream.id, position.owner, position.partition)


def _remember_seen(
    session: Session, opened: Opened, connection: Connection, position: Position, page: Page, landed: Landed
) -> None:
    seen = landed.seen
    if page.rejected:
        known = quarantine.known_ids(connection, session.stream.id, [bad.key for bad in page.rejected])
        seen += pack_ids(known)
        doubtful = {bad.key for bad in page.rejected if not (bad.key and bad.identified)}
        known = quarantine.known_ids(connection, session.stream.id, doubtful)
        doubts.add(connection, session.stream.id, opened.reading.generation, len(doubtful) - len(known))
    if seen:
        of = (session.stream.id, opened.reading.generation, position.partition, position.pages)
        bulk_for(connection).later(_SAW, *of, seen)


def _quarantine(session: Session, connection: Connection, landed: Landed) -> int:
    """Keep what was rejected, close what landed after all. Answers how many rejected records are to be ignored."""
    stream_id, held = session.stream.id, session.open_quarantine
    if held:
        landed_after_all = held.intersection(landed.accepted)
        quarantine.resolve(connection, stream_id, landed_after_all, "landed")
        held -= landed_after_all
    if not landed.rejections:
        return 0
    held.update(quarantine.key_of(rejection) for rejection in landed.rejections)
    return quarantine.keep(connection, stream_id, session.run.id, landed.rejections)
