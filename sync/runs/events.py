"""What a run has to tell: its last two hundred remarks, always in the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from sync.runs import clock
from sync.runs.states import Level
from sync.runs.tables import run_event
from sync.runs.wording import Wording, packed, unpacked

KEPT = 200


class Event(NamedTuple):
    """One remark of a run."""

    id: int
    at: Any
    level: Level
    text: Wording


def add(connection: Connection, run_id: int, level: Level, template: str, /, **params: Any) -> None:
    """Note something in the transaction in which it happens; the oldest beyond ``KEPT`` go."""
    row = {"run_id": run_id, "at": clock.now(), "level": level.value, "text": packed(template, params)}
    connection.execute(insert(run_event).values(**row))
    oldest_kept = (
        select(run_event.c.id)
        .where(run_event.c.run_id == run_id)
        .order_by(run_event.c.id.desc())
        .offset(KEPT - 1)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(delete(run_event).where(run_event.c.run_id == run_id, run_event.c.id < oldest_kept))


def of_run(connection: Connection, run_id: int, *, after_id: int = 0) -> list[Event]:
    """The remarks of a run in their order, those after ``after_id``."""
    rows = connection.execute(
        select(run_event.c.id, run_event.c.at, run_event.c.level, run_event.c.text)
        .where(run_event.c.run_id == run_id, run_event.c.id > after_id)
        .order_by(run_event.c.id)
    )
    return [Event(row.id, row.at, Level(row.level), unpacked(row.text) or Wording("", {})) for row in rows]
