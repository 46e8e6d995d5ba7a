"""RESOLVE: from landed records to customers, one transaction a batch.

Safe to run at any time, by any number of workers, any number of times: what is pending is a row in ``landing``, taken
by one worker at a time and deleted with the result. Conflicts between workers are retried here and cost nothing else.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from mappings.contract import Matcher
from mappings.survivorship import SurvivorshipRules
from sync.database import Database
from sync.errors import Refused
from sync.master import decisions
from sync.master import streams as stream_directory
from sync.master.bulk import Bulk, Question, bulk_for
from sync.master.candidates import CONNECTING_WEIGHT, find_lasting_edges, nearing, store_edges
from sync.master.components import Held, hold
from sync.master.golden import Goldens
from sync.master.inforce import (
    UNVERSIONED,
    InForce,
    MatcherSource,
    MayNotRecord,
    linked_before,
    resolving_asks,
    resolving_with,
)
from sync.master.naming import TakenMeanwhile, name
from sync.master.publishing import Publisher, Resolved
from sync.master.records import LandedRecord, features_of, unpack_ids
from sync.master.refreshing import Moved, refresh
from sync.master.settling import settle
from sync.master.streams import StreamRef
from sync.master.transition import plan

FEW = 20
"""Of so many records all is asked at once; what more of them ask for takes longer than asking."""
_PLACES = (
    "SELECT record_id, version, coalesce(features_version, version), customer_id FROM crosswalk WHERE record_id {ints}"
)
_TRIES = 30
_QUEUE = 0x6B656875  # an advisory lock of our own
_CONFLICTS = frozenset({"40P01", "40001", "23505", "55P03"})
"""SQLSTATE of a deadlock, a serialisation failure, a unique violation, and a lock that is not available."""


class _Place(NamedTuple):
    """In which version a record is held, the version of the features by which it was matched, and by which customer."""

    version: int
    features: int
    customer: int


class SwitchUnderWay(Refused):
    """What must take effect at once has to wait until the match model is switched."""

    code = "switch_under_way"
    default_remedy = "Try again when `kehu match versions` shows no switch under way."


def resolve(
    database: Database,
    landing_ids: Sequence[int],
    *,
    matcher: Matcher | MatcherSource,
    survivorship: SurvivorshipRules,
    batch: Sequence[LandedRecord] | None = None,
    derived_by: int = UNVERSIONED,
) -> Resolved:
    """Resolve the landings in one transaction of its own and answer what changed.

    Landings that another worker is at, or that are done, are left out. ``batch`` hands over the records of exactly
    these landings when they are still in memory, ``derived_by`` the version of the match model that derived them.
    While the version is being switched nothing is resolved: what was landed waits.
    """
    met: set[int] = set()
    lasting, lost = database.is_postgres and batch is not None and len(batch) <= FEW, False
    for attempt in range(1, _TRIES + 1):
        try:
            with database.hot_transaction() as connection:
                bulk = bulk_for(connection)
                if lost:
                    _queue_up(bulk)
                bulk.ahead(*_opening(bulk, landing_ids, matcher, batch if lasting else None))
                force = resolving_with(matcher, bulk, lasting=lasting)
                if force.stage is not None:
                    return Resolved()
                usable = batch if derived_by == force.number else None
                return _resolve(connection, landing_ids, force, survivorship, usable, met)
        except MayNotRecord:
            lasting = False
        except Exception as error:
            if attempt == _TRIES or not is_conflict(error):
                raise
            batch, lasting, lost = None, False, True
            time.sleep(random.uniform(0, min(0.005 * 2**attempt, 0.2)))  # noqa: S311 - jitter
    raise AssertionError("unreachable")


def announce(
    connection: Connection, landing_id: int | None, matcher: Matcher | MatcherSource, batch: Sequence[LandedRecord]
) -> None:
    """Say, before LAND commits, that ``resolve`` of what it landed follows at once in this thread. Of a few records its
    transaction begins together with the commit; if it does not follow, nothing is lost.
    """
    if landing_id is not None and len(batch) <= FEW:
        bulk = bulk_for(connection)
        bulk.ahead_of_next(*_opening(bulk, [landing_id], matcher, batch))


def _opening(
    bulk: Bulk, landing_ids: Sequence[int], matcher: Matcher | MatcherSource, batch: Sequence[LandedRecord] | None
) -> list[Question]:
    """What is asked first, all of it at once; of a ``batch`` that has just been landed its neighbours too."""
    asked = resolving_asks(matcher, lasting=batch is not None)
    asked += [_taking(bulk, landing_ids), stream_directory.LOADING]
    if batch is not None:
        keys = {key for record in batch for key in record.keys} - linked_before(matcher)
        asked += [_placing(batch), *([nearing(batch, keys)] if keys else []), decisions.EXISTING]
    return asked


def resolve_in(
    connection: Connection,
    landing_ids: Sequence[int],
    *,
    matcher: Matcher | MatcherSource,
    survivorship: SurvivorshipRules,
) -> Resolved:
    """The same inside the caller's transaction, without retries. Raises SwitchUnderWay instead of waiting."""
    force = resolving_with(matcher, bulk_for(connection), keep=False)
    require_no_switch(force)
    return _resolve(connection, landing_ids, force, survivorship, None, set())


