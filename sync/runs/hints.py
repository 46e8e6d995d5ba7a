"""What webhooks hint at: kept as rows until a run has read it again.

A webhook is never trusted as data. Its delivery is counted once (vendors deliver at least once), and what it speaks of
stays here until a run has fetched these records, or has read the stream from before the hint to the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from sync.database import upsert
from sync.runs import clock
from sync.runs.tables import hint, hint_delivery

LONGEST_DELIVERY_ID = 200


class Pending(NamedTuple):
    """A hint that nobody has followed yet."""

    id: int
    source_id: str


def new_deliveries(connection: Connection, connection_id: int, delivery_ids: Iterable[str]) -> set[str]:
    """Which of the deliveries are met for the first time; they are remembered from now on."""
    now = clock.now()
    rows = [
        {"connection_id": connection_id, "delivery_id": one, "received_at": now} for one in sorted(set(delivery_ids))
    ]
    if not rows:
        return set()
    statement = (
        upsert(connection, hint_delivery).values(rows).on_conflict_do_nothing().returning(hint_delivery.c.delivery_id)
    )
    return set(connection.execute(statement).scalars())


def keep(connection: Connection, stream_id: int, source_ids: Iterable[str | None]) -> None:
    """Remember what may have changed."""
    now = clock.now()
    rows = [{"stream_id": stream_id, "source_id": one, "received_at": now} for one in dict.fromkeys(source_ids)]
    if rows:
        connection.execute(insert(hint), rows)


def newest(connection: Connection, stream_id: int) -> int:
    """The newest hint of a stream; 0 if there is none."""
    return int(
        connection.execute(
            select(func.coalesce(func.max(hint.c.id), 0)).where(hint.c.stream_id == stream_id)
        ).scalar_one()
    )


def named(connection: Connection, stream_id: int, limit: int) -> list[Pending]:
    """The oldest hints that name their record."""
    rows = connection.execute(
        select(hint.c.id, hint.c.source_id)
        .where(hint.c.stream_id == stream_id, hint.c.source_id.is_not(None))
        .order_by(hint.c.id)
        .limit(limit)
    )
    return [Pending(row.id, row.source_id) for row in rows]


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Their records were read again."""
    connection.execute(delete(hint).where(hint.c.id.in_(ids)))


def forget_covered(connection: Connection, stream_id: int, hinted_to: int | None) -> None:
    """A read that began after these hints has reached its end."""
    if hinted_to:
        connection.execute(delete(hint).where(hint.c.stream_id == stream_id, hint.c.id <= hinted_to))
