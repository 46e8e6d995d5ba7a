"""Schema drift: before a page is committed, its changed records are held against what the stream looked like so far.

A mapped field that was removed, renamed or retyped stops the stream with the difference, and nothing of the page is
stored. Added fields are told and learnt. Looks at a sample of the changed records; unchanged ones cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from connectors.contract import Page
from connectors.errors import SchemaDrift
from mappings.contract import CompiledMapping
from mappings.drift import MIN_SEEN, SAMPLE, Drift, Shape, check_page, compare, merge, observe
from sync.master.landing import Landed
from sync.master.streams import StreamRef
from sync.runs.tables import stream_state

LEARNT = 1_000
"""After so many records the shape is known; later pages are compared, not added."""

SHOWN = 20
"""So many lines of a difference are told."""


class ShapeWatch:
    """What a stream's records look like, for the length of one run."""

    def __init__(self, stream: StreamRef, known: Shape) -> None:
        self._stream, self._known = stream, known
        self._few = Shape()

    @classmethod
    def load(cls, connection: Connection, stream: StreamRef) -> ShapeWatch:
        """As the stream's row remembers it."""
        stored = connection.execute(select(stream_state.c.shape).where(stream_state.c.id == stream.id)).scalar_one()
        return cls(stream, Shape() if stored is None else Shape.load(orjson.loads(stored)))

    def check(self, connection: Connection, mapping: CompiledMapping, page: Page, landed: Landed) -> list[str]:
        """Compare a page and learn from it; answers the fields that are new. Raises SchemaDrift."""
        bodies = _changed(page, landed)
        if not bodies:
            return []
        drift, shape = self._compared(bodies, mapping)
        if drift is None and shape.records < MIN_SEEN:
            drift = self._with_the_few_before(shape, mapping)
        if drift is not None and drift.stops:
            raise self._error(drift)
        return self._learn(connection, shape, drift)

    def _compared(self, bodies: Sequence[bytes], mapping: CompiledMapping) -> tuple[Drift | None, Shape]:
        """The drift by a sample, confirmed by all; while the stream is new, all are looked at, to learn soon."""
        if self._known.records < LEARNT:
            records = _parsed(bodies)
            drift, _ = check_page(self._known, records, mapping.paths)
            return drift, observe(records, mapping.paths, cap=len(records))
        drift, shape = check_page(self._known, _parsed(bodies[:: max(1, len(bodies) // SAMPLE)]), mapping.paths)
        if drift is not None and drift.stops:
            drift, shape = check_page(self._known, _parsed(bodies), mapping.paths)
        return drift, shape

    def _with_the_few_before(self, shape: Shape, mapping: CompiledMapping) -> Drift | None:
        """A handful of records says nothing by itself: several handfuls do."""
        self._few = merge(self._few, shape)
        if self._few.records < MIN_SEEN:
            return None
        drift, self._few = compare(self._known, self._few, mapping.paths), Shape()
        return drift

    def _learn(self, connection: Connection, shape: Shape, drift: Drift | None) -> list[str]:
        added = list(drift.added) if drift is not None else []
        if added or self._known.records < LEARNT:
            self._known = merge(self._known, shape)
            connection.execute(
                update(stream_state)
                .where(stream_state.c.id == self._stream.id)
                .values(shape=orjson.dumps(self._known.dump()).decode())
            )
        return added

    def _error(self, drift: Drift) -> SchemaDrift:
        return SchemaDrift(
            "The fields of {stream} in {connection} have changed: {diff}",
            stream=self._stream.name,
            connection=self._stream.connection,
            diff="; ".join(drift.lines()[:SHOWN]),
        )


def accept(connection: Connection, stream_id: int) -> None:
    """Forget what the stream looked like: it is learnt again from the next pages."""
    connection.execute(update(stream_state).where(stream_state.c.id == stream_id).values(shape=None))


def _changed(page: Page, landed: Landed) -> list[bytes]:
    """The bodies of the page's records that were not known as they are."""
    counts = landed.counts
    if not counts.created + counts.updated + counts.quarantined:
        return []
    keys = {record.source_id for record in landed.batch} | {bad.source_id for bad in landed.rejections}
    return [record.body for record in page.records if record.key in keys]


def _parsed(bodies: Sequence[bytes]) -> list[Mapping[str, Any]]:
    records: list[Mapping[str, Any]] = []
    for body in bodies:
        try:
            record = orjson.loads(body)
        except (orjson.JSONDecodeError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records
