"""Which id each customer bears: ids are kept by largest overlap, taken back, or founded.

Of the customers that a neighbourhood held before, each hands its id to the group that took most of its records. A
group that inherits none takes back the id that most of its records bore before it ended (a merge that is undone, a
record that returns), else it is founded: its id is a function of its senior record's address.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

import orjson

from mappings.contract import seniority
from sync.master.bulk import Bulk
from sync.master.components import Held, HeldCustomer, lock_customers
from sync.master.identity import founder_id, parse_public_id
from sync.master.settling import Cluster, LiveRecord

_ENDED = ("merged", "deleted")
"""What became of an id that may be borne again; that of somebody who was erased may not."""


class Group(NamedTuple):
    """One customer as it shall be: its id, and its records, senior first."""

    id: int
    members: Cluster


class Named(NamedTuple):
    """The groups, and the rows of the ids they bear, as far as those exist: all of them locked."""

    groups: list[Group]
    rows: dict[int, HeldCustomer]


class TakenMeanwhile(Exception):
    """Another worker gave an id that had ended to records of its own: the transaction has to start again."""


class _Claim(NamedTuple):
    """A cluster's claim on an id; the least is granted first.

    The largest overlap wins. At a draw a customer that came whole goes before one that was torn apart; then the cluster
    with the record that founded the id, and the more senior one. Of two ids for one cluster, that of the record that is
    known longest stays.
    """

    overlap: int
    size: int
    adopted: bool
    cluster: int
    oldest: int
    id: int


def name(bulk: Bulk, held: Held, clusters: Sequence[Cluster]) -> Named:
    """Give each cluster its id: a function of the clusters and of what they were. Raises TakenMeanwhile."""
    ranked = sorted(clusters, key=lambda cluster: seniority(cluster[0].key))
    assigned = held.assigned
    homes = [{assigned[record.id] for record in cluster if record.id in assigned} for cluster in ranked]
    torn = _torn(homes)
    if not torn and all(len(home) == 1 for home in homes):
        return Named([Group(min(home), of) for home, of in zip(homes, ranked, strict=True)], held.customers)
    former = _Former(bulk, held, ranked, torn) if torn or not all(homes) else None
    ids = _grant(_inheritance(held, ranked, former))
    rows = dict(held.customers)
    if former is not None:
        ids |= _grant(claim for claim in former.claims() if claim.cluster not in ids)
        rows |= _rows(bulk, held, set(ids.values()) - held.customers.keys())
        for place, cluster in enumerate(ranked):
            if place not in ids:
                ids[place] = _found(bulk, cluster, former.issued.union(held.customers, ids.values()))
    return Named([Group(ids[place], cluster) for place, cluster in enumerate(ranked)], rows)


def _torn(homes: Iterable[set[int]]) -> set[int]:
    """The customers whose records are in several clusters now."""
    claimed = Counter(home for of_cluster in homes for home in of_cluster)
    return {home for home, times in claimed.items() if times > 1}


def _inheritance(held: Held, clusters: Sequence[Cluster], former: _Former | None) -> Iterator[_Claim]:
    """What the clusters claim of the ids their records bear. Where a customer is torn apart, only records count that it
    had before others were merged into it, if any of them is left.
    """
    own = set() if former is None else former.own
    rooted = {held.assigned[record_id] for record_id in own}
    for rank, cluster in enumerate(clusters):
        bore: dict[int, list[int]] = defaultdict(list)
        for record in cluster:
            home = held.assigned.get(record.id)
            if home is not None and (record.id in own or home not in rooted):
                bore[home].append(record.id)
        for number, records in bore.items():
            yield _claim(cluster, number, rank, records, len(held.customers[number].members))


def _claim(cluster: Cluster, number: int, rank: int, records: Sequence[int], size: int = 0) -> _Claim:
    adopted = all(record.founds != number for record in cluster)
    return _Claim(-len(records), size, adopted, rank, min(records), number)


def _grant(claims: Iterable[_Claim]) -> dict[int, int]:
    """The id that each cluster gets, by the cluster's number: each id once, and each cluster one."""
    granted: dict[int, int] = {}
    gone: set[int] = set()
    for claim in sorted(claims):
        if claim.cluster not in granted and claim.id not in gone:
            granted[claim.cluster] = claim.id
            gone.add(claim.id)
    return granted


