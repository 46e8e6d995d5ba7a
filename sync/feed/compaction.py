"""How long changes are kept: all of them for a time (`changes: keep:`, 90 days), then only the last of each customer.

``change_floor`` in ``counter`` is the last change that was compacted. It is advanced in the transaction that deletes,
so that a reader either reads without gaps or is told that its token has expired. Nothing is compacted that the search
index or an active endpoint of webhooks has still to read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.database import Database
from sync.feed import tokens
from sync.master.bulk import Bulk, bulk_for

KEEP = timedelta(days=90)
BATCH = 5_000


def compact(database: Database, keep: timedelta = KEEP, now: datetime | None = None) -> int:
    """Compact what is old enough, a batch at a time, each in a transaction of its own; answers how many rows went."""
    before = (now or datetime.now(UTC)) - keep
    gone = 0
    while True:
        with database.transaction() as connection:
            deleted = _batch(bulk_for(connection), before)
        if deleted is None:
            return gone
        gone += deleted


def _batch(bulk: Bulk, before: datetime) -> int | None:
    bulk.run("INSERT INTO counter (name, value) VALUES (?, 0) ON CONFLICT (name) DO NOTHING", tokens.FLOOR)
    lock = " FOR UPDATE" if bulk.is_postgres else ""
    floor = bulk.fetch(f"SELECT value FROM counter WHERE name = ?{lock}", tokens.FLOOR)[0][0]  # noqa: S608
    last = _last_old(bulk, floor, min(_still_needed(bulk), floor + BATCH), before)
    if last is None:
        return None
    touched = [
        row[0] for row in bulk.fetch("SELECT DISTINCT customer_id FROM change WHERE seq > ? AND seq <= ?", floor, last)
    ]
    deleted = bulk.run(
        "DELETE FROM change WHERE customer_id {ints} AND seq <= ? "
        "AND seq < (SELECT max(later.seq) FROM change later WHERE later.customer_id = change.customer_id)",
        touched,
        last,
    )
    bulk.run("UPDATE counter SET value = ? WHERE name = ?", last, tokens.FLOOR)
    return deleted


def _last_old(bulk: Bulk, floor: int, end: int, before: datetime) -> int | None:
    """The last of the changes after the floor that are all old; None if not even the first is."""
    young = bulk.fetch(
        "SELECT min(seq) FROM change WHERE seq > ? AND seq <= ? AND at >= ?", floor, end, bulk.instant(before)
    )[0][0]
    last = bulk.fetch("SELECT max(seq) FROM change WHERE seq > ? AND seq <= ?", floor, end)[0][0]
    if last is None or young is None:
        return None if last is None else int(last)
    return young - 1 if young - 1 > floor else None


def _still_needed(bulk: Bulk) -> int:
    """Everything up to this change has been read by those who follow the feed inside of the program."""
    readers = bulk.fetch(
        "SELECT coalesce((SELECT value FROM counter WHERE name = 'search'), 0) UNION ALL "
        "SELECT position FROM webhook_endpoint WHERE state = 'active' UNION ALL "
        "SELECT min(d.seq) - 1 FROM webhook_due d JOIN webhook_endpoint e ON e.id = d.endpoint_id "
        "WHERE e.state = 'active' HAVING count(*) > 0"
    )
    return min((row[0] for row in readers), default=1 << 62)
