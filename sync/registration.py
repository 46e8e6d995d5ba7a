"""Bringing ``kehu.yaml`` into the tables: connections, streams and schedules, numbered in the order first configured.

Nothing is ever deleted here: what was taken out of the file is marked, keeps its number and its records, and comes
back to life when it is written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, text, update

from connectors.errors import ConnectorError
from mappings.fingerprint import DERIVATION
from sync.master.tables import match_state
from sync.runs.pauses import REMOVED
from sync.runs.schedules import set_schedule
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state

if TYPE_CHECKING:
    from sync.project import Project

_LOCK = 0x6B656875  # "kehu": serialises registrations, so that numbers follow the file's order


def register(project: Project, connection: Connection) -> None:
    """Upsert the rows of everything configured; idempotent, safe to run from several processes at once."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for name, settings in project.settings.connections.items():
        number = _register_connection(connection, name, settings.connector)
        _register_streams(project, connection, name, number)
    _mark_removed(connection, set(project.settings.connections))
    _register_model(project, connection)


def _register_model(project: Project, connection: Connection) -> None:
    """A new master begins with the match model that kehu.yaml names; one that exists keeps what it has.

    What was derived by an older program is derived anew, by whoever works on switches.
    """
    known = connection.execute(select(match_state.c.derivation)).first()
    if known is None:
        from sync.matching import store  # loads all that matches

        store.ensure(connection, project.settings.matching.model)
    elif (known.derivation or 0) < DERIVATION:
        from sync.matching import switching

        switching.follow_program(connection)


def _register_connection(connection: Connection, name: str, connector: str) -> int:
    row = connection.execute(
        select(connections.c.id, connections.c.connector, connections.c.removed_at).where(connections.c.name == name)
    ).one_or_none()
    if row is None:
        values = {"name": name, "connector": connector, "created_at": datetime.now(UTC)}
        made = connection.execute(insert(connections).values(values).returning(connections.c.id))
        return int(made.scalar_one())
    if row.connector != connector or row.removed_at is not None:
        connection.execute(
            update(connections).where(connections.c.id == row.id).values(connector=connector, removed_at=None)
        )
    return int(row.id)


def _register_streams(project: Project, connection: Connection, name: str, number: int) -> None:
    known = _known_streams(connection, number)
    try:
        wanted = project.streams(name)
    except ConnectorError:  # a broken plugin: its streams stay as they are until it is repaired
        return
    settings = project.connection(name)
    for stream in wanted:
        stream_id = _register_stream(connection, number, stream, settings.priority_of(stream), known.get(stream))
        set_schedule(connection, stream_id, settings.every_of(stream))
    for stream in set(known) - set(wanted):
        _retire_stream(connection, known[stream])


def _known_streams(connection: Connection, number: int) -> dict[str, Mapping[str, Any]]:
    columns = stream_state.c
    rows = connection.execute(
        select(columns.id, columns.name, columns.priority, columns.state, columns.reason_code).where(
            columns.connection_id == number
        )
    )
    return {row["name"]: dict(row) for row in rows.mappings()}


def _register_stream(
    connection: Connection, number: int, name: str, priority: int, known: Mapping[str, Any] | None
) -> int:
    if known is None:
        values = {"connection_id": number, "name": name, "priority": priority}
        made = connection.execute(insert(stream_state).values(values).returning(stream_state.c.id))
        return int(made.scalar_one())
    changes: dict[str, Any] = {}
    if known["priority"] != priority:
        changes["priority"] = priority
    if known["reason_code"] == REMOVED:
        changes |= {"state": "active", "reason_code": None, "reason": None, "remedy": None}
    if changes:
        connection.execute(update(stream_state).where(stream_state.c.id == known["id"]).values(changes))
    return int(known["id"])


def _retire_stream(connection: Connection, known: Mapping[str, Any]) -> None:
    """Not synced any more; its records stay until a human decides otherwise."""
    set_schedule(connection, known["id"], None)
    if known["state"] == "active":
        connection.execute(
            update(stream_state)
            .where(stream_state.c.id == known["id"])
            .values(
                state="paused",
                reason_code=REMOVED,
                reason='{"template": "This stream is no longer in kehu.yaml.", "params": {}}',
                remedy="Write it into kehu.yaml again to go on; its records stay meanwhile.",
            )
        )


def _mark_removed(connection: Connection, configured: set[str]) -> None:
    rows = connection.execute(select(connections.c.id, connections.c.name).where(connections.c.removed_at.is_(None)))
    for number, name in rows.all():
        if name in configured:
            continue
        for known in _known_streams(connection, number).values():
            _retire_stream(connection, known)
        connection.execute(update(connections).where(connections.c.id == number).values(removed_at=datetime.now(UTC)))