class _Former:
    """Ids that the clusters' records bore, or founded, and that ended since; ``issued`` are all ever borne. ``own`` are
    the records of ``torn`` customers that are most their own.
    """

    def __init__(self, bulk: Bulk, held: Held, clusters: Sequence[Cluster], torn: set[int]) -> None:
        self._clusters = clusters
        records = [record for cluster in clusters for record in cluster]
        homes = {record.id: held.assigned[record.id] for record in records if record.id in held.assigned}
        founded = {record.founds for record in records}
        self._leads = _leads(bulk, founded, set(homes.values()))
        known = founded | self._leads.keys() | set(self._leads.values())
        rows = bulk.fetch("SELECT id, status FROM customer WHERE id {ints}", sorted(known))
        status: dict[int, str] = {row[0]: row[1] for row in rows}
        self.issued = set(status)
        self._ended = {number for number, state in status.items() if state in _ENDED}
        merges = _merges(bulk, [number for number, state in status.items() if state == "merged"])
        self._borne = _borne(merges)
        taken_apart = [record for record in records if homes.get(record.id) in torn]
        self.own = self._native(held, taken_apart, _joined_since(bulk, merges, torn))

    def claims(self) -> Iterator[_Claim]:
        """What the clusters claim of the ids that ended."""
        for rank, cluster in enumerate(self._clusters):
            bore: dict[int, list[int]] = defaultdict(list)
            for record in cluster:
                for number in self._of(record):
                    bore[number].append(record.id)
            for number, records in bore.items():
                yield _claim(cluster, number, rank, records)

    def _native(self, held: Held, records: Sequence[LiveRecord], since: Mapping[int, set[tuple[str, ...]]]) -> set[int]:
        """Of each customer the records that are most its own: that it had before others were merged into it, else that
        nobody takes out of it, else all.
        """
        out, ranks = _excluded(held), dict[int, int]()
        for record in records:
            address, home = tuple(record.address), held.assigned[record.id]
            came = address in self._borne or address in since.get(home, ())
            ranks[record.id] = 2 if record.id in out else int(came)
        best: dict[int, int] = {}
        for record in records:
            home = held.assigned[record.id]
            best[home] = min(ranks[record.id], best.get(home, 2))
        return {number for number, rank in ranks.items() if rank == best[held.assigned[number]]}

    def _of(self, record: LiveRecord) -> set[int]:
        """The ids that ended while the record bore them, and the one that it founded."""
        numbers = {record.founds, self._leads.get(record.founds, record.founds)}
        return (numbers & self._ended) | self._borne.get(tuple(record.address), set())


def _excluded(held: Held) -> set[int]:
    """Records that a steward takes out of the customer in which they still are."""
    found: set[int] = set()
    for verdict in held.words.verdicts.values():
        if verdict.exclusion:
            homes = {held.assigned.get(record) for record, side in verdict.sides.items() if side} - {None}
            found.update(one for one, side in verdict.sides.items() if not side and held.assigned.get(one) in homes)
    return found


class _Merge(NamedTuple):
    """The last that happened to an id that was merged into another: which records bore it then."""

    seq: int
    id: int
    into: int | None
    left: list[tuple[str, ...]]


def _leads(bulk: Bulk, founded: set[int], origins: set[int]) -> dict[int, int]:
    """The aliases of what the records would found, and all that lead to the customers they come from."""
    rows = bulk.fetch(
        "SELECT old_id, customer_id FROM customer_alias WHERE old_id {ints} "
        "UNION SELECT old_id, customer_id FROM customer_alias WHERE customer_id {ints}",
        sorted(founded),
        sorted(origins),
    )
    return {row[0]: row[1] for row in rows}


def _merges(bulk: Bulk, merged: list[int]) -> list[_Merge]:
    if not merged:
        return []
    rows = bulk.fetch(
        "SELECT seq, customer_id, body FROM change c WHERE customer_id {ints} AND type = 'merged' AND seq = "
        "(SELECT max(later.seq) FROM change later WHERE later.customer_id = c.customer_id)",
        sorted(merged),
    )
    told = ((seq, number, orjson.loads(body)) for seq, number, body in rows)
    return [
        _Merge(seq, number, parse_public_id(body.get("into", "")), [tuple(one) for one in body.get("left", ())])
        for seq, number, body in told
    ]


def _borne(merges: Iterable[_Merge]) -> dict[tuple[str, ...], set[int]]:
    """By the address of a record, the ids that it bore when they were merged into another."""
    borne: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for merge in merges:
        for address in merge.left:
            borne[address].add(merge.id)
    return borne


def _joined_since(bulk: Bulk, merges: Iterable[_Merge], torn: set[int]) -> dict[int, set[tuple[str, ...]]]:
    """By customer, the addresses of records that joined it after the first of these merges."""
    first: dict[int, int] = {}
    for merge in merges:
        if merge.into is not None and merge.into in torn:
            first[merge.into] = min(merge.seq, first.get(merge.into, merge.seq))
    since: dict[int, set[tuple[str, ...]]] = defaultdict(set)
    for number, seq in first.items():
        rows = bulk.fetch("SELECT body FROM change WHERE customer_id = ? AND seq > ?", number, seq)
        for (body,) in rows:
            since[number].update(tuple(one) for one in orjson.loads(body).get("joined", ()))
    return since


def _found(bulk: Bulk, cluster: Cluster, taken: set[int]) -> int:
    """An id that one of the cluster's records founds and nobody ever bore: the senior record's, if it can be."""
    for record in cluster:
        if record.founds not in taken:
            return record.founds
    for turn in count(1):
        number = founder_id(*cluster[0].address, turn=turn)
        if not bulk.fetch("SELECT 1 FROM customer WHERE id = ?", number):
            return number
    raise AssertionError("unreachable")


def _rows(bulk: Bulk, held: Held, ids: set[int]) -> Mapping[int, HeldCustomer]:
    """The rows of ids that are taken back, locked. Raises TakenMeanwhile."""
    if not ids:
        return {}
    rows = lock_customers(bulk, held, sorted(ids))
    if any(row[2] not in _ENDED for row in rows):
        raise TakenMeanwhile
    return {row[0]: HeldCustomer(row[0], row[1], row[2], row[3], frozenset()) for row in rows}
