"""From what is wrong now to what people are to be told: one notice a change of state, however often it is looked.

A state is told when it has been so for the set time; what comes and goes in between is told by nobody. Everything is
in the database: a restart repeats nothing and forgets nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from sync.alerts import conditions
from sync.alerts.conditions import Condition
from sync.alerts.tables import alert_notice, alert_state
from sync.settings import AlertSettings

_LOCK = 0x6B6568755F616C  # "kehu_al"


def channels(settings: AlertSettings) -> list[str]:
    """Where notices go."""
    given = {"webhook": settings.webhook, "email": settings.email}
    return [name for name, channel in given.items() if channel is not None]


def judge(connection: Connection, settings: AlertSettings, now: datetime) -> int:
    """Look at everything; answers how many notices were written for each channel."""
    if connection.dialect.name == "postgresql":  # of several that look at the same time one does; SQLite has its lock
        mine = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar_one()
        if not mine:
            return 0
    rows = {(row.kind, row.subject): row for row in connection.execute(select(alert_state))}
    found = {one.key: one for one in conditions.look(connection, settings)}
    gone = [Condition(*key, False) for key in rows.keys() - found.keys()]  # taken out of the configuration
    told = 0
    for one in [*found.values(), *gone]:
        told += _one(connection, settings, rows.get(one.key), one, now)
    _forget(connection, gone, rows)
    return told


def _one(connection: Connection, settings: AlertSettings, row: Any, one: Condition, now: datetime) -> int:
    if row is None:
        if not one.wrong:
            return 0
        values = {"wrong": True, "since": now, "told": False, "text": one.text, "remedy": one.remedy}
        connection.execute(insert(alert_state).values(kind=one.kind, subject=one.subject, **values))
        since, told = now, False
    else:
        since, told = (row.since if row.wrong == one.wrong else now), row.told
        if row.wrong != one.wrong or (one.wrong and not told and (row.text, row.remedy) != (one.text, one.remedy)):
            _update(connection, one, wrong=one.wrong, since=since, **_why(one))
    if one.wrong == told or now - since < timedelta(seconds=settings.settle):
        return 0
    _update(connection, one, told=one.wrong, told_at=now)
    notify(connection, channels(settings), one, now)
    return 1


def notify(connection: Connection, names: Sequence[str], one: Condition, now: datetime) -> None:
    """Put a notice into the outbox of each channel."""
    for name in names:
        connection.execute(
            insert(alert_notice).values(
                channel=name,
                kind=one.kind,
                subject=one.subject,
                recovered=not one.wrong,
                text=one.text,
                remedy=one.remedy or None,
                at=now,
                next_at=now.timestamp(),
                state="due",
            )
        )


def _why(one: Condition) -> dict[str, str | None]:
    return {"text": one.text or None, "remedy": one.remedy or None} if one.wrong else {}


def _update(connection: Connection, one: Condition, **values: Any) -> None:
    mine = (alert_state.c.kind == one.kind) & (alert_state.c.subject == one.subject)
    connection.execute(update(alert_state).where(mine).values(**values))


def _forget(connection: Connection, gone: Sequence[Condition], rows: dict[tuple[str, str], Any]) -> None:
    """What is no longer configured, and of which nobody was told anything that would still hold."""
    for one in gone:
        if not rows[one.key].told:
            mine = (alert_state.c.kind == one.kind) & (alert_state.c.subject == one.subject)
            connection.execute(delete(alert_state).where(mine))
