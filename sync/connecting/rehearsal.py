"""The first sync of a connection, rehearsed: its records are landed and resolved in a transaction that is rolled back.

What is counted is therefore what the sync itself would do, with the same mapping, the same match model and the same
customers. Reading comes first, outside of the transaction, and is bounded; the transaction holds the numbers of the
change feed, so it is short.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from connectors.contract import Page
from sync.connecting.probing import Sample, sample
from sync.master import landing, resolving
from sync.master.bulk import bulk_for
from sync.master.inforce import reading_with
from sync.master.streams import StreamRef
from sync.project import Project
from sync.registration import register
from sync.runs.requests import find_stream
from sync.runs.wording import Failure, failure
from sync.stewardship import review

MOST = 1_000
"""Records that are read and tried; more would hold up the feed for too long."""
_TRIES = 5


class Rehearsed(NamedTuple):
    """What a first sync of one stream would do with the records that were tried.

    ``create``: new customers; ``match``: records that join customers of other streams; ``join``: records that are
    duplicates of each other within the sample; ``review``: pairs that a steward would be asked about; ``rejected`` go
    to quarantine, each reason with its count. ``whole``: the sample is everything there is.
    """

    stream: str
    read: int
    total: int | None
    whole: bool
    create: int
    match: int
    join: int
    review: int
    rejected: int
    reasons: list[tuple[Failure, int]]
    seconds: float


class _RolledBack(Exception):
    def __init__(self, found: Rehearsed) -> None:
        self.found = found


def rehearse(project: Project, name: str, stream: str, *, most: int = MOST) -> Rehearsed:
    """Try the first sync of a stream. Nothing is stored. Raises ConnectorError, MappingError, SwitchUnderWay."""
    started = time.monotonic()
    project.mapping(name, stream)
    records = sample(project, name, stream, most)
    for attempt in range(1, _TRIES + 1):
        try:
            with project.database.hot_transaction() as connection:
                raise _RolledBack(_tried(project, connection, (name, stream), records, started))
        except _RolledBack as end:
            return end.found
        except Exception as error:
            if attempt == _TRIES or not resolving.is_conflict(error):
                raise
            time.sleep(random.uniform(0.05, 0.3) * attempt)  # noqa: S311 - jitter
    raise AssertionError("unreachable")


def _tried(
    project: Project, connection: Connection, names: tuple[str, str], records: Sample, started: float
) -> Rehearsed:
    register(project, connection)
    stream = find_stream(connection, *names)
    landed = landing.land(
        connection, stream, Page(records.records, {}), project.mapping(*names), project.matcher, now=datetime.now(UTC)
    )
    if landed.landing_id is not None:
        matcher, survivorship = project.matcher, project.survivorship
        resolving.resolve_in(connection, [landed.landing_id], matcher=matcher, survivorship=survivorship)
    create, match, join = _placed(connection, stream)
    return Rehearsed(
        stream=stream.name,
        read=len(records.records) + records.rejected,
        total=records.total,
        whole=records.whole,
        create=create,
        match=match,
        join=join,
        review=_to_review(project, connection, stream),
        rejected=len(landed.rejections) + records.rejected,
        reasons=_reasons([one.error for one in landed.rejections]),
        seconds=time.monotonic() - started,
    )


def _placed(connection: Connection, stream: StreamRef) -> tuple[int, int, int]:
    """Customers made of this stream's records alone; records in customers of others; further records of the former."""
    rows = bulk_for(connection).fetch(
        "SELECT x.customer_id, count(*), (SELECT count(*) FROM crosswalk y JOIN source_record o ON o.id = y.record_id "
        "WHERE y.customer_id = x.customer_id AND o.stream_id <> ?) "
        "FROM crosswalk x JOIN source_record r ON r.id = x.record_id WHERE r.stream_id = ? GROUP BY x.customer_id",
        stream.id,
        stream.id,
    )
    alone = [row[1] for row in rows if not row[2]]
    return len(alone), sum(row[1] for row in rows if row[2]), sum(alone) - len(alone)


def _to_review(project: Project, connection: Connection, stream: StreamRef) -> int:
    """Pairs of customers, one of them with a record of the stream, that a steward would be asked about."""
    low, high = review.thresholds(reading_with(project.matcher, bulk_for(connection)).matcher)
    rows = bulk_for(connection).fetch(
        "WITH mine AS (SELECT id FROM source_record WHERE stream_id = ?), "
        "near AS (SELECT e.* FROM mine JOIN match_edge e ON e.left_id = mine.id "
        "UNION SELECT e.* FROM mine JOIN match_edge e ON e.right_id = mine.id) "
        "SELECT count(*) FROM (SELECT DISTINCT "
        "CASE WHEN l.customer_id < r.customer_id THEN l.customer_id ELSE r.customer_id END AS one, "
        "CASE WHEN l.customer_id < r.customer_id THEN r.customer_id ELSE l.customer_id END AS other "
        "FROM near e "
        "JOIN crosswalk l ON l.record_id = e.left_id AND coalesce(l.features_version, l.version) = e.left_version "
        "JOIN crosswalk r ON r.record_id = e.right_id AND coalesce(r.features_version, r.version) = e.right_version "
        "WHERE l.customer_id <> r.customer_id AND e.weight >= ? AND e.weight < ?) AS pairs",
        stream.id,
        max(low, -1e300),
        min(high, 1e300),
    )
    return int(rows[0][0])


def _reasons(errors: Sequence[Exception]) -> list[tuple[Failure, int]]:
    found: dict[tuple[str, str], tuple[Failure, int]] = {}
    for error in errors:
        why = failure(error)
        key = (why.code, why.message.template)
        kept, count = found.get(key, (why, 0))
        found[key] = (kept, count + 1)
    return sorted(found.values(), key=lambda pair: -pair[1])[:5]
