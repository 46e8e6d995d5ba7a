"""LAND: one page of raw records into ``source_record``, mapped, keyed, and queued for RESOLVE.

Everything here happens inside the caller's transaction, which also stores the cursor and the counters. Only records
whose content changed are parsed and mapped; the others cost a hash and a look-up.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection
from xxhash import xxh3_128_digest

from connectors.contract import Page, Record
from connectors.errors import RecordRejected
from mappings.contract import CompiledMapping, Matcher
from mappings.errors import RecordInvalid
from sync.master import record_keys, tombstones
from sync.master.bulk import Bulk, Question, bulk_for
from sync.master.deriving import Derived, derive
from sync.master.inforce import (
    UNVERSIONED,
    MatcherSource,
    landing_ahead,
    landing_page_with,
    landing_with,
    matcher_before,
)
from sync.master.records import LandedRecord, pack_ids
from sync.master.streams import StreamRef
from sync.master.writing import Change, Writes

_KNOWN = (
    "SELECT source_id, id, hash, version, deleted_at IS NOT NULL FROM source_record "
    "WHERE stream_id = ? AND source_id {texts} AND part = ''"
)


class Counts(NamedTuple):
    """What became of the records that were read. They add up, or the run is wrong."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0
    deleted: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sum, field by field."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def adds_up(self) -> bool:
        """Whether every record that was read is accounted for exactly once."""
        return self.read == sum(self[1:])


class Rejection(NamedTuple):
    """A record that could not be landed, as it came, and why."""

    source_id: str
    payload: bytes
    error: Exception
    changed_at: str | None


@dataclass(slots=True)
class Landed:
    """The outcome of landing one page; ``batch`` may be handed to RESOLVE, which else loads it by ``landing_id``."""

    counts: Counts
    landing_id: int | None
    batch: list[LandedRecord]
    seen: bytes
    accepted: Sequence[str]
    rejections: list[Rejection]
    version: int = UNVERSIONED
    """The version of the match model that the batch was derived by."""


class _Known(NamedTuple):
    id: int
    hash: bytes
    version: int
    deleted: bool


class _Due(NamedTuple):
    """A record with new content, its hash, and what is stored of it so far."""

    record: Record
    digest: bytes
    prior: _Known | None


class _Early(NamedTuple):
    """What the one record of a page gives with a matcher, before it is known whether that is in force."""

    matcher: Matcher
    outcomes: list[list[Derived] | Exception]


@dataclass(slots=True)
class _Sorted:
    """The records of a page by what has to be done."""

    fresh: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0
    revived: int = 0
    seen: list[int] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


def land(
    connection: Connection,
    stream: StreamRef,
    page: Page,
    mapping: CompiledMapping,
    matcher: Matcher | MatcherSource,
    *,
    now: datetime,
) -> Landed:
    """Store what changed on a page and queue it for RESOLVE. Idempotent: landing a page again changes nothing."""
    bulk = bulk_for(connection)
    latest = {record.key: record for record in page.records}
    _ask_ahead(bulk, stream, latest, matcher)
    early = _derive_early(bulk, latest, mapping, matcher)
    force = landing_page_with(matcher, bulk)
    guard = tombstones.guard(connection)
    erased = {} if guard is None else _erased(guard, stream, [*latest, *(bad.key for bad in page.rejected)])
    if erased:
        latest = {key: record for key, record in latest.items() if key not in erased}
    gone = [key for key in dict.fromkeys(page.deleted) if key not in latest]
    known = _look_up(bulk, stream.id, [*latest, *gone])
    sorting = _sort(latest, known, mapping, force.matcher, early)
    rejected = (bad for bad in page.rejected if bad.key not in erased)
    sorting.rejections += [Rejection(bad.key, bad.body, bad.reason, None) for bad in rejected]
    sorting.rejections += [_refusal(mark) for mark in erased.values()]
    if guard is not None:
        _keep_away(guard, stream, sorting)

    writes = Writes(bulk, stream, force, now)
    writes.add_new(sorting.fresh)
    writes.change(sorting.changed)
    live_gone = [known[key].id for key in gone if key in known and not known[key].deleted]
    writes.delete(live_gone)
    landing_id = writes.flush()

    read = len(page.records) + len(page.deleted) + len(page.rejected)
    created = len(sorting.fresh) + sorting.revived
    updated = len(sorting.changed) - sorting.revived
    touched = created + updated + len(sorting.rejections) + len(live_gone)
    counts = Counts(read, created, updated, read - touched, len(sorting.rejections), len(live_gone))
    seen = pack_ids([*sorting.seen, *writes.new_main_ids])
    return Landed(counts, landing_id, writes.batch, seen, sorting.accepted, sorting.rejections, force.number)


