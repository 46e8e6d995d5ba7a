"""Pausing and resuming by people, and accepting what changed at a source."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from connectors.errors import SchemaDrift
from sync import audit
from sync.errors import NotFound
from sync.runs import drift, pauses
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state
from sync.runs.wording import Wording, unpacked


class Paused(NamedTuple):
    """Why something does not run."""

    code: str
    reason: Wording
    remedy: Wording


def pause_connection(connection: Connection, name: str) -> None:
    """No stream of the connection runs until somebody resumes it; a running one stops at its next start."""
    pauses.pause_connection(connection, _connection_id(connection, name), _by_user(name))
    audit.record(connection, audit.actor(), "connection.paused", f"connection:{name}")


def resume_connection(connection: Connection, name: str) -> bool:
    """Let it run again, and those of its streams that a fault had paused. Answers whether anything was paused."""
    connection_id = _connection_id(connection, name)
    resumed = pauses.resume_connection(connection, connection_id)
    for row in connection.execute(
        select(stream_state.c.id, stream_state.c.reason_code).where(
            stream_state.c.connection_id == connection_id, stream_state.c.state == "paused"
        )
    ).all():
        if row.reason_code not in pauses.ON_PURPOSE:
            resumed = pauses.resume_stream(connection, row.id) or resumed
    if resumed:
        audit.record(connection, audit.actor(), "connection.resumed", f"connection:{name}")
    return resumed


def pause_stream(connection: Connection, stream_id: int, name: str) -> None:
    """The stream does not run until somebody resumes it; the others of its connection do."""
    pauses.pause_stream(connection, stream_id, _by_user(name))
    audit.record(connection, audit.actor(), "stream.paused", f"stream:{name}")


def resume_stream(connection: Connection, stream_id: int) -> bool:
    """Let the stream run again. Answers whether it was paused."""
    resumed = pauses.resume_stream(connection, stream_id)
    if resumed:
        audit.record(connection, audit.actor(), "stream.resumed", f"stream:{stream_id}")
    return resumed


def why_paused(row: Any) -> Paused | None:
    """The reason on a row of ``connection`` or ``stream_state``; None if it is not paused."""
    if row.state != "paused":
        return None
    reason = unpacked(row.reason) or Wording("", {})
    return Paused(row.reason_code or "", reason, Wording(row.remedy or "", reason.params))


def accept_schema(connection: Connection, name: str) -> int:
    """The changed fields of the connection's streams are right: learn them anew and go on. Answers how many streams."""
    connection_id = _connection_id(connection, name)
    stopped = connection.execute(
        select(stream_state.c.id).where(
            stream_state.c.connection_id == connection_id, stream_state.c.reason_code == SchemaDrift.code
        )
    ).scalars()
    accepted = list(stopped)
    for stream_id in accepted:
        drift.accept(connection, stream_id)
        pauses.resume_stream(connection, stream_id)
    if accepted:
        details = {"streams": len(accepted)}
        audit.record(connection, audit.actor(), "connection.schema_accepted", f"connection:{name}", details)
    return len(accepted)


def _connection_id(connection: Connection, name: str) -> int:
    found = connection.execute(select(connections.c.id).where(connections.c.name == name)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no connection {name}.", name=name[:80])
    return int(found)


def _by_user(name: str) -> pauses.PausedByUser:
    return pauses.PausedByUser("{name} was paused by hand.", name=name)
