"""Sweep: after a complete read, what was not seen no longer exists at the source. With a brake.

A read that would delete more than the set share of a stream (and more than a few records) deletes nothing: the stream
is paused until a human has looked, because the usual cause is a wrong filter or a half-empty answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from sync.errors import Refused
from sync.master import landing
from sync.master.landing import Landed
from sync.master.records import unpack_ids
from sync.runs import clock, positions, quarantine
from sync.runs.checkpoint import count
from sync.runs.failpoints import around
from sync.runs.resolving import resolve
from sync.runs.session import Session
from sync.runs.tables import seen_page, stream_state

BATCH = 1_000


class SweepRefused(Refused):
    """The brake: too many records would be deleted."""

    code = "sweep_refused"
    default_remedy = (
        "Check in {connection} whether they are really gone. If so: "
        "`kehu sync run {connection}.{stream} --accept-deletes`; if not, correct the connection and run it again."
    )


def unseen(connection: Connection, session: Session, generation: int) -> tuple[list[int], int]:
    """The live records that the full read did not see, and how many live ones there are."""
    import numpy as np  # only here: loading it costs every other run 60 ms

    pages = connection.execute(
        select(seen_page.c.record_ids).where(
            seen_page.c.stream_id == session.stream.id, seen_page.c.generation == generation
        )
    ).scalars()
    parts = [unpack_ids(page) for page in pages]
    seen = np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
    live = landing.live_ids(connection, session.stream)
    return np.setdiff1d(live, seen, assume_unique=True).tolist(), len(live)


def brake(session: Session, missing: int, live: int) -> None:
    """Raise SweepRefused if deleting ``missing`` of ``live`` records needs a human's word that was not given."""
    limits, accepted = session.settings.deletes, session.run.accepted_deletes or 0
    if missing <= max(limits.brake_from, accepted) or missing <= limits.brake * live:
        return
    raise SweepRefused(
        "{missing} of {live} records are gone at the source; that many are not deleted without a human's word.",
        missing=missing,
        live=live,
        connection=session.stream.connection,
        stream=session.stream.name,
    )


def delete_missing(session: Session, missing: Sequence[int]) -> None:
    """Delete in batches, each committed with its counters. After a crash the rest is still missing."""
    for start in range(0, len(missing), BATCH):
        session.check()
        with around("sweep"):
            landed = _delete_batch(session, missing[start : start + BATCH])
        resolve(session, landed)


def close_generation(session: Session, generation: int) -> None:
    """The full read is over: forget what was seen, close quarantine that the source no longer has. Commits."""
    with session.unit_of_work() as connection:
        began = connection.execute(
            select(stream_state.c.full_began_at).where(stream_state.c.id == session.stream.id)
        ).scalar_one()
        if began is not None:
            quarantine.resolve_unseen(connection, session.stream.id, began)
        positions.close_generation(connection, session.stream, generation)


def _delete_batch(session: Session, ids: Sequence[int]) -> Landed:
    with session.unit_of_work() as connection:
        landed = landing.delete(connection, session.stream, ids, session.matcher, now=clock.now())
        quarantine.resolve(
            connection, session.stream.id, session.open_quarantine.intersection(landed.accepted), "gone at the source"
        )
        count(session, connection, landed.counts, pages=0)
    return landed
