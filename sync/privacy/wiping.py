"""The rows of the master that hold a person: deleted, or emptied where their numbers must stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import orjson
from sqlalchemy import Connection

from sync.master import cause
from sync.master.bulk import Bulk, bulk_for
from sync.master.records import pack_ids, unpack_ids
from sync.master.tally import Tallying
from sync.master.tombstones import contacts_of
from sync.privacy import history
from sync.privacy.person import Person

ERASED = "erased"


def hold_landings(bulk: Bulk) -> dict[int, list[int]]:
    """Pending work, held until the end of the transaction: whoever resolves at the moment is waited for."""
    locking = " FOR UPDATE" if bulk.is_postgres else ""
    rows = bulk.fetch(f"SELECT id, record_ids FROM landing ORDER BY id{locking}")  # noqa: S608 - fixed words
    return {row[0]: [int(one) for one in unpack_ids(bytes(row[1]))] for row in rows}


def out_of_landings(bulk: Bulk, landings: dict[int, list[int]], gone: Iterable[int]) -> None:
    """Take records out of pending work. What is left gets a new number, so that nobody resolves it from memory."""
    erased = set(gone)
    for number, records in landings.items():
        if erased.isdisjoint(records):
            continue
        left = [record for record in records if record not in erased]
        if left:
            bulk.run(
                "INSERT INTO landing (stream_id, record_ids, records, landed_at, edges_known) "
                "SELECT stream_id, ?, ?, landed_at, edges_known FROM landing WHERE id = ?",
                pack_ids(left),
                len(left),
                number,
            )
        bulk.run("DELETE FROM landing WHERE id = ?", number)


def records(bulk: Bulk, person: Person) -> int:
    """Source records with all that was computed from them, and stewards' words about them."""
    ids = person.record_ids
    acts = [row[0] for row in bulk.fetch("SELECT DISTINCT decision_id FROM steward_anchor WHERE record_id {ints}", ids)]
    bulk.run("UPDATE steward_decision SET reason = '' WHERE id {ints}", acts)
    bulk.run("UPDATE steward_decision SET value = 'null' WHERE id {ints} AND value IS NOT NULL", acts)
    for table, column in (
        ("steward_anchor", "record_id"),
        ("match_key", "record_id"),
        ("match_edge", "left_id"),
        ("match_edge", "right_id"),
        ("crosswalk", "record_id"),
    ):
        bulk.run(f"DELETE FROM {table} WHERE {column} {{ints}}", ids)  # noqa: S608 - our own names
    tallying = Tallying()
    live = (
        "SELECT stream_id, count(*) FROM source_record WHERE id {ints} AND part = '' AND deleted_at IS NULL GROUP BY 1"
    )
    for stream_id, count in bulk.fetch(live, ids):
        tallying.records(stream_id, -count)
    tallying.store(bulk)
    return bulk.run("DELETE FROM source_record WHERE id {ints}", ids)


def customers(connection: Connection, person: Person, now: datetime) -> int:
    """Customers and their history; publishes `erased`, and anew whoever once held a record of the person."""
    bulk = bulk_for(connection)
    at = bulk.instant(now)
    for table in ("search_term", "search_customer"):
        bulk.run(f"DELETE FROM {table} WHERE customer_id {{ints}}", list(person.ids))  # noqa: S608 - our own names
    rewritten = history.rewrite(bulk, person)
    bulk.run("UPDATE customer SET name = NULL, golden = '{}' WHERE id {ints}", list(person.ids))
    tallying = Tallying()
    for (members,) in bulk.fetch("SELECT members FROM customer WHERE id = ? AND status = 'active'", person.customer):
        tallying.customer(members, None)
    tallying.store(bulk)
    bulk.run(
        "UPDATE customer SET version = version + 1, status = ?, members = 0, changed_at = ? WHERE id = ?",
        ERASED,
        at,
        person.customer,
    )
    told = bulk.fetch("SELECT id, 'erased', version, '{}' FROM customer WHERE id = ?", person.customer)
    told += _told_anew(bulk, rewritten.others)
    if told:
        numbers, why = bulk.numbers("change", len(told)), cause.current()
        bulk.insert("change", [(number, *row, at, why) for number, row in zip(numbers, told, strict=True)])
    return rewritten.changes


def _told_anew(bulk: Bulk, others: list[int]) -> list[tuple[int, str, int, str]]:
    rows = bulk.fetch(
        "SELECT id, version, golden FROM customer WHERE id {ints} AND status = 'active' ORDER BY id", others
    )
    bulk.update("customer", (("id", "int8"), ("version", "int4")), [(row[0], row[1] + 1) for row in rows])
    return [(row[0], "updated", row[1] + 1, f'{{"golden":{row[2]}}}') for row in rows]


def pending_of(bulk: Bulk, landings: dict[int, list[int]], person: Person) -> list[int]:
    """Records that wait to be resolved, belong to nobody yet, and hold a contact of the person alone."""
    waiting = sorted({record for records in landings.values() for record in records})
    rows = bulk.fetch(
        "SELECT s.id, s.canonical FROM source_record s LEFT JOIN crosswalk x ON x.record_id = s.id "
        "WHERE s.id {ints} AND x.record_id IS NULL AND s.canonical IS NOT NULL",
        waiting,
    )
    own = set(person.contacts)
    return [row[0] for row in rows if not own.isdisjoint(contacts_of(orjson.loads(row[1])))]
