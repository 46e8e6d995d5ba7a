"""The delivery log: one row for each attempt, with the beginning of the answer.

What was sent is made again from the change, so that an erased person is gone from here too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from sync.delivery.sending import Outcome
from sync.delivery.tables import webhook_attempt, webhook_notice
from sync.errors import NotFound
from sync.master.identity import public_id
from sync.runs.wording import Wording, packed, storable, unpacked

DELIVERED, FAILED, GIVEN_UP = "delivered", "failed", "given_up"
KEEP = timedelta(days=14)
KEEP_NOTICES = timedelta(days=400)
MOST = 50_000
"""Rows kept of an endpoint."""


class Attempt(NamedTuple):
    """One attempt. ``seq`` and ``customer`` are None for a test."""

    id: int
    endpoint_id: str
    seq: int | None
    customer: str | None
    type: str
    at: datetime
    milliseconds: int
    outcome: str
    attempt: int
    status: int | None
    url: str
    error: Wording | None
    answer: str


def row(
    endpoint_id: str, url: str, seq: int | None, customer_id: int | None, type: str, attempt: int, outcome: Outcome
) -> dict[str, Any]:
    """An attempt as it is stored."""
    error = outcome.error
    return {
        "endpoint_id": endpoint_id,
        "seq": seq,
        "customer_id": customer_id,
        "type": type,
        "at": outcome.at,
        "milliseconds": outcome.milliseconds,
        "outcome": DELIVERED if outcome.delivered else FAILED,
        "attempt": attempt,
        "status": outcome.status,
        "url": url,
        "error": None if error is None else packed(error.template, error.params),
        "answer": storable(outcome.answer),
    }


def note(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to the log."""
    if rows:
        connection.execute(insert(webhook_attempt), list(rows))


def latest(
    connection: Connection, endpoint_id: str, *, outcome: str | None = None, before: int | None = None, limit: int = 50
) -> list[Attempt]:
    """The newest attempts first; only with an outcome if one is named."""
    table = webhook_attempt.c
    statement = select(webhook_attempt).where(table.endpoint_id == endpoint_id)
    if outcome is not None:
        statement = statement.where(table.outcome == outcome)
    if before is not None:
        statement = statement.where(table.id < before)
    return [_view(one) for one in connection.execute(statement.order_by(table.id.desc()).limit(limit))]


def get(connection: Connection, endpoint_id: str, number: int) -> Attempt:
    """One attempt. Raises NotFound."""
    table = webhook_attempt.c
    wanted = select(webhook_attempt).where(table.endpoint_id == endpoint_id, table.id == number)
    found = connection.execute(wanted).one_or_none()
    if found is None:
        raise NotFound("There is no delivery {id}.", id=number, remedy="Old ones are forgotten after 14 days.")
    return _view(found)


def forget_customers(connection: Connection, customer_ids: Collection[int]) -> int:
    """Erase what receivers answered about some customers; answers how many rows."""
    about = webhook_attempt.c.customer_id.in_(list(customer_ids))
    return connection.execute(update(webhook_attempt).where(about).values(answer="", error=None)).rowcount


def forget_old(connection: Connection, now: datetime | None = None) -> None:
    """Delete what is old, or too much."""
    moment, table = now or datetime.now(UTC), webhook_attempt.c
    connection.execute(delete(webhook_attempt).where(table.at < moment - KEEP))
    connection.execute(delete(webhook_notice).where(webhook_notice.c.at < moment - KEEP_NOTICES))
    crowded = select(table.endpoint_id).group_by(table.endpoint_id).having(func.count() > MOST)
    for endpoint_id in connection.execute(crowded).scalars().all():
        newest = select(table.id).where(table.endpoint_id == endpoint_id).order_by(table.id.desc())
        oldest_kept = newest.offset(MOST - 1).limit(1).scalar_subquery()
        connection.execute(delete(webhook_attempt).where(table.endpoint_id == endpoint_id, table.id < oldest_kept))


def _view(found: Any) -> Attempt:
    named = found._asdict()
    number = named.pop("customer_id")
    named["customer"] = None if number is None else public_id(number)
    named["error"] = unpacked(found.error)
    return Attempt(**{name: named[name] for name in Attempt._fields})
