"""Which other records a batch is compared with, and what the comparisons found.

Keys are committed by LAND, so of two records landed at the same time at least the later sees the other: no pair is
missed, and no lock is held while comparing. An edge names the versions of the features it was computed from and
counts only while both are current; writing it twice is harmless. Which pairs are compared is a function of the live
records and the version in force: all that share a key, and in blocks linked as a star each record with the first other
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple

from mappings.contract import Features, Matcher
from sync.master import blocks
from sync.master.bulk import Bulk, Question
from sync.master.inforce import InForce, MayNotRecord, Sifting, lock_against_recording, lock_for_recording, recorded
from sync.master.records import LandedRecord, features_of

CONNECTING_WEIGHT = -1.0
"""Edges from this weight on make one component, within which the matcher decides; lower ones are for stewards."""

SIFTED_FROM = 300
"""Fewer pairs are compared one by one: setting up to sift them costs some milliseconds."""

MOST_NEAR = 400
"""So many rows of records that share a key are read before it is known whether a block is crowded."""

_NEAR = (  # of the records that are at hand their keys alone
    "SELECT k.key, k.record_id, coalesce(s.features_version, s.version), s.features FROM match_key k "
    "LEFT JOIN source_record s ON s.id = CASE WHEN NOT k.record_id {ints} THEN k.record_id END "
    "AND s.deleted_at IS NULL AND s.features IS NOT NULL WHERE k.key {ints} LIMIT ?"
)
_EDGE = (
    ("left_id", "int8"),
    ("right_id", "int8"),
    ("left_version", "int4"),
    ("right_version", "int4"),
    ("weight", "float8"),
    ("rule", "text"),
)


class Edge(NamedTuple):
    """Evidence between two records (``left`` < ``right``), of features of these versions."""

    left: int
    right: int
    left_version: int
    right_version: int
    weight: float
    rule: str


@dataclass(slots=True)
class Found:
    """The edges of a batch; ``crowded`` counts the blocks that were found past the cap, ``loosened`` are the records
    that lost edges by that. ``force`` is what was in force in the end.
    """

    edges: list[Edge]
    force: InForce
    crowded: int = 0
    loosened: set[int] = field(default_factory=set)

    @property
    def ends(self) -> set[int]:
        """The records whose neighbourhood changes."""
        near = {end for edge in self.edges if edge.weight >= CONNECTING_WEIGHT for end in edge[:2]}
        return near | self.loosened


class Side(NamedTuple):
    """One record of a pair: its version, and its features."""

    version: int
    features: Features


Pairs = Iterable[tuple[int, int]]
Compare = Callable[[Pairs, Mapping[int, Side], Matcher], list[Edge]]
"""Compares pairs of records (by id); pairs of which a side is not there are left out."""


def find_lasting_edges(bulk: Bulk, batch: Sequence[LandedRecord], force: InForce) -> Found:
    """The same as ``find_edges``, and nobody records crowded blocks any more until the transaction ends.

    Edges found through a block that was recorded meanwhile would not count, nor would those through finer ones be
    found: then all is looked for again.
    """
    found = find_edges(bulk, batch, force)
    if bulk.is_postgres and not (found.crowded or force.lasting):
        lock_against_recording(bulk)
        now = recorded(bulk, found.force)
        if now is not found.force:
            return find_edges(bulk, batch, now)
    return found


def find_edges(
    bulk: Bulk,
    batch: Sequence[LandedRecord],
    force: InForce,
    *,
    senior_only: bool = False,
    compare: Compare | None = None,
) -> Found:
    """Compare every record of the batch with all that share a key with it.

    ``senior_only``: with records of lower ids only, as when all records are gone through in order of id. ``compare``
    may weigh the pairs elsewhere (see ``sync.matching.weighing``). Raises MayNotRecord.
    """
    found = Found([], force)
    keys = _keys(batch, {record.id: record.keys for record in batch}, force)
    wanted = _distinct(keys) - force.linked
    near = _near(bulk, batch, wanted) if force.lasting else None
    shared, sides = near or (blocks.shared(bulk, wanted), {})
    if blocks.crowded(force, shared):
        shared, keys = _uncrowd(bulk, batch, found, keys, shared)
    again = _unlinked(bulk, batch, found.force)
    keys |= again
    pairs = _pairs(keys, shared, senior_only) | _star_pairs(bulk, keys, found.force.linked)
    if pairs:
        sides |= {
            record.id: Side(record.features_version, record.features) for record in batch if record.features is not None
        }
        missing = {record_id for pair in pairs for record_id in pair} - sides.keys()
        sides |= _load_sides(bulk, missing) if missing else {}
        found.edges = (compare or _compare)(pairs, sides, found.force.matcher)
    return found


def store_edges(bulk: Bulk, edges: Sequence[Edge], changed: Sequence[LandedRecord]) -> None:
    """Write the edges, and forget those of older versions of the changed records."""
    bulk.apply(
        "DELETE FROM match_edge WHERE (left_id, right_id) IN ("
        "SELECT e.left_id, e.right_id FROM {rows} r JOIN match_edge e ON "
        "(e.left_id = r.id AND e.left_version < r.version) OR (e.right_id = r.id AND e.right_version < r.version))",
        (("id", "int8"), ("version", "int4")),
        [(record.id, record.features_version) for record in changed],
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


def _keys(batch: Sequence[LandedRecord], keys: Mapping[int, Sequence[int]], force: InForce) -> dict[int, Sequence[int]]:
    """The keys of the batch; what was keyed before a block was recorded has others by now."""
    found = dict(keys)
    if force.refined:
        for record in batch:
            if record.features is not None and not force.refined.isdisjoint(found[record.id]):
                found[record.id] = force.keys(record.features)
    return found


def _distinct(keys: Mapping[int, Sequence[int]]) -> set[int]:
    return {key for held in keys.values() for key in held}


def _uncrowd(
    bulk: Bulk,
    batch: Sequence[LandedRecord],
    found: Found,
    keys: dict[int, Sequence[int]],
    shared: dict[int, list[int]],
) -> tuple[dict[int, list[int]], dict[int, Sequence[int]]]:
    """Record crowded blocks until none of the batch's is; answers its shared blocks and its keys then.

    Whatever others land meanwhile meets the batch when it is resolved itself, so only crowds are read again.
    """
    if found.force.lasting:
        raise MayNotRecord
    lock_for_recording(bulk)
    now = recorded(bulk, found.force)
    if now is not found.force:  # somebody else has recorded blocks while we waited
        found.force = now
        keys = _keys(batch, keys, now)
        shared = blocks.shared(bulk, _distinct(keys) - now.linked)
    while crowded := blocks.crowded(found.force, shared):
        if bulk.is_postgres:
            shared |= {key: [] for key in crowded} | blocks.shared(bulk, crowded)
            crowded = blocks.crowded(found.force, shared)
            if not crowded:
                break
        crowd = blocks.record(bulk, found.force, crowded)
        found.force = crowd.force
        found.loosened |= crowd.loosened
        found.crowded += len(crowded)
        before, keys = _distinct(keys), _keys(batch, keys, found.force)
        shared = {key: members for key, members in shared.items() if key not in crowded}
        shared |= blocks.shared(bulk, _distinct(keys) - before - found.force.linked)
    return shared, keys


def _pairs(
    keys: Mapping[int, Sequence[int]], shared: Mapping[int, Sequence[int]], senior_only: bool
) -> set[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for record_id, held in keys.items():
        for key in held:
            for other in shared.get(key, ()):
                if other < record_id:
                    pairs.add((other, record_id))
                elif other > record_id and not senior_only:
                    pairs.add((record_id, other))
    return pairs


def _star_pairs(bulk: Bulk, keys: Mapping[int, Sequence[int]], linked: frozenset[int]) -> set[tuple[int, int]]:
    """Of blocks linked as a star: each record with the first other one that has the key."""
    if not linked:
        return set()
    held = {record_id: linked.intersection(found) for record_id, found in keys.items()}
    first = {key: blocks.holder(bulk, key) for key in set().union(*held.values())}
    pairs: set[tuple[int, int]] = set()
    for record_id, found in held.items():
        for key in found:
            other = next((one for one in first[key] if one != record_id), None)
            if other is not None:
                pairs.add((min(other, record_id), max(other, record_id)))
    return pairs


def _unlinked(bulk: Bulk, batch: Sequence[LandedRecord], force: InForce) -> dict[int, Sequence[int]]:
    """Keys of records that hung on a changed record of the batch in a star: they need another one to hang on."""
    changed = [record.id for record in batch if record.version > 1]
    if not (force.linked and changed):
        return {}
    rows = bulk.fetch(
        "SELECT right_id FROM match_edge WHERE left_id {ints} "
        "UNION SELECT left_id FROM match_edge WHERE right_id {ints}",
        changed,
        changed,
    )
    others = {row[0] for row in rows} - {record.id for record in batch}
    found = {one: force.keys(features) for one, features in blocks.load_features(bulk, sorted(others)).items()}
    return {one: sorted(force.linked.intersection(keys)) for one, keys in found.items()}


def nearing(batch: Sequence[LandedRecord], keys: Iterable[int]) -> Question:
    """What is asked first of a few records that have these keys, if any."""
    return _NEAR, [record.id for record in batch], sorted(keys), MOST_NEAR


def _near(
    bulk: Bulk, batch: Sequence[LandedRecord], keys: set[int]
) -> tuple[dict[int, list[int]], dict[int, Side]] | None:
    """The members of each of the keys, and the others among them to compare with; None: there are too many."""
    shared: dict[int, list[int]] = {}
    sides: dict[int, Side] = {}
    rows = bulk.fetch(*nearing(batch, keys)) if keys else []
    for key, record_id, version, features in rows:
        shared.setdefault(key, []).append(record_id)
        if features is not None and record_id not in sides:
            sides[record_id] = Side(version, features_of(features) or ())
    return (shared, sides) if len(rows) < MOST_NEAR else None


def _load_sides(bulk: Bulk, record_ids: Iterable[int]) -> dict[int, Side]:
    rows = bulk.fetch(
        "SELECT id, coalesce(features_version, version), features FROM source_record "
        "WHERE id {ints} AND deleted_at IS NULL AND features IS NOT NULL",
        list(record_ids),
    )
    return {row[0]: Side(row[1], features_of(row[2]) or ()) for row in rows}


def _compare(pairs: Pairs, sides: Mapping[int, Side], matcher: Matcher) -> list[Edge]:
    edges = []
    for left, right in _promising([pair for pair in pairs if pair[0] in sides and pair[1] in sides], sides, matcher):
        one, other = sides[left], sides[right]
        evidence = matcher.compare(one.features, other.features)
        if evidence is not None:
            edges.append(Edge(left, right, one.version, other.version, evidence.weight, evidence.rule))
    return edges


def _promising(
    pairs: Sequence[tuple[int, int]], sides: Mapping[int, Side], matcher: Matcher
) -> Iterable[tuple[int, int]]:
    """The pairs worth comparing one by one: most of those that share a key are strangers, told apart in bulk."""
    if len(pairs) < SIFTED_FROM or not isinstance(matcher, Sifting):
        return pairs
    numbers = {record_id: number for number, record_id in enumerate(sides)}
    left, right = ([numbers[pair[end]] for pair in pairs] for end in (0, 1))
    return compress(pairs, matcher.promising([side.features for side in sides.values()], left, right))