def require_no_switch(force: InForce) -> None:
    """Raises SwitchUnderWay."""
    if force.stage is not None:
        raise SwitchUnderWay("The match model is being switched; customers stay as they are until it is done.")


def _resolve(
    connection: Connection,
    landing_ids: Sequence[int],
    force: InForce,
    survivorship: SurvivorshipRules,
    batch: Sequence[LandedRecord] | None,
    met: set[int],
) -> Resolved:
    bulk = bulk_for(connection)
    taken = _take(bulk, landing_ids)
    if not taken:
        return Resolved()
    streams = stream_directory.load(connection)
    publisher = Publisher(bulk, streams, Goldens(streams, survivorship), datetime.now(UTC))
    landed = [packed for packed, edges_known in taken.values() if not edges_known]
    handed_over = batch is not None and len(landed) == len(set(landing_ids))
    if batch is None or not handed_over:
        batch = _load_batch(bulk, landed, force)
    placed = _placed(bulk, batch)
    standing = {record.id for record in batch if handed_over and _stands(record, placed.get(record.id))}
    resolved = _resolve_batch(bulk, batch, standing, placed, streams, force, publisher, met)
    again = [packed for packed, edges_known in taken.values() if edges_known]
    if again:
        publisher = Publisher(bulk, streams, Goldens(streams, survivorship), datetime.now(UTC))
        resolved = resolved.plus(_settle_again(bulk, again, streams, force, publisher, met))
    bulk.later("DELETE FROM landing WHERE id {ints}", sorted(taken))
    return resolved


def pending(connection: Connection, limit: int = 100) -> list[int]:
    """Landings that await RESOLVE, oldest first."""
    return [row[0] for row in bulk_for(connection).fetch("SELECT id FROM landing ORDER BY id LIMIT ?", limit)]


def _resolve_batch(
    bulk: Bulk,
    batch: Sequence[LandedRecord],
    standing: Set[int],
    placed: Mapping[int, _Place],
    streams: Mapping[int, StreamRef],
    force: InForce,
    publisher: Publisher,
    met: set[int],
) -> Resolved:
    if not batch:
        return Resolved()
    has_words = decisions.exist(bulk)
    news = [record for record in batch if record.id not in standing]
    found = find_lasting_edges(bulk, news, force)
    store_edges(bulk, found.edges, [record for record in news if record.version > 1])
    lone, touched = _part(bulk, batch, found.ends | placed.keys(), has_words)
    publisher.found(lone)
    apart = standing - found.ends if len(batch) > FEW and not (has_words or met) else set()
    touched -= apart
    held = hold(bulk, batch, touched, has_words, met)
    touched |= apart & held.records
    if touched:
        current = _current(batch, held)
        named = name(bulk, held, settle(bulk, held, current, streams, found.force.matcher))
        resolving = {record.id: record.version for record in current if record.id in touched}
        publisher.apply(held, plan(held, named, resolving), current)
    same = [record for record in batch if record.id in apart - touched]
    if same:
        refresh(bulk, held, same, {number: place.customer for number, place in placed.items()}, streams, publisher)
    return publisher.flush()._replace(oversized_blocks=found.crowded)


def _settle_again(
    bulk: Bulk,
    packed: Iterable[bytes],
    streams: Mapping[int, StreamRef],
    force: InForce,
    publisher: Publisher,
    met: set[int],
) -> Resolved:
    """Customers anew of records whose edges are all known: after a switch of the match model."""
    ids = sorted({int(record_id) for one in packed for record_id in unpack_ids(one)})
    has_words = decisions.exist(bulk)
    touched = _not_alone(bulk, ids) | (decisions.anchored(bulk, ids) if has_words else set())
    if not touched:
        return Resolved()
    held = hold(bulk, [], touched, has_words, met)
    named = name(bulk, held, settle(bulk, held, [], streams, force.matcher))
    publisher.apply(held, plan(held, named, {}), [])
    return publisher.flush()


