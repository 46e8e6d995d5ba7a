"""What a stream can do, as its connector last declared it; remembered so that not every run has to ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select, update

from connectors.contract import Capability, Connector, Deletes
from connectors.errors import StreamBroken
from sync.master.streams import StreamRef
from sync.runs import clock
from sync.runs.tables import stream_state

FRESH = timedelta(hours=24)


class Declared(NamedTuple):
    """The part of ``connectors.contract.Stream`` that steers a run."""

    incremental: bool
    ids: bool
    deletes: Deletes
    sweep_every: int = 86_400


class StreamMissing(StreamBroken):
    """The connection no longer offers the stream."""

    code = "stream_missing"
    default_remedy = (
        "Compare with `kehu connection discover {connection}`, then correct the stream's name in kehu.yaml."
    )


def ask(connector: Connector[Any], stream: StreamRef) -> Declared:
    """Ask the system itself. Raises StreamMissing, or what the connector raises."""
    for offered in connector.discover():
        if offered.name == stream.name:
            can = offered.capabilities
            return Declared(Capability.INCREMENTAL in can, Capability.IDS in can, offered.deletes, offered.sweep_every)
    raise StreamMissing(
        "The connection {connection} offers no stream {stream}.", connection=stream.connection, stream=stream.name
    )


def remember(connection: Connection, stream: StreamRef, declared: Declared) -> None:
    """Keep the answer on the stream's row."""
    stored = {"at": clock.now().isoformat(), **declared._asdict()}
    connection.execute(
        update(stream_state).where(stream_state.c.id == stream.id).values(declared=orjson.dumps(stored).decode())
    )


def recall(connection: Connection, stream: StreamRef) -> Declared | None:
    """The last answer, if it is less than a day old."""
    stored = connection.execute(select(stream_state.c.declared).where(stream_state.c.id == stream.id)).scalar_one()
    if stored is None:
        return None
    data = orjson.loads(stored)
    if clock.now() - datetime.fromisoformat(data.pop("at")) > FRESH:
        return None
    return Declared(**data | {"deletes": Deletes(data["deletes"])})