def delete(
    connection: Connection,
    stream: StreamRef,
    record_ids: Sequence[int],
    matcher: Matcher | MatcherSource,
    *,
    now: datetime,
) -> Landed:
    """Mark records as deleted at their source (a sweep) and queue them for RESOLVE."""
    bulk = bulk_for(connection)
    tombstones.share(bulk)
    force = landing_with(matcher, bulk)
    live = bulk.fetch(
        "SELECT id, source_id FROM source_record "
        "WHERE id {ints} AND stream_id = ? AND part = '' AND deleted_at IS NULL ORDER BY id",
        [int(record_id) for record_id in record_ids],
        stream.id,
    )
    writes = Writes(bulk, stream, force, now)
    writes.delete([row[0] for row in live])
    landing_id = writes.flush()
    counts = Counts(read=len(live), deleted=len(live))
    return Landed(counts, landing_id, writes.batch, b"", [row[1] for row in live], [], force.number)


def live_ids(connection: Connection, stream: StreamRef) -> list[int]:
    """The ids of a stream's live records (not of their parts), ascending."""
    rows = bulk_for(connection).fetch(
        "SELECT id FROM source_record WHERE stream_id = ? AND part = '' AND deleted_at IS NULL ORDER BY id",
        stream.id,
    )
    return [row[0] for row in rows]


def remap(
    connection: Connection,
    stream: StreamRef,
    mapping: CompiledMapping,
    matcher: Matcher | MatcherSource,
    *,
    after_id: int,
    limit: int,
    now: datetime,
) -> tuple[Landed, int | None]:
    """Derive again, from the stored raw bodies, one batch of records after a mapping changed.

    Answers the outcome and the id to go on after, None at the end. Records that map to the same customer as before
    are untouched.
    """
    bulk = bulk_for(connection)
    tombstones.share(bulk)
    force = landing_with(matcher, bulk)
    rows = bulk.fetch(
        "SELECT id, source_id, raw, version, changed_at FROM source_record WHERE stream_id = ? AND part = '' "
        "AND id > ? AND deleted_at IS NULL AND raw IS NOT NULL ORDER BY id LIMIT ?",
        stream.id,
        after_id,
        limit,
    )
    sorting = _Sorted()
    due = [
        _Due(Record(source_id, raw.encode(), changed_at), b"", _Known(record_id, b"", version, False))
        for record_id, source_id, raw, version, changed_at in rows
    ]
    _derive_into(sorting, due, mapping, force.matcher)
    writes = Writes(bulk, stream, force, now)
    writes.rederive(sorting.changed)
    landing_id = writes.flush()
    updated, rejected = writes.rederived, len(sorting.rejections)
    counts = Counts(len(rows), 0, updated, len(rows) - updated - rejected, rejected, 0)
    landed = Landed(counts, landing_id, writes.batch, b"", sorting.accepted, sorting.rejections, force.number)
    return landed, rows[-1][0] if len(rows) == limit else None


def _erased(guard: tombstones.Guard, stream: StreamRef, keys: Sequence[str]) -> dict[str, str]:
    """The keys of records whose person was erased, with their marks."""
    return guard.addresses(stream.connection, stream.name, keys)


def _keep_away(guard: tombstones.Guard, stream: StreamRef, sorting: _Sorted) -> None:
    """Turn new records with a contact of somebody who was erased into refusals; what is known already may change."""
    met = guard.contacts([_customers(change) for change in sorting.fresh])
    kept: list[Change] = []
    refused: list[Change] = []
    for change, is_met in zip(sorting.fresh, met, strict=True):
        (refused if is_met else kept).append(change)
    names = {
        change.key: guard.mark(tombstones.RECORD, stream.connection, stream.name, change.key) for change in refused
    }
    sorting.rejections += [_refusal(mark) for mark in names.values()]
    sorting.accepted = [key for key in sorting.accepted if key not in names]
    sorting.fresh = kept


def _customers(change: Change) -> list[dict[str, Any]]:
    derived = [*change.parts.values(), *([] if change.main is None else [change.main])]
    return [orjson.loads(one.canonical) for one in derived]


