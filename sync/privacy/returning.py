"""Erasing again whoever an older copy of the database brings back: part of the transaction of a restore.

The ledger says who was erased. In the restored copy their records are found by the tombstones, their customers by these
and by their ids. A customer of whom every record is meant is erased whole. Of a customer that was something else at the
time of the backup, e.g. because strangers were one then, only the records that are meant go, and the rest is settled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from sync import audit
from sync.master import landing, resolving, streams
from sync.master.bulk import Bulk, bulk_for
from sync.master.cause import caused_by
from sync.master.identity import public_id
from sync.master.search import index
from sync.master.tombstones import RECORD, Guard
from sync.privacy import erasing, holders, person, wiping
from sync.privacy.ledger import Ledger
from sync.privacy.sealing import MARKS, RECEIPTS, keep, opened
from sync.privacy.tables import erasure, tombstone
from sync.stewardship.effect import Engine
from sync.vault import Vault

BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Again:
    """Applies ledgers to a restored database, inside the restore's transaction."""

    vault: Vault
    engine: Engine
    ledgers: tuple[Ledger, ...]

    def __call__(self, connection: Connection, by: str) -> int:
        """Take over the erasures that the copy does not know of; answers how many persons were erased again."""
        return sum(self._apply(connection, ledger, by) for ledger in self.ledgers)

    def _apply(self, connection: Connection, ledger: Ledger, by: str) -> int:
        known = set(connection.execute(select(erasure.c.id)).scalars())
        fresh = {one["id"]: one for one in ledger.erasures if one["id"] not in known}
        if not fresh:
            return 0
        meant = {one["mark"] for one in ledger.tombstones if one["erasure_id"] in fresh and one["kind"] == RECORD}
        connection.execute(insert(erasure), list(fresh.values()))
        _take_over(connection, self.vault, ledger, fresh)
        with caused_by("erasure"):
            index.catch_up_in(connection)
            numbers = {one["customer_id"] for one in fresh.values()}
            return self._erase(connection, Guard(bulk_for(connection), ledger.marks), meant, numbers, by)

    def _erase(self, connection: Connection, guard: Guard, meant: set[str], numbers: set[int], by: str) -> int:
        bulk = bulk_for(connection)
        records = set(_meant(connection, guard, meant))
        whole, rest = _sorted(bulk, records, numbers)
        for number in whole:
            erasing.wipe(connection, self.vault, public_id(number), by=by, again=True)
        left = [row[0] for row in bulk.fetch("SELECT id FROM source_record WHERE id {ints}", sorted(records))]
        if left:
            self._separate(connection, left)
            _wipe_records(connection, left, by)
        return len(whole) + len(rest)

    def _separate(self, connection: Connection, records: Collection[int]) -> None:
        """Delete the records as their systems would; those that stay in company with them are settled anew."""
        bulk, refs = bulk_for(connection), streams.load(connection)
        rows = bulk.fetch("SELECT id, stream_id FROM source_record WHERE id {ints}", sorted(records))
        matcher, survivorship = self.engine.matcher, self.engine.survivorship
        for stream_id in sorted({row[1] for row in rows}):
            ids = [row[0] for row in rows if row[1] == stream_id]
            gone = landing.delete(connection, refs[stream_id], ids, matcher, now=datetime.now(UTC))
            if gone.landing_id is not None:
                resolving.resolve_in(connection, [gone.landing_id], matcher=matcher, survivorship=survivorship)
        index.catch_up_in(connection)


def _take_over(connection: Connection, vault: Vault, ledger: Ledger, fresh: Collection[str]) -> None:
    """The keys, where the copy has none of its own, and the tombstones. With another key these would mean nobody."""
    if opened(connection, vault, MARKS) is None:
        keep(connection, vault, MARKS, ledger.marks)
    if ledger.receipts is not None and opened(connection, vault, RECEIPTS) is None:
        keep(connection, vault, RECEIPTS, ledger.receipts)
    if opened(connection, vault, MARKS) != ledger.marks:
        return
    there = set(connection.execute(select(tombstone.c.mark)).scalars())
    rows = [one for one in ledger.tombstones if one["erasure_id"] in fresh and one["mark"] not in there]
    if rows:
        connection.execute(insert(tombstone), rows)


def _meant(connection: Connection, guard: Guard, marks: set[str]) -> Iterator[int]:
    """The records of the copy whose addresses have these marks."""
    bulk, refs, after = bulk_for(connection), streams.load(connection), 0
    statement = "SELECT id, stream_id, source_id FROM source_record WHERE part = '' AND id > ? ORDER BY id LIMIT ?"
    while rows := bulk.fetch(statement, after, BATCH):
        for number, stream_id, source_id in rows:
            ref = refs[stream_id]
            if guard.mark(RECORD, ref.connection, ref.name, source_id) in marks:
                yield number
        after = rows[-1][0]


def _sorted(bulk: Bulk, records: set[int], numbers: set[int]) -> tuple[list[int], list[int]]:
    """The customers to be erased whole, and those of whom only some records are meant."""
    held = "SELECT DISTINCT x.customer_id FROM crosswalk x JOIN source_record s ON s.id = x.record_id WHERE "
    ids = sorted(records)
    found = {row[0] for row in bulk.fetch(f"{held} s.id {{ints}} OR s.parent_id {{ints}}", ids, ids)}
    named = sorted(numbers)
    today = bulk.fetch("SELECT customer_id FROM customer_alias WHERE old_id {ints}", named)
    found |= {*numbers, *(row[0] for row in today)}
    active = "SELECT id FROM customer WHERE status = 'active' AND id {ints} ORDER BY id"
    whole, rest = [], []
    for (number,) in bulk.fetch(active, sorted(found)):
        members = bulk.fetch(
            "SELECT s.id, s.parent_id FROM crosswalk x JOIN source_record s ON s.id = x.record_id "
            "WHERE x.customer_id = ?",
            number,
        )
        mains = {parent or one for one, parent in members if parent is None or number not in numbers}
        if mains <= records:
            whole.append(number)
        elif mains & records:
            rest.append(number)
    return whole, rest


def _wipe_records(connection: Connection, records: Collection[int], by: str) -> None:
    """What no customer holds any more: records that were deleted, and those that were separated."""
    bulk = bulk_for(connection)
    found = person.of_records(connection, records)
    counts: dict[str, Any] = holders.wipe(connection, found)
    wiping.out_of_landings(bulk, wiping.hold_landings(bulk), found.record_ids)
    counts["records"] = wiping.records(bulk, found)
    counts["changes"] = wiping.customers(connection, found, datetime.now(UTC))
    audit.record(connection, by, "customer.erased", "records", {"again": True, **counts})
