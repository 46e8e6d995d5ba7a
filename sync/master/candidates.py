"""Which other records a batch is compared with, and what the comparisons found.

Keys are committed by LAND, so of two records landed at the same time at least the later sees the other: no pair is
missed, and no lock is held while comparing. An edge names the versions it was computed from and counts only while
both are current; writing it twice is harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mappings.contract import Features, Matcher
from sync.master.bulk import Bulk
from sync.master.records import LandedRecord, features_of

MAX_BLOCK = 100
"""A record is compared with at most so many others that share one key: the first landed ones."""


_EDGE = (
    ("left_id", "int8"),
    ("right_id", "int8"),
    ("left_version", "int4"),
    ("right_version", "int4"),
    ("weight", "float8"),
    ("rule", "text"),
)


class Edge(NamedTuple):
    """Evidence between two records (``left`` < ``right``), of these versions."""

    left: int
    right: int
    left_version: int
    right_version: int
    weight: float
    rule: str


class Found(NamedTuple):
    """The edges of a batch, and how many keys were shared by more records than are compared."""

    edges: list[Edge]
    oversized: int


class _Side(NamedTuple):
    version: int
    features: Features


def find_edges(bulk: Bulk, batch: Sequence[LandedRecord], matcher: Matcher) -> Found:
    """Compare every record of the batch with all that share a key with it."""
    blocks = _shared_blocks(bulk, batch)
    if not blocks:
        return Found([], 0)
    pairs, oversized = _pairs(batch, blocks)
    sides = {record.id: _Side(record.version, record.features) for record in batch if record.features is not None}
    sides |= _load_sides(bulk, {record_id for pair in pairs for record_id in pair} - sides.keys())
    return Found(_compare(pairs, sides, matcher), oversized)


def store_edges(bulk: Bulk, edges: Sequence[Edge], changed: Sequence[LandedRecord]) -> None:
    """Write the edges, and forget those of older versions of the changed records."""
    bulk.apply(
        "DELETE FROM match_edge WHERE (left_id, right_id) IN ("
        "SELECT e.left_id, e.right_id FROM {rows} r JOIN match_edge e ON "
        "(e.left_id = r.id AND e.left_version < r.version) OR (e.right_id = r.id AND e.right_version < r.version))",
        (("id", "int8"), ("version", "int4")),
        [(record.id, record.version) for record in changed],
    )
    bulk.apply(
        "INSERT INTO match_edge (left_id, right_id, left_version, right_version, weight, rule) "
        "SELECT left_id, right_id, left_version, right_version, weight, rule FROM {rows} r WHERE true "
        "ON CONFLICT (left_id, right_id) DO UPDATE SET "
        "left_version = excluded.left_version, right_version = excluded.right_version, "
        "weight = excluded.weight, rule = excluded.rule "
        "WHERE match_edge.left_version <= excluded.left_version AND match_edge.right_version <= excluded.right_version",
        _EDGE,
        sorted(edges),
    )


def _shared_blocks(bulk: Bulk, batch: Sequence[LandedRecord]) -> Mapping[int, list[int]]:
    """The members of each key of the batch that is shared by two or more records."""
    keys = list({key for record in batch for key in record.keys})
    if not keys:
        return {}
    rows = bulk.fetch(
        "SELECT m.key, m.record_id FROM match_key m JOIN ("
        "SELECT key FROM match_key WHERE key {ints} GROUP BY key HAVING count(*) > 1) shared ON shared.key = m.key "
        "ORDER BY m.key, m.record_id",
        keys,
    )
    blocks: dict[int, list[int]] = defaultdict(list)
    for key, record_id in rows:
        blocks[key].append(record_id)
    return blocks


def _pairs(batch: Sequence[LandedRecord], blocks: Mapping[int, list[int]]) -> tuple[set[tuple[int, int]], int]:
    pairs: set[tuple[int, int]] = set()
    for record in batch:
        for key in record.keys:
            for other in blocks.get(key, ())[:MAX_BLOCK]:
                if other != record.id:
                    pairs.add((other, record.id) if other < record.id else (record.id, other))
    return pairs, sum(len(members) > MAX_BLOCK for members in blocks.values())


def _load_sides(bulk: Bulk, record_ids: Iterable[int]) -> dict[int, _Side]:
    rows = bulk.fetch(
        "SELECT id, version, features FROM source_record "
        "WHERE id {ints} AND deleted_at IS NULL AND features IS NOT NULL",
        list(record_ids),
    )
    return {row[0]: _Side(row[1], features_of(row[2]) or ()) for row in rows}


def _compare(pairs: Iterable[tuple[int, int]], sides: Mapping[int, _Side], matcher: Matcher) -> list[Edge]:
    edges = []
    for left, right in pairs:
        one, other = sides.get(left), sides.get(right)
        if one is None or other is None:
            continue
        evidence = matcher.compare(one.features, other.features)
        if evidence is not None:
            edges.append(Edge(left, right, one.version, other.version, evidence.weight, evidence.rule))
    return edges
