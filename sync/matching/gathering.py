"""The evidence of a switch for all records at once: each is read once, each distinct pair of values compared once.

Batch by batch a record is read again for every batch in which it has a neighbour. Here all are in memory as columns of
numbers, and who shares a key is what ``match_key`` says. Strangers are told apart in bulk; the few pairs that are left
are compared one by one, so that the evidence is that of ``sync.master.candidates`` to the last bit.

Read outside of the transactions that write. What changes meanwhile is landed, and meets all its neighbours when it is
resolved; edges of what is gone, or has other features by then, are left out when they are stored.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mappings.contract import Features
from mappings.matching.bulk import BulkScorer
from mappings.matching.pairing import pairs_of
from mappings.matching.probabilistic import IDS, KIND, TAX, VALUES, FellegiSunterMatcher
from mappings.matching.table import Table
from sync.database import Database
from sync.dedupe.records import KINDS
from sync.master.bulk import Bulk, bulk_for
from sync.master.candidates import Edge, store_edges
from sync.master.inforce import InForce, MatcherSource, reading_with
from sync.master.records import features_of
from sync.matching import due
from sync.matching.active import plain

MOST = 200_000
"""Of more live records a switch compares some at a time: so many take some 150 MB."""
TOGETHER = 20_000
"""Records whose evidence is stored in one transaction."""
_READ = 5_000
_KEYS_A_RECORD, _ROWS = 16, 100_000
_ROUNDING = 1e-6
_SHARED = (
    "SELECT key, record_id FROM (SELECT key, record_id, count(*) OVER (PARTITION BY key) AS holders FROM match_key "
    "WHERE key >= ? AND key <= ?) k WHERE holders > 1 ORDER BY key, record_id"
)
Numbers = NDArray[np.int64]


def gather(database: Database, source: MatcherSource, last: int) -> Gathered | None:
    """The live records up to that id, ready to be compared.

    None where it cannot be done: the matcher has no weights, there are too many, or a block has grown too large.
    """
    with database.reading() as connection:
        bulk = bulk_for(connection)
        force = reading_with(source, bulk)
        matcher = plain(force.matcher)
        if not isinstance(matcher, FellegiSunterMatcher) or due.live_records(connection) > MOST:
            return None
        found = Gathered(matcher, bulk, last)
        return found if found.pair(bulk, force) else None


class Gathered:
    """Records by their place (0, 1, 2 …, by id), and which of them share a key."""

    def __init__(self, matcher: FellegiSunterMatcher, bulk: Bulk, last: int) -> None:
        self._matcher = matcher
        self._tables = {letter: Table(matcher.models[kind].columns) for letter, kind in KINDS.items()}
        self._numbered: dict[int, tuple[list[str], list[str]]] = {}
        ids, versions, kinds = array("q"), array("i"), bytearray()
        for batch in _batches(bulk, last):
            for letter, table in self._tables.items():
                table.extend([features[VALUES:] for _id, _version, features in batch if features[KIND] == letter])
            for record_id, version, features in batch:
                if features[TAX] or features[IDS]:
                    self._numbered[len(ids)] = (features[TAX], features[IDS])
                ids.append(record_id)
                versions.append(version)
                kinds.append(ord(features[KIND]))
        self._ids = np.frombuffer(ids, dtype=np.int64) if ids else np.empty(0, dtype=np.int64)
        self._versions, self._kinds = versions, np.frombuffer(bytes(kinds), dtype=np.uint8)
        self._rows = np.empty(len(ids), dtype=np.int64)
        for letter in KINDS:
            of_kind = np.flatnonzero(self._kinds == ord(letter))
            self._rows[of_kind] = np.arange(len(of_kind))
        self._scorers = {letter: BulkScorer(matcher.models[KINDS[letter]], self._tables[letter]) for letter in KINDS}
        self._pairs = np.empty((0, 2), dtype=np.int64)

    def pair(self, bulk: Bulk, force: InForce) -> bool:
        """Find out who shares a key; False if a block is too large to be gone through."""
        keys, owners = self._shared(bulk)
        linked = np.isin(keys, np.fromiter(force.linked, dtype=np.int64, count=len(force.linked)))
        if np.unique(keys[~linked], return_counts=True)[1].max(initial=0) > force.cap:
            return False
        count = max(len(self._ids), 1)
        pairs = np.concatenate([pairs_of(keys[~linked], owners[~linked], count), _stars(keys[linked], owners[linked])])
        later, earlier = np.divmod(np.unique(pairs[:, 1] * count + pairs[:, 0]), count)
        self._pairs = np.stack([earlier, later], axis=1)
        return True

    def store(self, bulk: Bulk, after: int) -> int:
        """Store the evidence between the next records after an id and those before them; answers up to which id."""
        start = int(np.searchsorted(self._ids, after, side="right"))
        end = min(start + TOGETHER, len(self._ids))
        low, high = np.searchsorted(self._pairs[:, 1], [start, end]).tolist()
        edges = self._edges(self._pairs[low:high, 0].copy(), self._pairs[low:high, 1].copy())
        store_edges(bulk, _standing(bulk, edges), [])
        return int(self._ids[end - 1]) if end > start else after

    def done(self, cursor: int) -> bool:
        """Whether there are no records after this id."""
        return not len(self._ids) or cursor >= int(self._ids[-1])

    def _edges(self, left: Numbers, right: Numbers) -> list[Edge]:
        edges = []
        for at in np.flatnonzero(self._hopeful(left, right)).tolist():
            one, other = int(left[at]), int(right[at])
            evidence = self._matcher.compare(self._features(one), self._features(other))
            if evidence is not None:
                ends = (int(self._ids[one]), int(self._ids[other]), self._versions[one], self._versions[other])
                edges.append(Edge(*ends, evidence.weight, evidence.rule))
        return edges

    def _hopeful(self, left: Numbers, right: Numbers) -> NDArray[np.bool_]:
        """Which pairs may have evidence: as ``FellegiSunterMatcher.promising``."""
        hopeful = np.zeros(len(left), dtype=bool)
        for letter, scorer in self._scorers.items():
            at = np.flatnonzero((self._kinds[left] == ord(letter)) & (self._kinds[right] == ord(letter)))
            model = self._matcher.models[KINDS[letter]]
            weights = scorer.weights(model, self._rows[left[at]], self._rows[right[at]])
            hopeful[at] = weights >= self._matcher.review_from - _ROUNDING
        if self._numbered:
            numbered = np.zeros(len(self._ids), dtype=bool)
            numbered[list(self._numbered)] = True
            hopeful |= numbered[left] & numbered[right]
        return hopeful

    def _features(self, place: int) -> Features:
        letter = chr(self._kinds[place])
        tax, ids = self._numbered.get(place, ([], []))
        return (letter, tax, ids, *self._tables[letter][int(self._rows[place])])

    def _shared(self, bulk: Bulk) -> tuple[Numbers, Numbers]:
        """The keys that several records share, and the places of these, by key and id."""
        keys, owners = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for low, high in _ranges(max(1, len(self._ids) * _KEYS_A_RECORD // _ROWS)):
            rows = np.array(bulk.fetch(_SHARED, low, high), dtype=np.int64).reshape(-1, 2)
            places = np.minimum(np.searchsorted(self._ids, rows[:, 1]), max(len(self._ids) - 1, 0))
            known = self._ids[places] == rows[:, 1] if len(self._ids) else np.zeros(len(rows), dtype=bool)
            keys.append(rows[known, 0])
            owners.append(places[known])
        return np.concatenate(keys), np.concatenate(owners)


def _batches(bulk: Bulk, last: int) -> Iterator[list[tuple[int, int, Features]]]:
    after = 0
    while True:
        rows = bulk.fetch(
            "SELECT id, coalesce(features_version, version), features FROM source_record "
            "WHERE id > ? AND id <= ? AND deleted_at IS NULL AND features IS NOT NULL ORDER BY id LIMIT ?",
            after,
            last,
            _READ,
        )
        if not rows:
            return
        yield [(row[0], row[1], features_of(row[2]) or ()) for row in rows]
        after = rows[-1][0]


def _ranges(count: int) -> Iterator[tuple[int, int]]:
    """All signed 64-bit integers in so many ranges; keys are hashes, so that each holds about as many."""
    step = 2**64 // count
    for number in range(count):
        yield -(2**63) + number * step, -(2**63) + (number + 1) * step - 1 if number + 1 < count else 2**63 - 1


def _stars(keys: Numbers, owners: Numbers) -> Numbers:
    """Of each key the first record with every other one (both sorted)."""
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.empty(0, dtype=np.int64)
    firsts = np.repeat(owners[first], np.diff(np.r_[first, len(keys)]))
    others = np.ones(len(keys), dtype=bool)
    others[first] = False
    return np.stack([firsts[others], owners[others]], axis=1)


def _standing(bulk: Bulk, edges: list[Edge]) -> list[Edge]:
    """The edges whose ends are still what they were when they were read."""
    ends = sorted({end for edge in edges for end in edge[:2]})
    rows = bulk.fetch(
        "SELECT id, coalesce(features_version, version) FROM source_record "
        "WHERE id {ints} AND deleted_at IS NULL AND features IS NOT NULL",
        ends,
    )
    now: dict[int, int] = {row[0]: row[1] for row in rows}
    return [e for e in edges if now.get(e.left) == e.left_version and now.get(e.right) == e.right_version]
