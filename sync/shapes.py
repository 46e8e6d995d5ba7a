"""The fields that a stream's records are known to have, as runs have learnt them."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from sqlalchemy import Connection, select

from mappings.drift import Shape
from sync.runs.tables import stream_state


class KnownField(NamedTuple):
    """A field by its path: with which types it was seen, and in what share of the records that could hold it."""

    path: str
    types: tuple[str, ...]
    share: float


def known(connection: Connection, stream_id: int) -> tuple[int, list[KnownField]]:
    """How many records were looked at, and their fields; nothing before the first run."""
    stored = connection.execute(select(stream_state.c.shape).where(stream_state.c.id == stream_id)).scalar_one_or_none()
    if stored is None:
        return 0, []
    shape = Shape.load(orjson.loads(stored))
    fields = [
        KnownField(path, tuple(seen.types), seen.present / seen.possible if seen.possible else 0.0)
        for path, seen in shape.fields.items()
        if seen.present
    ]
    return shape.records, fields
