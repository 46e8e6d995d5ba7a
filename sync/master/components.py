"""The part of the master that a batch touches: read under locks, so that nobody else changes it meanwhile.

The unit of change is everything connected to a changed record: the members of its customer, and whatever current
edges or must-link decisions lead to. Customers are locked as they are met; a record that no customer holds yet is
guarded by the primary key of the crosswalk: whoever inserts second conflicts, and starts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sync.master import decisions
from sync.master.bulk import Bulk, Row
from sync.master.candidates import CONNECTING_WEIGHT, Edge
from sync.master.decisions import Words
from sync.master.records import LandedRecord

FEW = 20
"""The neighbourhoods of so many records are read at once."""

_COLUMNS = "left_id, right_id, left_version, right_version, weight, rule"
_EDGES = (
    f"SELECT {_COLUMNS} FROM match_edge WHERE left_id {{ints}} "  # noqa: S608 - fixed columns
    f"UNION SELECT {_COLUMNS} FROM match_edge WHERE right_id {{ints}}"
)
_THEIR_CUSTOMERS = "SELECT customer_id FROM crosswalk WHERE record_id {ints}"
_CUSTOMERS = f"SELECT id, version, status, golden FROM customer WHERE id IN ({_THEIR_CUSTOMERS}) ORDER BY id"  # noqa: S608
_NEAR = (  # the records themselves, and all that share a customer with one of them
    f"SELECT record_id AS id FROM crosswalk WHERE customer_id IN ({_THEIR_CUSTOMERS}) "  # noqa: S608
    "UNION SELECT id FROM source_record WHERE id {ints}"
)
_MEMBERS = (
    "SELECT near.id, x.customer_id, x.version, coalesce(x.features_version, x.version), "  # noqa: S608
    "s.version, coalesce(s.features_version, s.version), s.stream_id, s.source_id, s.part, s.features, s.canonical, "
    f"s.deleted_at IS NULL FROM ({_NEAR}) near "
    "LEFT JOIN source_record s ON s.id = near.id LEFT JOIN crosswalk x ON x.record_id = near.id"
)
_EDGES_NEAR = (
    f"SELECT {_COLUMNS} FROM match_edge WHERE left_id IN ({_NEAR}) "  # noqa: S608
    f"UNION SELECT {_COLUMNS} FROM match_edge WHERE right_id IN ({_NEAR})"
)


class Standing(NamedTuple):
    """A version of a record, and the version since which it has its features."""

    version: int
    features: int

    @classmethod
    def of(cls, record: LandedRecord) -> Standing:
        """How a landed record stands."""
        return cls(record.version, record.features_version)


class Stored(NamedTuple):
    """A record as it was read together with its neighbourhood; without features it is no customer."""

    version: int
    stream_id: int
    source_id: str
    part: str
    features: str | None
    canonical: str | None


class HeldCustomer(NamedTuple):
    """A customer's row while its lock is held."""

    id: int
    version: int
    status: str
    golden: str
    members: frozenset[int]


@dataclass(slots=True)
class Held:
    """The touched neighbourhood. ``assigned`` says where records were before, ``versions`` what was resolved,
    ``stored`` some of the records. ``highest`` is the greatest customer id locked so far.
    """

    records: set[int] = field(default_factory=set)
    assigned: dict[int, int] = field(default_factory=dict)
    versions: dict[int, Standing] = field(default_factory=dict)
    customers: dict[int, HeldCustomer] = field(default_factory=dict)
    edges: dict[tuple[int, int], Edge] = field(default_factory=dict)
    words: Words = field(default_factory=Words)
    highest: int = -1
    met: set[int] = field(default_factory=set)
    stored: dict[int, Stored] = field(default_factory=dict)


def hold(bulk: Bulk, batch: Sequence[LandedRecord], start: Collection[int], has_words: bool, met: set[int]) -> Held:
    """Lock and read everything connected to the records in ``start``; ``batch`` tells the versions being resolved.

    ``has_words``: whether stewards are known to have said anything. Where not, it is asked again once customers are
    locked: a first decision may have been committed since, and whoever made it waits for these locks to take effect.

    ``met`` collects the customers that were locked. A try that lost a conflict hands them to the next one, which
    locks them all first, in order, and so waits for its turn instead of losing again.
    """
    held = Held(met=met)
    if not start and not met:
        return held
    resolving = {record.id: Standing.of(record) for record in batch}
    frontier = set(start) | _lock(bulk, held, set(met))
    at_once = not met and len(frontier) <= FEW
    while frontier:
        ends = _hold_at_once(bulk, held, frontier, resolving) if at_once else None
        at_once = False
        if ends is None:
            frontier |= _hold_customers(bulk, held, frontier)
            held.records |= frontier
            _fix_versions(bulk, held, frontier, resolving)
            ends = _read_edges(bulk, held, frontier)
        if has_words or decisions.exist(bulk):
            ends |= _read_words(bulk, held, frontier if has_words else held.records)
            has_words = True
        frontier = ends - held.records
    _drop_stale_edges(held)
    return held


def lock_customers(bulk: Bulk, held: Held, ids: Sequence[int]) -> list[Row]:
    """Lock customers by ascending id; answers (id, version, status, golden, members) of those that exist.

    Waiting is safe only in ascending order. An id below those already held is locked without waiting: a conflict
    raises at once and the batch starts again, instead of running into a deadlock that takes a second to be noticed.
    """
    held.met.update(ids)
    locking = ""
    if bulk.is_postgres:
        locking = " FOR UPDATE" if ids[0] > held.highest else " FOR UPDATE NOWAIT"
        held.highest = max(held.highest, ids[-1])
    return bulk.fetch(
        f"SELECT id, version, status, golden, members FROM customer WHERE id {{ints}} ORDER BY id{locking}",  # noqa: S608
        list(ids),
    )


