"""Receiving webhooks: verified by their connector, counted once, kept as hints, and followed by a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from connectors.contract import Connector, Hint, Inbound
from sync.errors import NotFound, Refused
from sync.runs import hints
from sync.runs.quarantine import LONGEST_KEY
from sync.runs.requests import request_run
from sync.runs.states import RunMode, Trigger
from sync.runs.tables import connection as connections
from sync.runs.tables import stream_state
from sync.runs.wording import storable
from sync.runs.workspace import Workspace


class Received(NamedTuple):
    """What became of a webhook: the text that the sender wants to read, and the runs to ring for."""

    answer: bytes | None = None
    hints: int = 0
    runs: tuple[int, ...] = ()


def receive(workspace: Workspace, connection_name: str, request: Inbound) -> Received:
    """Verify one inbound webhook and keep what it hints at; commits. Ring ``Doorbell.run`` for the runs afterwards.

    Raises NotFound if there is no such connection or it has no webhooks, BadCredentials if the request is forged. The
    same delivery again is answered like the first one and changes nothing.
    """
    if connection_name not in workspace.settings.connections:
        raise _nobody(connection_name)
    connector = workspace.open(connection_name)
    try:
        answer = connector.challenge(request)
        found = [] if answer is not None else connector.verify(request)
    except NotImplementedError:
        raise _nobody(connection_name) from None
    finally:
        connector.close()
    with workspace.database.transaction() as connection:
        read = connector.acknowledgement or None if answer is None else answer
        return Received(read, *_kept(connection, connection_name, connector, found))


def can_fetch(connector: Connector[Any]) -> bool:
    """Whether the connector can be asked for single records."""
    return type(connector).fetch is not Connector.fetch


def _kept(
    connection: Connection, name: str, connector: Connector[Any], found: Sequence[Hint]
) -> tuple[int, tuple[int, ...]]:
    streams = _streams(connection, name)
    known = [one for one in found if one.stream in streams]
    if not known:
        return 0, ()
    parent = next(iter(streams.values())).connection_id
    fresh = hints.new_deliveries(connection, parent, filter(None, map(_delivery, known)))
    by_stream: dict[str, list[str | None]] = defaultdict(list)
    for one in known:
        delivery = _delivery(one)
        if not delivery or delivery in fresh:
            by_stream[one.stream].append(_key(one))
    runs = [_followed(connection, streams[stream].id, keys, connector) for stream, keys in by_stream.items()]
    return sum(map(len, by_stream.values())), tuple(run for run in runs if run is not None)


def _delivery(one: Hint) -> str:
    return storable((one.delivery_id or "")[: hints.LONGEST_DELIVERY_ID])


def _key(one: Hint) -> str | None:
    """The key that a hint names; None for one that no record can have, so that the stream is read instead."""
    return None if one.key is None or one.key != storable(one.key, LONGEST_KEY) else one.key


def _followed(
    connection: Connection, stream_id: int, keys: Iterable[str | None], connector: Connector[Any]
) -> int | None:
    """Keep the hints and ask for the run that follows them; None while the stream is paused: they wait."""
    keys = list(keys)
    hints.keep(connection, stream_id, keys)
    mode = RunMode.HINTED if can_fetch(connector) and None not in keys else RunMode.INCREMENTAL
    try:
        return request_run(connection, stream_id, mode, trigger=Trigger.WEBHOOK).run_id
    except Refused:
        return None


def _streams(connection: Connection, name: str) -> Mapping[str, Any]:
    rows = connection.execute(
        select(stream_state.c.id, stream_state.c.name, stream_state.c.connection_id)
        .join(connections, connections.c.id == stream_state.c.connection_id)
        .where(connections.c.name == name, connections.c.removed_at.is_(None))
    )
    return {row.name: row for row in rows}


def _nobody(name: str) -> NotFound:
    return NotFound(
        "No connection {name} receives webhooks here.",
        name=name[:80],
        remedy="Compare the address with the connection's name in kehu.yaml and its connector's README.",
    )