def _refusal(mark: str) -> Rejection:
    """A refused record, without its key and its content."""
    name, why = tombstones.refused(mark)
    return Rejection(name, b"", why, None)


def _ask_ahead(bulk: Bulk, stream: StreamRef, latest: Dict[str, Record], matcher: Matcher | MatcherSource) -> None:
    """All that is asked of one incoming record goes at once; for a page it makes no difference."""
    landing_ahead(matcher, bulk)
    bulk.ahead(tombstones.EXISTING)
    bulk.landing_id_ahead()
    if len(latest) == 1:
        bulk.ahead(_known_as(stream.id, [*latest]))
        bulk.record_ids_ahead(1)


def _known_as(stream_id: int, keys: Sequence[str]) -> Question:
    return _KNOWN, stream_id, record_keys.storable(keys)


def _look_up(bulk: Bulk, stream_id: int, keys: list[str]) -> dict[str, _Known]:
    rows = bulk.fetch(*_known_as(stream_id, keys))
    return {row[0]: _Known(row[1], row[2], row[3], bool(row[4])) for row in rows}


def _derive_early(
    bulk: Bulk, latest: Dict[str, Record], mapping: CompiledMapping, matcher: Matcher | MatcherSource
) -> _Early | None:
    """One incoming record is derived while the server looks up what is known: hardly ever does it bring nothing new."""
    before = matcher_before(matcher) if bulk.is_postgres and len(latest) == 1 else None
    if before is None:
        return None
    bulk.depart()
    return _Early(before, derive([record.body for record in latest.values()], mapping, before))


def _sort(
    latest: Dict[str, Record],
    known: Dict[str, _Known],
    mapping: CompiledMapping,
    matcher: Matcher,
    early: _Early | None,
) -> _Sorted:
    sorting = _Sorted()
    due = []
    for key, record in latest.items():
        digest = xxh3_128_digest(record.body)
        prior = known.get(key)
        if prior is not None:
            sorting.seen.append(prior.id)
            if prior.hash == digest and not prior.deleted:
                sorting.accepted.append(key)
                continue
        due.append(_Due(record, digest, prior))
    _derive_into(sorting, due, mapping, matcher, early)
    return sorting


def _derive_into(
    sorting: _Sorted, due: Sequence[_Due], mapping: CompiledMapping, matcher: Matcher, early: _Early | None = None
) -> None:
    """Add every record to the changes, or to the rejections."""
    storable = due
    if not record_keys.all_plain([one.record.key for one in due]):
        storable = [one for one in due if record_keys.is_storable(one.record.key)]
        for one in due:
            if not record_keys.is_storable(one.record.key):
                _reject(sorting, one.record, record_keys.refused(one.record.key))
    if early is not None and early.matcher is matcher and len(storable) == len(early.outcomes):
        outcomes = early.outcomes
    else:
        outcomes = derive([one.record.body for one in storable], mapping, matcher)
    for one, outcome in zip(storable, outcomes, strict=True):
        if isinstance(outcome, Exception):
            _reject(sorting, one.record, outcome)
        else:
            _accept(sorting, one, outcome)


def _accept(sorting: _Sorted, due: _Due, derived: list[Derived]) -> None:
    record, digest, prior = due
    main: Derived | None
    parts: dict[str, Derived]
    if len(derived) == 1 and not derived[0].part:
        main, parts = derived[0], {}
    else:
        parts = {entry.part: entry for entry in derived}
        main = parts.pop("", None)
    raw = record.body.decode()
    sorting.accepted.append(record.key)
    if prior is None:
        sorting.fresh.append(Change(0, 1, record.key, digest, raw, record.changed_at, main, parts))
    else:
        change = Change(prior.id, prior.version + 1, record.key, digest, raw, record.changed_at, main, parts)
        sorting.changed.append(change)
        sorting.revived += prior.deleted


def _reject(sorting: _Sorted, record: Record, error: Exception) -> None:
    told = error if isinstance(error, RecordInvalid | RecordRejected) else _unreadable(error)
    sorting.rejections.append(Rejection(record.key, record.body, told, record.changed_at))


def _unreadable(error: Exception) -> RecordRejected:
    return RecordRejected(
        "The record is not one JSON object in UTF-8: {detail}",
        rule="json",
        detail=str(error).split("\n", 1)[0][:200],
        remedy="Correct the record in its system, or report the connector; then replay it.",
    )
