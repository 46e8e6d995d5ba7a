"""When a master's first load is over, so that a version can be learnt from it. Loads no matching code."""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, select

from sync.database import Database
from sync.master.tables import match_model, match_state, match_switch, source_record
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state

FIRST_LOAD, FOLLOW, ASK, NEVER = "first-load", "follow", "ask", "never"
CALIBRATED = "calibrated"
LEAST = 100
"""Fewer records teach nothing about frequencies (``mappings.matching.calibrate.LEAST``)."""
ENOUGH = 100_000
"""From so many records on the first load counts as over although streams are still being read."""


def is_due(database: Database) -> bool:
    """Whether the first load is over, and the master still has but the shipped model."""
    with database.hot_reading() as connection:
        if not nothing_learnt(connection):
            return False
    with database.reading() as connection:
        return nothing_learnt(connection) and _loaded(connection)


def live_records(connection: Connection) -> int:
    """How many records there are to learn from."""
    live = select(func.count()).where(source_record.c.deleted_at.is_(None), source_record.c.features.is_not(None))
    return int(connection.execute(live).scalar_one())


def nothing_learnt(connection: Connection) -> bool:
    """Whether the shipped model is in force and nothing else was ever learnt, imported or switched to."""
    learnt = select(exists().where(match_model.c.origin.in_((CALIBRATED, "trained", "imported"))))
    switched = select(exists().where(match_switch.c.from_version.is_distinct_from(match_switch.c.to_version)))
    if connection.execute(learnt).scalar_one() or connection.execute(switched).scalar_one():
        return False
    shipped = select(match_model.c.id).join(match_state, match_state.c.active == match_model.c.id)
    return connection.execute(shipped.where(match_model.c.origin == "default")).first() is not None


def in_force(connection: Connection) -> bool:
    """Whether any version is in force: not before the project's first registration."""
    return connection.execute(select(match_state.c.id)).first() is not None


def _loaded(connection: Connection) -> bool:
    unread = exists().where(
        stream_state.c.connection_id == connections.c.id,
        stream_state.c.state == "active",
        connections.c.state == "active",
        connections.c.removed_at.is_(None),
        stream_state.c.succeeded_at.is_(None),
    )
    if connection.execute(select(unread)).scalar_one():
        return live_records(connection) >= ENOUGH
    return live_records(connection) >= LEAST
