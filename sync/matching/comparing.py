"""What another version would change: how many customers would merge and split, with samples; nothing is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from mappings.contract import Decision, Features, RecordKey
from sync.master import decisions, streams
from sync.master.bulk import bulk_for
from sync.master.identity import public_id
from sync.matching import partition, store
from sync.matching.partition import Told
from sync.stewardship.records import address

SAMPLES = 10


class Change(NamedTuple):
    """One customer-to-be (or -to-have-been): its records by the customer that each is in under the other version."""

    parts: list[list[str]]
    name: str


class Comparison(NamedTuple):
    """The customers under two versions: how many, how many become one or several, and samples of both."""

    records: int
    before: int
    after: int
    merged: int
    split: int
    merges: list[Change]
    splits: list[Change]


class _Record(NamedTuple):
    key: RecordKey
    address: str
    customer: dict[str, Any]
    group: int


def compare(connection: Connection, old: int, new: int, told: Told = lambda done, total: None) -> Comparison:
    """Compare two versions over the live records. The one in force is taken as it stands. Raises NotFound."""
    records = _load(connection)
    judged = _decisions(connection, records)
    active = store.active(connection).number
    before = _groups(connection, old, active, records, judged, told)
    after = _groups(connection, new, active, records, judged, told)
    merges, splits = _crossing(after, before), _crossing(before, after)
    return Comparison(
        len(records),
        len(before),
        len(after),
        len(merges),
        len(splits),
        [_change(parts, records) for parts in merges[:SAMPLES]],
        [_change(parts, records) for parts in splits[:SAMPLES]],
    )


def _load(connection: Connection) -> dict[int, _Record]:
    directory = streams.load(connection)
    rows = bulk_for(connection).fetch(
        "SELECT s.id, s.stream_id, s.source_id, s.part, s.canonical, x.customer_id FROM source_record s "
        "JOIN crosswalk x ON x.record_id = s.id WHERE s.deleted_at IS NULL AND s.canonical IS NOT NULL ORDER BY s.id"
    )
    return {
        row[0]: _Record(
            directory[row[1]].key(row[2], row[3]),
            address(directory[row[1]], row[2], row[3]),
            orjson.loads(row[4]),
            row[5],
        )
        for row in rows
    }


def _decisions(connection: Connection, records: Mapping[int, _Record]) -> list[Decision]:
    words = decisions.read(bulk_for(connection), records) if decisions.exist(bulk_for(connection)) else None
    if words is None:
        return []
    keys = {number: record.key for number, record in records.items()}
    links = decisions.links(words.verdicts.values(), keys)
    return [
        Decision(keys[left], keys[right], same)
        for pairs, same in ((links.must, True), (links.cannot, False))
        for left, right in pairs
    ]


def _groups(
    connection: Connection,
    number: int,
    active: int,
    records: Mapping[int, _Record],
    judged: Sequence[Decision],
    told: Told,
) -> list[list[int]]:
    if number == active:
        found: dict[int, list[int]] = defaultdict(list)
        for record_id, record in records.items():
            found[record.group].append(record_id)
        return list(found.values())
    matcher, cap = store.matcher_of(connection, number), store.get(connection, number).block_cap
    features: dict[int, tuple[RecordKey, Features]] = {
        record_id: (record.key, matcher.features(record.customer)) for record_id, record in records.items()
    }
    return partition.customers(features, matcher, cap, judged, told=told)


def _crossing(groups: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """The groups whose records are in several of the others, the largest first: by the other they are in."""
    other_of = {record: place for place, group in enumerate(others) for record in group}
    found = []
    for group in groups:
        parts: dict[int, list[int]] = defaultdict(list)
        for record in group:
            parts[other_of[record]].append(record)
        if len(parts) > 1:
            found.append(sorted(map(sorted, parts.values())))
    return sorted(found, key=lambda parts: (-sum(map(len, parts)), parts))


def _change(parts: Sequence[Sequence[int]], records: Mapping[int, _Record]) -> Change:
    names = [str(records[one].customer.get("name", "")) for part in parts for one in part]
    return Change(
        [[records[one].address for one in part] for part in parts],
        next(filter(None, names), public_id(records[parts[0][0]].group)),
    )
