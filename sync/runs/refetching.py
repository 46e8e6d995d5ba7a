"""Following hints: the records that webhooks spoke of, read again one batch after the other."""

from __future__ import annotations

from connectors.contract import Page
from sync.runs import checkpoint, hints
from sync.runs.hints import Pending
from sync.runs.inbound import can_fetch
from sync.runs.resolving import resolve
from sync.runs.session import Opened, Session
from sync.runs.states import RunMode

AT_ONCE = 100
"""So many records are asked for together."""


def follow(session: Session, opened: Opened) -> None:
    """Fetch what hints name, before anything else is read: somebody has just changed it. Commits batch by batch.

    Where single records cannot be asked for, the read that follows finds them.
    """
    if opened.reading.mode not in (RunMode.HINTED, RunMode.INCREMENTAL) or not can_fetch(opened.connector):
        return
    while batch := _next(session):
        page = _fetched(session, opened, batch)
        if page is None:
            return
        resolve(session, checkpoint.store_apart(session, opened, page, [one.id for one in batch]))
        session.check()


def _next(session: Session) -> list[Pending]:
    with session.database.hot_reading() as connection:
        return hints.named(connection, session.stream.id, AT_ONCE)


def _fetched(session: Session, opened: Opened, batch: list[Pending]) -> Page | None:
    keys = list(dict.fromkeys(one.source_id for one in batch))
    try:
        return opened.connector.fetch(session.stream.name, keys)
    except NotImplementedError:  # other streams of this connection can be asked
        return None
