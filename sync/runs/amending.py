"""Repairing quarantine: a value corrected by hand, whole groups by their cause, and taking an "ignore" back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.orm import aliased

from mappings.contract import CompiledMapping, Mapped
from mappings.paths import PathError, parse_path
from sync.errors import Misused, Refused
from sync.master.deriving import unforeseen
from sync.runs import clock
from sync.runs import quarantine as keeping
from sync.runs.replay import Quarantined
from sync.runs.tables import connection as connections
from sync.runs.tables import quarantine, stream_state
from sync.runs.wording import Failure, failure

LONGEST = 400_000


class Group(NamedTuple):
    """The records of a stream that share a cause."""

    connection: str
    stream: str
    code: str
    path: str
    rule: str


class Tried(NamedTuple):
    """What a record would become: customers, or the reason why it becomes none."""

    mapped: tuple[Mapped, ...]
    failure: Failure | None


def newest_of(connection: Connection, group: Group) -> int:
    """The highest number of an open record of a group; 0 for none."""
    statement = _within(select(func.max(quarantine.c.id)), group)
    return int(connection.execute(statement).scalar_one() or 0)


def ids_of(connection: Connection, group: Group, *, upto: int, limit: int) -> list[int]:
    """The open records of a group up to number ``upto``: what somebody saw, and not what came in meanwhile."""
    statement = _within(select(quarantine.c.id), group).where(quarantine.c.id <= upto)
    return list(connection.execute(statement.order_by(quarantine.c.id).limit(limit)).scalars())


def _within(statement: Select[Any], group: Group) -> Select[Any]:
    return (
        statement.join(stream_state, stream_state.c.id == quarantine.c.stream_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .where(
            connections.c.name == group.connection,
            stream_state.c.name == group.stream,
            quarantine.c.code == group.code,
            quarantine.c.path == group.path,
            quarantine.c.rule == group.rule,
            quarantine.c.state == keeping.OPEN,
        )
    )


def reopen(connection: Connection, ids: Sequence[int]) -> int:
    """Records that were ignored stand in quarantine again, unless a newer version of them does. Answers how many."""
    newer = aliased(quarantine)
    again = select(newer.c.id).where(
        newer.c.stream_id == quarantine.c.stream_id,
        newer.c.source_id == quarantine.c.source_id,
        newer.c.state == keeping.OPEN,
    )
    statement = update(quarantine).where(
        quarantine.c.id.in_(ids), quarantine.c.state == keeping.IGNORED, ~again.exists()
    )
    values = {"state": keeping.OPEN, "closed_at": None, "note": None, "last_seen_at": clock.now()}
    return connection.execute(statement.values(**values)).rowcount


def amended(payload: bytes, path: str, value: str) -> bytes:
    """A record with another value at a path of plain names and indexes; an empty text is "no value".

    The value takes the type that the old one had. Raises Misused for a path that leads nowhere.
    """
    record = orjson.loads(payload)
    steps = _steps(path)
    place: Any = record
    try:
        for step in steps[:-1]:
            place = place[step]
        old = place.get(steps[-1]) if isinstance(place, dict) else place[steps[-1]]
        place[steps[-1]] = _typed(value, old)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise _no_such_place(path) from None
    return orjson.dumps(record)


def value_at(payload: bytes, path: str) -> str | None:
    """What stands at a path, as a text to be edited; None where it is no single value that could be."""
    try:
        place: Any = orjson.loads(payload)
        for step in _steps(path):
            place = place.get(step) if isinstance(place, dict) else place[step]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, Misused):
        return None
    if isinstance(place, dict | list):
        return None
    return "" if place is None else place if isinstance(place, str) else orjson.dumps(place).decode()


def checked(text: str) -> bytes:
    """A whole record as somebody has typed it. Raises Misused for what is not one JSON object."""
    with suppress(orjson.JSONDecodeError, UnicodeEncodeError, RecursionError):
        record = orjson.loads(text.encode())
        if isinstance(record, dict) and len(text) <= LONGEST:
            return orjson.dumps(record)
    raise Misused("This is not one JSON object.", remedy="Correct the text; nothing was stored.")


def tried(mapping: CompiledMapping, payload: bytes) -> Tried:
    """What a mapping makes of a record."""
    try:
        return Tried(tuple(mapping(orjson.loads(payload))), None)
    except Exception as error:
        known = hasattr(error, "template")
        return Tried((), failure(error if known else unforeseen(error)))


def store(connection: Connection, record: Quarantined, payload: bytes) -> None:
    """Keep a corrected record in the place of the one that came. Raises Refused if it is no longer open."""
    statement = update(quarantine).where(quarantine.c.id == record.id, quarantine.c.state == keeping.OPEN)
    if not connection.execute(statement.values(payload=payload)).rowcount:
        raise Refused("The record is no longer in quarantine.", remedy="Nothing to do.")


def _steps(path: str) -> list[Any]:
    try:
        parsed = parse_path(path)
    except PathError:
        raise _no_such_place(path) from None
    if not parsed.steps or any(step.kind not in ("name", "index") for step in parsed.steps):
        raise _no_such_place(path)
    return [step.name if step.kind == "name" else step.index for step in parsed.steps]


def _typed(value: str, old: Any) -> Any:
    if value == "":
        return None
    if isinstance(old, bool | int | float):
        with suppress(orjson.JSONDecodeError):
            found = orjson.loads(value)
            if isinstance(found, bool | int | float):
                return found
    return value


def _no_such_place(path: str) -> Misused:
    return Misused("There is no single value at {path}.", path=path[:200], remedy="Correct the whole record instead.")