def _hold_at_once(bulk: Bulk, held: Held, frontier: set[int], resolving: dict[int, Standing]) -> set[int] | None:
    """What the first turn of ``hold`` does, in one round trip; adds the members to the frontier and answers the ends
    of their edges. None: somebody moved a record just before its customer was locked, so that it has to be done in
    turn.
    """
    ids = sorted(frontier)
    locking = " FOR UPDATE" if bulk.is_postgres else ""
    bulk.ahead((_CUSTOMERS + locking, ids), (_MEMBERS, ids, ids), (_EDGES_NEAR, ids, ids, ids, ids), decisions.EXISTING)
    customers = bulk.fetch(_CUSTOMERS + locking, ids)
    locked = {row[0] for row in customers}
    held.met |= locked
    held.highest = max(locked, default=held.highest)
    rows = bulk.fetch(_MEMBERS, ids, ids)
    if {row[1] for row in rows if row[1] is not None} != locked:
        return None
    members: dict[int, set[int]] = defaultdict(set)
    for record_id, customer_id, version, features, landed, landed_features, *stored, is_live in rows:
        if customer_id is not None:
            members[customer_id].add(record_id)
            held.assigned[record_id] = customer_id
            held.versions[record_id] = Standing(version, features)
        elif landed is not None:
            held.versions[record_id] = Standing(landed, landed_features)
        if landed is not None:
            held.stored[record_id] = Stored(landed, *(stored if is_live else (*stored[:3], None, stored[4])))
    for row in customers:
        held.customers[row[0]] = HeldCustomer(row[0], row[1], row[2], row[3], frozenset(members[row[0]]))
    frontier.update(held.assigned)
    held.records |= frontier
    for record_id in frontier & resolving.keys():
        placed = record_id in held.assigned
        held.versions[record_id] = (
            max(resolving[record_id], held.versions[record_id]) if placed else resolving[record_id]
        )
    return _take_edges(held, bulk.fetch(_EDGES_NEAR, ids, ids, ids, ids))


def _hold_customers(bulk: Bulk, held: Held, records: set[int]) -> set[int]:
    """Lock the customers of the records; answers all their members. Repeats until nothing moved meanwhile."""
    members: set[int] = set()
    unplaced = set(records)
    while unplaced:
        rows = bulk.fetch("SELECT record_id, customer_id FROM crosswalk WHERE record_id {ints}", sorted(unplaced))
        found = _lock(bulk, held, {row[1] for row in rows} - held.customers.keys())
        members |= found
        # A record read before its customer was locked may have moved in between: look again.
        unplaced = {row[0] for row in rows} - held.assigned.keys()
    return members


def _lock(bulk: Bulk, held: Held, customer_ids: set[int]) -> set[int]:
    if not customer_ids:
        return set()
    ids = sorted(customer_ids)
    customers = lock_customers(bulk, held, ids)
    members: dict[int, set[int]] = defaultdict(set)
    for record_id, customer_id, version, features in bulk.fetch(
        "SELECT record_id, customer_id, version, coalesce(features_version, version) FROM crosswalk "
        "WHERE customer_id {ints}",
        ids,
    ):
        members[customer_id].add(record_id)
        held.assigned[record_id] = customer_id
        held.versions[record_id] = Standing(version, features)
    for row in customers:
        held.customers[row[0]] = HeldCustomer(row[0], row[1], row[2], row[3], frozenset(members[row[0]]))
    return set().union(*members.values())


def _fix_versions(bulk: Bulk, held: Held, records: set[int], resolving: dict[int, Standing]) -> None:
    """The version of each record whose edges count: the one being resolved, else the resolved, else the landed."""
    for record_id in records & resolving.keys():
        held.versions[record_id] = max(resolving[record_id], held.versions.get(record_id, Standing(0, 0)))
    unresolved = sorted(records - held.versions.keys())
    if unresolved:
        rows = bulk.fetch(
            "SELECT id, version, coalesce(features_version, version) FROM source_record WHERE id {ints}", unresolved
        )
        held.versions.update({row[0]: Standing(row[1], row[2]) for row in rows})


def _read_edges(bulk: Bulk, held: Held, records: set[int]) -> set[int]:
    """Edges that touch the records, read after their customers were locked; answers the records at their ends."""
    ids = sorted(records)
    return _take_edges(held, bulk.fetch(_EDGES, ids, ids))


def _take_edges(held: Held, rows: Iterable[Row]) -> set[int]:
    ends: set[int] = set()
    for row in rows:
        edge = Edge(*row)
        held.edges[edge.left, edge.right] = edge
        if edge.weight >= CONNECTING_WEIGHT and _one_end_current(held, edge):
            ends.update((edge.left, edge.right))
    return ends


def _one_end_current(held: Held, edge: Edge) -> bool:
    """Whether the edge may count: an end that is known to have other features rules it out."""
    ends = ((edge.left, edge.left_version), (edge.right, edge.right_version))
    return all(end not in held.versions or held.versions[end].features == version for end, version in ends)


def _drop_stale_edges(held: Held) -> None:
    held.edges = {pair: edge for pair, edge in held.edges.items() if _one_end_current(held, edge)}


def _read_words(bulk: Bulk, held: Held, records: set[int]) -> set[int]:
    """What stewards said about the records; answers the records that must be with one of them."""
    words = decisions.read(bulk, records)
    held.words.update(words)
    return {record for verdict in words.verdicts.values() if verdict.same for record in verdict.sides}