def _not_alone(bulk: Bulk, record_ids: list[int]) -> set[int]:
    """Those of the placed records that share a customer, or that evidence connects with another record."""
    rows = bulk.fetch(
        "SELECT x.record_id FROM crosswalk x JOIN customer c ON c.id = x.customer_id "
        "WHERE x.record_id {ints} AND (c.members > 1 "
        "OR EXISTS (SELECT 1 FROM match_edge e WHERE e.left_id = x.record_id AND e.weight >= ?) "
        "OR EXISTS (SELECT 1 FROM match_edge e WHERE e.right_id = x.record_id AND e.weight >= ?))",
        record_ids,
        CONNECTING_WEIGHT,
        CONNECTING_WEIGHT,
    )
    return {row[0] for row in rows}


def _taking(bulk: Bulk, landing_ids: Sequence[int]) -> Question:
    locking = " FOR UPDATE SKIP LOCKED" if bulk.is_postgres else ""
    statement = f"SELECT id, record_ids, edges_known FROM landing WHERE id {{ints}} ORDER BY id{locking}"  # noqa: S608
    return statement, sorted(landing_ids)


def _take(bulk: Bulk, landing_ids: Sequence[int]) -> dict[int, tuple[bytes, bool]]:
    """The landings nobody else is at, with their packed record ids, and whether all of their edges are known."""
    rows = bulk.fetch(*_taking(bulk, landing_ids))
    return {row[0]: (bytes(row[1]), bool(row[2])) for row in rows}


def _load_batch(bulk: Bulk, packed: Iterable[bytes], force: InForce) -> list[LandedRecord]:
    ids = sorted({int(record_id) for one in packed for record_id in unpack_ids(one)})
    rows = bulk.fetch(
        "SELECT id, version, coalesce(features_version, version), stream_id, source_id, part, "
        "canonical, features, deleted_at IS NOT NULL FROM source_record WHERE id {ints} ORDER BY id",
        ids,
    )
    batch = []
    for record_id, version, since, stream_id, source_id, part, canonical, text, deleted in rows:
        features = None if deleted else features_of(text)
        body = canonical.encode() if features is not None else None
        keys = force.keys(features) if features is not None else ()
        batch.append(LandedRecord(record_id, version, since, stream_id, source_id, part, body, features, keys))
    return batch


def _placing(batch: Sequence[LandedRecord]) -> Question:
    return _PLACES, [record.id for record in batch]


def _placed(bulk: Bulk, batch: Sequence[LandedRecord]) -> dict[int, _Place]:
    """The records that a customer holds."""
    rows = bulk.fetch(*_placing(batch))
    return {row[0]: _Place(*row[1:]) for row in rows}


def _stands(record: LandedRecord, placed: _Place | None) -> bool:
    """Whether the evidence of a record that has just been landed stands, because its features do: who was landed since
    has been, or will be, compared with it when it is resolved itself.

    A record that is placed in this very version was placed by a neighbour, before anybody looked for its evidence. So
    may one have been that was landed twice since, which is why whatever is not handed over at once is compared again.
    """
    return placed is not None and placed.version < record.version and placed.features == record.features_version


def _part(
    bulk: Bulk, batch: Sequence[LandedRecord], linked: set[int], has_words: bool
) -> tuple[list[LandedRecord], set[int]]:
    """Records that found a customer alone, and the ids of records whose neighbourhood has to be settled."""
    touched = linked | {record.id for record in batch if record.version > 1 and record.features is not None}
    if has_words:
        touched |= decisions.anchored(bulk, [record.id for record in batch])
    lone = [record for record in batch if record.id not in touched and record.features is not None]
    return lone, touched


def _current(batch: Sequence[LandedRecord], held: Held) -> list[LandedRecord]:
    """The batch without records that another worker has resolved in a newer version meanwhile."""
    return [record for record in batch if held.versions.get(record.id, (0,))[0] <= record.version]


def _queue_up(bulk: Bulk) -> None:
    """Those who lost a conflict go one after the other, so that a crowd on the same customers cannot starve itself."""
    if bulk.is_postgres:
        bulk.fetch("SELECT pg_advisory_xact_lock(?)", _QUEUE)


def is_conflict(error: Exception) -> bool:
    """Whether a transaction that ended in this only has to be tried again."""
    if isinstance(error, sqlite3.OperationalError):
        return "locked" in str(error)
    if isinstance(error, Moved | TakenMeanwhile):
        return True
    return getattr(error, "sqlstate", None) in _CONFLICTS
