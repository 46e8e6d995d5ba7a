"""Quarantine for people: what is in it and why, and what can be done about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, func, select, update

from connectors.contract import Page, Record
from connectors.errors import RecordRejected
from mappings.contract import CompiledMapping
from mappings.errors import RecordInvalid
from sync.errors import NotFound
from sync.master import landing, resolving, streams
from sync.master.cause import caused_by
from sync.master.deriving import unforeseen
from sync.master.landing import Landed
from sync.master.streams import StreamRef
from sync.runs import clock, seen
from sync.runs import quarantine as keeping
from sync.runs.tables import connection as connections
from sync.runs.tables import quarantine, stream_state
from sync.runs.wording import Failure, Wording, failure, unpacked
from sync.runs.workspace import Workspace

TOGETHER = 200
IGNORED_TOGETHER = 5_000
"""No database takes any number of parameters in a statement."""


class Cause(NamedTuple):
    """One reason for which records of a stream stand in quarantine, and how many."""

    connection: str
    stream: str
    code: str
    path: str
    rule: str
    records: int
    first_seen_at: datetime
    last_seen_at: datetime
    example_id: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One record in quarantine. ``payload`` is the record as it came, readable or not."""

    id: int
    connection: str
    stream: str
    stream_id: int
    source_id: str
    state: str
    code: str
    path: str
    value: str
    rule: str
    message: Wording
    remedy: Wording
    payload: bytes
    attempts: int
    run_id: int | None
    first_seen_at: datetime
    last_seen_at: datetime
    note: str | None


class Replayed(NamedTuple):
    """What became of one replayed record: ``failure`` is None if it landed (or would land)."""

    id: int
    source_id: str
    failure: Failure | None


