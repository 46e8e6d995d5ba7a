"""Records of which only what nobody compares has changed: their customers keep their members and show something else.

Evidence stands (see ``components``), and so do the groups that were made of it: a customer is a pure function of
evidence, features and decisions, and whoever changes one of them settles the neighbourhood anew. So neither edges nor
neighbours are read, and nothing is put together again. What is found otherwise is left to ``resolving``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mappings.contract import seniority
from sync.master import decisions
from sync.master.bulk import Bulk, Columns, Row
from sync.master.components import Held, HeldCustomer, Stored, lock_customers
from sync.master.naming import Group
from sync.master.publishing import Publisher
from sync.master.records import LandedRecord
from sync.master.settling import LiveRecord
from sync.master.streams import StreamRef
from sync.master.transition import Kept


class Moved(Exception):
    """Somebody changed a customer's members, or is about to: the records are to be resolved in the ordinary way."""


_MEMBERS = (
    "SELECT x.customer_id, s.id, s.version, s.stream_id, s.source_id, s.part, s.canonical, "
    "coalesce(s.features_version, s.version) = coalesce(x.features_version, x.version) "
    "AND s.deleted_at IS NULL AND s.features IS NOT NULL "
    "FROM crosswalk x JOIN source_record s ON s.id = x.record_id WHERE x.customer_id {ints}"
)
_PLACES: Columns = (
    ("record_id", "int8"),
    ("customer_id", "int8"),
    ("version", "int4"),
    ("features_version", "int4"),
)
_RESOLVED = (
    "UPDATE crosswalk SET version = r.version, features_version = r.features_version FROM {rows} r "
    "WHERE crosswalk.record_id = r.record_id AND crosswalk.customer_id = r.customer_id "
    "AND crosswalk.version < r.version "
    "AND coalesce(crosswalk.features_version, crosswalk.version) = r.features_version"
)


def refresh(
    bulk: Bulk,
    held: Held,
    batch: Sequence[LandedRecord],
    homes: Mapping[int, int],
    streams: Mapping[int, StreamRef],
    publisher: Publisher,
) -> None:
    """Bring the customers of the records up to date; ``homes`` tells them as they were before anything was locked.

    ``held`` are the customers that are locked already, none of these. Raises Moved.
    """
    customers = _locked(bulk, held, sorted({homes[record.id] for record in batch}))
    if decisions.exist(bulk):  # the first one was said since: whoever did waits for these locks to take effect
        raise Moved
    members, stored = _members(bulk, batch, homes, customers, streams)
    places = sorted((record.id, homes[record.id], record.version, record.features_version) for record in batch)
    # Customers are locked, but where a record is was read before: only those count that are still there.
    if bulk.applied(_RESOLVED, _PLACES, places) != len(places):
        raise Moved
    kept = [_kept(customers[number], members[number]) for number in sorted(members)]
    publisher.refresh(kept, batch, stored)


def _locked(bulk: Bulk, held: Held, ids: Sequence[int]) -> dict[int, tuple[HeldCustomer, int]]:
    """The customers with the number of their members."""
    rows = lock_customers(bulk, held, ids)
    if len(rows) != len(ids) or any(row[2] != "active" for row in rows):
        raise Moved
    return {row[0]: (HeldCustomer(row[0], row[1], row[2], row[3], frozenset()), row[4]) for row in rows}


def _members(
    bulk: Bulk,
    batch: Sequence[LandedRecord],
    homes: Mapping[int, int],
    customers: Mapping[int, tuple[HeldCustomer, int]],
    streams: Mapping[int, StreamRef],
) -> tuple[dict[int, list[LiveRecord]], dict[int, Stored]]:
    """The members of each customer, and those that had to be read for it."""
    members: dict[int, list[LiveRecord]] = {}
    shared = {number for number, (_, count) in customers.items() if count != 1}
    for record in batch:
        if homes[record.id] not in shared:
            members.setdefault(homes[record.id], []).append(
                LiveRecord(record.id, record.version, streams[record.stream_id], record.source_id, record.part, ())
            )
    stored: dict[int, Stored] = {}
    for number, record_id, version, stream_id, source_id, part, canonical, stands in _shared(bulk, shared):
        if not stands:  # it was landed, and waits to be resolved
            raise Moved
        members.setdefault(number, []).append(LiveRecord(record_id, version, streams[stream_id], source_id, part, ()))
        stored[record_id] = Stored(version, stream_id, source_id, part, None, canonical)
    return members, stored


def _shared(bulk: Bulk, customer_ids: Iterable[int]) -> list[Row]:
    ids = sorted(customer_ids)
    return bulk.fetch(_MEMBERS, ids) if ids else []


def _kept(customer: tuple[HeldCustomer, int], members: Sequence[LiveRecord]) -> Kept:
    before, count = customer
    if len(members) != count:
        raise Moved
    ranked = tuple(sorted(members, key=lambda record: seniority(record.key))) if count > 1 else tuple(members)
    group = Group(before.id, ranked)
    return Kept(group, before._replace(members=frozenset(record.id for record in ranked)), (), (), None)
