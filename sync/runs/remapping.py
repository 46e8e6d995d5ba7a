"""When a mapping changed, what is stored is derived again from the raw bodies, before anything new is read."""

from __future__ import annotations

from sqlalchemy import select, update

from mappings.contract import CompiledMapping
from sync.master import landing
from sync.runs import clock, events, quarantine, unforeseen
from sync.runs.resolving import resolve
from sync.runs.session import Session
from sync.runs.states import Level
from sync.runs.tables import stream_state

BATCH = 1_000


def followed(session: Session) -> str | None:
    """The fingerprint of the mapping by which all stored records were derived; None while there are none."""
    with session.database.hot_reading() as connection:
        found: str | None = connection.execute(
            select(stream_state.c.mapping_fingerprint).where(stream_state.c.id == session.stream.id)
        ).scalar_one()
    return found


def follow(session: Session, mapping: CompiledMapping, known: str | None) -> None:
    """Bring what was derived by the ``known`` mapping up to this one, batch by batch; commits.

    Repeating it after a crash is harmless.
    """
    if known == mapping.fingerprint:
        return
    if known is not None:
        _derive_all(session, mapping)
    with session.unit_of_work() as connection:
        connection.execute(
            update(stream_state)
            .where(stream_state.c.id == session.stream.id)
            .values(mapping_fingerprint=mapping.fingerprint)
        )


def _derive_all(session: Session, mapping: CompiledMapping) -> None:
    changed, after = 0, 0
    while True:
        updated, following = _derive_batch(session, mapping, after)
        changed += updated
        session.check()
        if following is None:
            break
        after = following
    with session.unit_of_work() as connection:
        events.add(
            connection,
            session.run.id,
            Level.INFO,
            "The mapping has changed: {changed} stored records were derived again.",
            changed=changed,
        )


def _derive_batch(session: Session, mapping: CompiledMapping, after: int) -> tuple[int, int | None]:
    matcher = session.workspace.matcher
    with session.unit_of_work() as connection:
        landed, following = landing.remap(
            connection, session.stream, mapping, matcher, after_id=after, limit=BATCH, now=clock.now()
        )
        unforeseen.check(landed, landed.counts.read)
        quarantine.keep(connection, session.stream.id, session.run.id, landed.rejections)
    resolve(session, landed)
    return landed.counts.updated, following
