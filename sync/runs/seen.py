"""What an open full read must count as seen although none of its pages held it."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from sync.master.streams import StreamRef
from sync.runs.tables import seen_page, stream_state

APART = "\x1fapart"
"""The partition under which such records are noted; no connector's partition bears this name."""


def remember_apart(connection: Connection, stream: StreamRef, seen: bytes) -> None:
    """Records landed beside a full read (a replay, a webhook's hint) exist: the read's sweep must not delete them."""
    row = connection.execute(
        select(stream_state.c.generation, stream_state.c.closed_generation).where(stream_state.c.id == stream.id)
    ).one()
    if not seen or row.generation <= row.closed_generation:
        return
    mine = (seen_page.c.stream_id == stream.id) & (seen_page.c.partition == APART)
    number = connection.execute(select(func.coalesce(func.max(seen_page.c.page), 0) + 1).where(mine)).scalar_one()
    connection.execute(
        insert(seen_page).values(
            stream_id=stream.id, generation=row.generation, partition=APART, page=number, record_ids=seen
        )
    )
