"""Pausing: what does not run, and why, on the row itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, and_, or_, select, update

from sync.errors import Refused
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state
from sync.runs.wording import failure, packed

BY_USER = "paused_by_user"
REMOVED = "removed_from_configuration"
ON_PURPOSE = frozenset({BY_USER, REMOVED})
"""Pauses that a mere request to run does not end."""


class PausedByUser(Refused):
    """Somebody paused it on purpose."""

    code = BY_USER
    default_remedy = "Resume it when it shall run again: `kehu connection resume {name}`."


def pause_connection(connection: Connection, connection_id: int, why: Exception) -> None:
    """No stream of the connection runs until it is resumed."""
    _pause(connection, connections, connection_id, why)


def pause_stream(connection: Connection, stream_id: int, why: Exception) -> None:
    """The stream does not run until it is resumed; the others of its connection do."""
    _pause(connection, stream_state, stream_id, why)


def resume_connection(connection: Connection, connection_id: int) -> bool:
    """Let the connection run again. Answers whether it was paused."""
    return _resume(connection, connections, connection_id)


def resume_stream(connection: Connection, stream_id: int) -> bool:
    """Let the stream run again. Answers whether it was paused."""
    return _resume(connection, stream_state, stream_id)


def on_purpose(connection: Connection) -> set[tuple[str, str]]:
    """The streams that somebody has paused, themselves or with their connection: names of connection and stream."""
    both = connections.join(stream_state, stream_state.c.connection_id == connections.c.id)
    paused = or_(
        *(and_(table.c.state == "paused", table.c.reason_code == BY_USER) for table in (connections, stream_state))
    )
    rows = connection.execute(select(connections.c.name, stream_state.c.name).select_from(both).where(paused))
    return {(row[0], row[1]) for row in rows}


def _pause(connection: Connection, table: Table, row_id: int, why: Exception) -> None:
    found = failure(why)
    values: dict[str, Any] = {"state": "paused", "reason_code": found.code}
    values |= {"reason": packed(*found.message), "remedy": found.remedy}
    connection.execute(update(table).where(table.c.id == row_id).values(**values))


def _resume(connection: Connection, table: Table, row_id: int) -> bool:
    resumed = update(table).where(table.c.id == row_id, table.c.state == "paused")
    values = {"state": "active", "reason_code": None, "reason": None, "remedy": None}
    return connection.execute(resumed.values(**values)).rowcount == 1
