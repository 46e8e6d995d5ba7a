"""Reconcile: does the master hold exactly the records that the source has? Counts, checksums, and what differs.

A checksum is the sum of the xxh3-64 hashes of all keys modulo 2**64: it does not depend on the order in which the
source lists them. Keys are compared as these hashes, so that millions fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select
from xxhash import xxh3_64_intdigest

from connectors.contract import Connector
from sync.database import Database
from sync.errors import Refused
from sync.master import tombstones
from sync.master.bulk import bulk_for
from sync.master.streams import StreamRef
from sync.runs import clock, declared, quarantine
from sync.runs.tables import reconciliation
from sync.runs.wording import storable

SAMPLE = 100
"""So many differing keys are shown of each kind."""

BATCH = 10_000


class CannotReconcile(Refused):
    """The source cannot list its keys."""

    code = "cannot_reconcile"
    default_remedy = "Run a full sync instead: `kehu sync run {connection}.{stream} --full`."


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison: how many keys, and their checksum."""

    count: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The outcome. ``missing`` are in the source and not in the master, ``extra`` the other way round (samples)."""

    stream_id: int
    at: datetime
    source: Side
    live: Side
    missing_count: int
    extra_count: int
    quarantined: int
    missing: Sequence[str] = ()
    extra: Sequence[str] = ()

    @property
    def agrees(self) -> bool:
        """Whether all that differs is explained: by the quarantine, or by people who were erased."""
        return self.extra_count == 0 and self.missing_count == self.quarantined


@dataclass(slots=True)
class _Comparison:
    """Live keys as sorted hashes, and what the source's keys have shown so far."""

    live: NDArray[np.uint64]
    open_quarantine: set[str]
    erased: Callable[[Sequence[str]], Collection[str]]
    found: NDArray[np.bool_] = field(init=False)
    source: set[int] = field(default_factory=set)
    missing_count: int = 0
    quarantined: int = 0
    missing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.found = np.zeros(len(self.live), dtype=np.bool_)

    def add(self, keys: Sequence[str]) -> None:
        """Some keys of the source."""
        fresh = {digest: key for key in keys if (digest := _digest(key)) not in self.source}
        if not fresh:
            return
        self.source.update(fresh)
        digests = np.fromiter(fresh, dtype=np.uint64, count=len(fresh))
        places = np.minimum(np.searchsorted(self.live, digests), max(len(self.live) - 1, 0))
        known = self.live[places] == digests if len(self.live) else np.zeros(len(fresh), dtype=np.bool_)
        self.found[places[known]] = True
        self._note_missing([key for key, is_known in zip(fresh.values(), known.tolist(), strict=True) if not is_known])

    def _note_missing(self, keys: list[str]) -> None:
        erased = self.erased(keys)
        self.missing_count += len(keys)
        self.quarantined += len(self.open_quarantine.intersection(keys)) + len(erased)
        shown = [storable(key) for key in keys if key not in erased]
        self.missing += shown[: SAMPLE - len(self.missing)]


def reconcile(
    database: Database, stream: StreamRef, connector: Connector[Any], run_id: int | None = None
) -> Reconciliation:
    """Compare a stream's live records with the keys the source lists now, and record the outcome. Commits.

    Changes made during the comparison show as differences. Raises CannotReconcile if the source cannot list keys.
    """
    if not declared.ask(connector, stream).ids:
        raise CannotReconcile(
            "{connection} cannot list the keys of {stream}.", connection=stream.connection, stream=stream.name
        )
    return compare(database, stream, connector.ids(stream.name), run_id)


def compare(
    database: Database, stream: StreamRef, listed: Iterable[Sequence[str]], run_id: int | None = None
) -> Reconciliation:
    """Compare with keys given in batches, and record the outcome. Commits."""

    def erased(keys: Sequence[str]) -> Collection[str]:
        with database.reading() as connection:
            guard = tombstones.guard(connection)
            return () if guard is None else guard.addresses(stream.connection, stream.name, keys)

    with database.reading() as connection:
        live, held_back = _live_hashes(connection, stream.id), quarantine.open_keys(connection, stream.id)
    comparison = _Comparison(live, held_back, erased)
    for batch in listed:
        comparison.add(batch)
    gone = comparison.live[~comparison.found]
    with database.transaction() as connection:
        outcome = Reconciliation(
            stream.id,
            clock.now(),
            Side(len(comparison.source), _checksum(comparison.source)),
            Side(len(comparison.live), _checksum(comparison.live.tolist())),
            comparison.missing_count,
            len(gone),
            comparison.quarantined,
            comparison.missing,
            _names(connection, stream.id, set(gone.tolist())),
        )
        _record(connection, outcome, run_id)
    return outcome


def latest(connection: Connection, stream_id: int) -> Reconciliation | None:
    """The last outcome of a stream."""
    row = connection.execute(
        select(reconciliation)
        .where(reconciliation.c.stream_id == stream_id)
        .order_by(reconciliation.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    sample = orjson.loads(row.sample)
    return Reconciliation(
        row.stream_id,
        row.at,
        Side(row.source_count, row.source_checksum),
        Side(row.live_count, row.live_checksum),
        row.missing_count,
        row.extra_count,
        row.quarantined,
        sample["missing"],
        sample["extra"],
    )


def extra_ids(connection: Connection, stream_id: int, listed: Iterable[Sequence[str]]) -> tuple[list[int], int]:
    """The ids of live records whose keys the source does not list, and how many live records there are."""
    digests = {_digest(key) for batch in listed for key in batch}
    extra, live = [], 0
    for record_id, source_id in _live(connection, stream_id):
        live += 1
        if _digest(source_id) not in digests:
            extra.append(record_id)
    return extra, live


def _record(connection: Connection, outcome: Reconciliation, run_id: int | None) -> None:
    connection.execute(
        insert(reconciliation).values(
            stream_id=outcome.stream_id,
            run_id=run_id,
            at=outcome.at,
            source_count=outcome.source.count,
            live_count=outcome.live.count,
            source_checksum=outcome.source.checksum,
            live_checksum=outcome.live.checksum,
            missing_count=outcome.missing_count,
            extra_count=outcome.extra_count,
            quarantined=outcome.quarantined,
            sample=orjson.dumps({"missing": outcome.missing, "extra": outcome.extra}).decode(),
        )
    )


def _live(connection: Connection, stream_id: int) -> Iterable[tuple[int, str]]:
    after = 0
    while True:
        rows = bulk_for(connection).fetch(
            "SELECT id, source_id FROM source_record WHERE stream_id = ? AND part = '' AND deleted_at IS NULL "
            "AND id > ? ORDER BY id LIMIT ?",
            stream_id,
            after,
            BATCH,
        )
        yield from ((row[0], row[1]) for row in rows)
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _live_hashes(connection: Connection, stream_id: int) -> NDArray[np.uint64]:
    return np.sort(np.fromiter((_digest(key) for _, key in _live(connection, stream_id)), dtype=np.uint64))


def _names(connection: Connection, stream_id: int, digests: set[int]) -> list[str]:
    names: list[str] = []
    if digests:
        for _, key in _live(connection, stream_id):
            if _digest(key) in digests:
                names.append(key)
            if len(names) == SAMPLE:
                break
    return names


def _digest(key: str) -> int:
    return xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"))


def _checksum(digests: Iterable[int]) -> str:
    return f"{sum(digests) % 2**64:016x}"