def causes(connection: Connection, *, stream_ids: Collection[int] | None = None) -> list[Cause]:
    """What stands in quarantine, grouped by stream, rule and field; the most frequent first."""
    columns = (connections.c.name, stream_state.c.name, quarantine.c.code, quarantine.c.path, quarantine.c.rule)
    statement = (
        select(
            *columns,
            func.count(),
            func.min(quarantine.c.first_seen_at),
            func.max(quarantine.c.last_seen_at),
            func.min(quarantine.c.id),
        )
        .join(stream_state, stream_state.c.id == quarantine.c.stream_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .where(quarantine.c.state == keeping.OPEN)
        .group_by(*columns)
        .order_by(func.count().desc(), func.min(quarantine.c.id))
    )
    if stream_ids is not None:
        statement = statement.where(quarantine.c.stream_id.in_(stream_ids))
    return [Cause(*row) for row in connection.execute(statement)]


def records(
    connection: Connection,
    *,
    stream_ids: Collection[int] | None = None,
    code: str | None = None,
    path: str | None = None,
    rule: str | None = None,
    state: str | None = keeping.OPEN,
    after_id: int = 0,
    limit: int = 50,
) -> list[Quarantined]:
    """Records in quarantine, oldest first, after ``after_id``; all filters must fit."""
    statement = _records().where(quarantine.c.id > after_id).order_by(quarantine.c.id).limit(limit)
    wanted = {quarantine.c.code: code, quarantine.c.path: path, quarantine.c.rule: rule, quarantine.c.state: state}
    for column, value in wanted.items():
        if value is not None:
            statement = statement.where(column == value)
    if stream_ids is not None:
        statement = statement.where(quarantine.c.stream_id.in_(stream_ids))
    return [_view(row) for row in connection.execute(statement)]


def open_ids(
    connection: Connection, *, stream_ids: Collection[int] | None = None, path: str | None = None, limit: int
) -> list[int]:
    """The numbers of open records, oldest first, without what stands in them."""
    statement = select(quarantine.c.id).where(quarantine.c.state == keeping.OPEN).order_by(quarantine.c.id).limit(limit)
    if path is not None:
        statement = statement.where(quarantine.c.path == path)
    if stream_ids is not None:
        statement = statement.where(quarantine.c.stream_id.in_(stream_ids))
    return list(connection.execute(statement).scalars())


def show(connection: Connection, quarantine_id: int) -> Quarantined:
    """One record in quarantine. Raises NotFound."""
    row = connection.execute(_records().where(quarantine.c.id == quarantine_id)).one_or_none()
    if row is None:
        raise NotFound(
            "There is no record {record} in quarantine.", record=quarantine_id, remedy="See `kehu quarantine list`."
        )
    return _view(row)


def ignore(connection: Connection, ids: Collection[int], note: str = "") -> int:
    """These records are to stay out for as long as they come with the same content. Answers how many."""
    values = {"state": keeping.IGNORED, "closed_at": clock.now(), "note": note[:500]}
    ignored, every = 0, list(ids)
    for start in range(0, len(every), IGNORED_TOGETHER):
        chunk = quarantine.c.id.in_(every[start : start + IGNORED_TOGETHER])
        statement = update(quarantine).where(chunk, quarantine.c.state == keeping.OPEN)
        ignored += connection.execute(statement.values(**values)).rowcount
    return ignored


def replay(workspace: Workspace, ids: Sequence[int], *, dry_run: bool = False) -> list[Replayed]:
    """Map and land records again, e.g. after the mapping was corrected; in the order of ``ids``. Commits in batches.

    What still fails stays in quarantine with its new reason. Records that are no longer open are left out, and what
    the connector refused stays as it is: what was kept of it shows where it stands, and is no record to map. With
    ``dry_run`` nothing is written: the answer says what would happen.
    """
    outcome = _refused(workspace, ids)
    refused = {one.id for one in outcome}
    ids = [one for one in ids if one not in refused]
    for start in range(0, len(ids), TOGETHER):
        chunk = ids[start : start + TOGETHER]
        outcome += _try_out(workspace, chunk) if dry_run else _replay(workspace, chunk)
    return outcome


def _refused(workspace: Workspace, ids: Sequence[int]) -> list[Replayed]:
    statement = _records().where(quarantine.c.code == RecordRejected.code, quarantine.c.state == keeping.OPEN)
    found: list[Replayed] = []
    with workspace.database.reading() as connection:
        for start in range(0, len(ids), TOGETHER):
            rows = connection.execute(statement.where(quarantine.c.id.in_(ids[start : start + TOGETHER])))
            views = map(_view, rows)
            found += [Replayed(v.id, v.source_id, Failure(v.code, v.message, str(v.remedy))) for v in views]
    return found


def _try_out(workspace: Workspace, ids: Sequence[int]) -> list[Replayed]:
    with workspace.database.reading() as connection:
        by_stream = _open_rows(connection, ids, lock=False)
        known = streams.load(connection)
    return [
        Replayed(row.id, row.source_id, _verdict(_mapping(workspace, known[stream_id]), bytes(row.payload)))
        for stream_id, rows in by_stream.items()
        for row in rows
    ]


def _verdict(mapping: CompiledMapping, payload: bytes) -> Failure | None:
    try:
        mapping(orjson.loads(payload.decode()))
    except (RecordInvalid, RecordRejected) as error:
        return failure(error)
    except (orjson.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return failure(RecordRejected("The record is not one JSON object in UTF-8.", rule="json"))
    except Exception as error:
        return failure(unforeseen(error))
    return None


def _replay(workspace: Workspace, ids: Sequence[int]) -> list[Replayed]:
    outcome: list[Replayed] = []
    with workspace.database.hot_transaction() as connection:
        known = streams.load(connection)
        landings = []
        for stream_id, rows in _open_rows(connection, ids, lock=True).items():
            landed = _land(workspace, connection, known[stream_id], rows)
            failed = {keeping.key_of(bad): failure(bad.error) for bad in landed.rejections}
            outcome += [Replayed(row.id, row.source_id, failed.get(row.source_id)) for row in rows]
            landings += [] if landed.landing_id is None else [landed.landing_id]
    if landings:
        with caused_by("replay"):
            resolving.resolve(
                workspace.database, landings, matcher=workspace.matcher, survivorship=workspace.survivorship
            )
    return outcome


def _land(workspace: Workspace, connection: Connection, stream: StreamRef, rows: Sequence[Any]) -> Landed:
    page = Page([Record(row.source_id, bytes(row.payload), row.changed_at) for row in rows], {})
    landed = landing.land(connection, stream, page, _mapping(workspace, stream), workspace.matcher, now=clock.now())
    keeping.keep(connection, stream.id, None, landed.rejections)
    keeping.resolve(connection, stream.id, landed.accepted, "replayed")
    seen.remember_apart(connection, stream, landed.seen)
    return landed


def _open_rows(connection: Connection, ids: Sequence[int], *, lock: bool) -> dict[int, list[Any]]:
    """Open rows by stream, locked in the order in which a run locks them."""
    statement = (
        select(
            quarantine.c.id,
            quarantine.c.stream_id,
            quarantine.c.source_id,
            quarantine.c.payload,
            quarantine.c.changed_at,
        )
        .where(quarantine.c.id.in_(ids), quarantine.c.state == keeping.OPEN)
        .order_by(quarantine.c.id)
    )
    by_stream: dict[int, list[Any]] = {}
    for row in connection.execute(statement.with_for_update() if lock else statement):
        by_stream.setdefault(row.stream_id, []).append(row)
    return by_stream


def _mapping(workspace: Workspace, stream: StreamRef) -> CompiledMapping:
    return workspace.mapping(stream.connection, stream.name)


def _records() -> Select[Any]:
    return (
        select(quarantine, connections.c.name.label("connection_name"), stream_state.c.name.label("stream_name"))
        .join(stream_state, stream_state.c.id == quarantine.c.stream_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
    )


def _view(row: Any) -> Quarantined:
    message = unpacked(row.message) or Wording("", {})
    return Quarantined(
        id=row.id,
        connection=row.connection_name,
        stream=row.stream_name,
        stream_id=row.stream_id,
        source_id=row.source_id,
        state=row.state,
        code=row.code,
        path=row.path,
        value=row.value,
        rule=row.rule,
        message=message,
        remedy=Wording(row.remedy, message.params),
        payload=bytes(row.payload),
        attempts=row.attempts,
        run_id=row.run_id,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        note=row.note,
    )
