"""PUBLISH: write golden records, crosswalk and aliases, and one change row for each customer that really changed.

The change counter is advanced as the last thing before the commit, so that numbers are gap-free and in commit order.
A change's body carries all that a consumer needs to hold an equal copy: the golden record or its changed fields, and
which source records joined and left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from sync.master import cause
from sync.master.bulk import KINDS, Bulk, Columns, Row
from sync.master.components import Held, Stored
from sync.master.golden import Goldens
from sync.master.identity import public_id
from sync.master.records import LandedRecord
from sync.master.streams import StreamRef
from sync.master.tally import Tallying
from sync.master.transition import Ended, Kept, Transition

_ENDED: Columns = (
    ("id", "int8"),
    ("version", "int4"),
    ("status", "text"),
    ("members", "int4"),
    ("changed_at", "timestamptz"),
)
"""The columns of a customer that no longer stands: all others are left as they were."""
_ALIAS: Columns = (("old_id", "int8"), ("customer_id", "int8"))
_ALIASES = (
    "INSERT INTO customer_alias (old_id, customer_id) SELECT old_id, customer_id FROM {{rows}} r WHERE {which} "
    "ON CONFLICT (old_id) DO UPDATE SET customer_id = excluded.customer_id"
)
_FORGET = (
    "DELETE FROM customer_alias WHERE customer_id {ints} "
    "AND NOT EXISTS (SELECT 1 FROM customer c WHERE c.id = customer_alias.old_id)"
)
_NEVER_BORNE = "NOT EXISTS (SELECT 1 FROM customer c WHERE c.id = r.old_id)"


class Resolved(NamedTuple):
    """How many customers changed, and how."""

    created: int = 0
    updated: int = 0
    merged: int = 0
    split: int = 0
    deleted: int = 0
    oversized_blocks: int = 0

    def plus(self, other: Resolved) -> Resolved:
        """The sum, field by field."""
        return Resolved(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


@dataclass(slots=True)
class _Rows:
    customers: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    ended: list[Row] = field(default_factory=list)
    crosswalk: list[Row] = field(default_factory=list)
    aliases: list[Row] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)


class Publisher:
    """Gathers the outcome of one batch and writes it with one statement a table."""

    def __init__(self, bulk: Bulk, streams: Mapping[int, StreamRef], goldens: Goldens, now: datetime) -> None:
        self._bulk, self._streams, self._goldens, self._now = bulk, streams, goldens, bulk.instant(now)
        self._rows, self._tally = _Rows(), Tallying()

    def found(self, records: Iterable[LandedRecord]) -> None:
        """New customers of a single record each, met for the first time: the common case of a first load."""
        rows, now, before = self._rows, self._now, len(self._rows.customers)
        for record in records:
            stream = self._streams[record.stream_id]
            customer_id = stream.founder_id(record.source_id, record.part)
            golden = self._goldens.of_single(record)
            text = golden.text.decode()
            rows.crosswalk.append((record.id, customer_id, record.version, record.features_version))
            rows.customers.append((customer_id, 1, "active", golden.kind, golden.name, text, 1, now))
            address = orjson.dumps([stream.connection, stream.name, record.source_id, record.part]).decode()
            rows.changes.append((customer_id, "created", 1, f'{{"golden":{text},"joined":[{address}]}}'))
        self._tally.customer(None, 1, times=len(rows.customers) - before)

    def apply(self, held: Held, transition: Transition, batch: Sequence[LandedRecord]) -> None:
        """The changes of a touched neighbourhood."""
        if transition.unassigned:
            self._bulk.later("DELETE FROM crosswalk WHERE record_id {ints}", transition.unassigned)
        known = {record.id for record in batch if record.id in held.assigned}
        self._move(held, transition, known)
        groups = [kept.group for kept in transition.kept]
        self._goldens.prepare(self._bulk, groups, batch, held.words.pins.values(), held.stored)
        for kept in transition.kept:
            self._keep(kept)
        for ended in transition.ended:
            self._end(ended)
        self._alias(transition)

    def refresh(self, kept: Sequence[Kept], batch: Sequence[LandedRecord], stored: Mapping[int, Stored]) -> None:
        """Customers that keep their members; of these, the batch and ``stored`` hold all."""
        self._goldens.prepare(self._bulk, [one.group for one in kept], batch, stored=stored)
        for one in kept:
            self._keep(one)

    def flush(self) -> Resolved:
        """Write everything; answers what changed."""
        bulk, rows = self._bulk, self._rows
        # Sorted, so that two workers who meet here wait for each other in one direction only.
        bulk.insert("crosswalk", sorted(rows.crosswalk))
        bulk.insert("customer", sorted(rows.customers))
        bulk.update("customer", KINDS["customer"], rows.updates)
        bulk.update("customer", _ENDED, rows.ended)
        self._tally.store(bulk)
        if rows.changes:
            why = cause.current()
            bulk.insert_changes([(*change, self._now, why) for change in rows.changes])
        return self._counts()

    def _counts(self) -> Resolved:
        types = [change[1] for change in self._rows.changes]
        return Resolved(*(types.count(name) for name in ("created", "updated", "merged", "split", "deleted")))

    def _move(self, held: Held, transition: Transition, known: set[int]) -> None:
        home = {record.id: kept.group.id for kept in transition.kept for record in kept.group.members}
        moved: list[Row] = []
        for record in transition.refreshed:
            row = (record.id, home[record.id], *held.versions[record.id])
            (moved if record.id in held.assigned else self._rows.crosswalk).append(row)
        self._bulk.update("crosswalk", KINDS["crosswalk"], moved)

    def _keep(self, kept: Kept) -> None:
        golden = self._goldens.of_group(kept.group)
        before = kept.before
        text = golden.text.decode()
        if before is not None and kept.was_active and text == before.golden and not (kept.joined or kept.left):
            return
        self._tally.customer(len(before.members) if before and kept.was_active else None, len(kept.group.members))
        version = 1 if before is None else before.version + 1
        values = (version, "active", golden.kind, golden.name, text, len(kept.group.members), self._now)
        if before is None:
            self._rows.customers.append((kept.group.id, *values))
        else:
            self._rows.updates.append((kept.group.id, *values))
        kind, body = self._event(kept, golden.text)
        self._rows.changes.append((kept.group.id, kind, version, orjson.dumps(body).decode()))

    def _event(self, kept: Kept, golden: bytes) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {}
        if kept.joined:
            body["joined"] = [record.address for record in kept.joined]
        if kept.was_active and kept.before is not None:
            body |= _difference(orjson.loads(kept.before.golden), orjson.loads(golden))
            if kept.left:
                body["left"] = self._addresses(kept.left)
            return "updated", body
        body["golden"] = orjson.Fragment(golden)
        if kept.split_from is not None:
            return "split", body | {"from": public_id(kept.split_from)}
        return "created", body

    def _end(self, ended: Ended) -> None:
        before = ended.before
        self._tally.customer(len(before.members), None)
        status = "deleted" if ended.into is None else "merged"
        self._rows.ended.append((before.id, before.version + 1, status, 0, self._now))
        body: dict[str, Any] = {}
        if ended.into is not None:
            body = {"into": public_id(ended.into), "left": [record.address for record in ended.left]}
        self._rows.changes.append((before.id, status, before.version + 1, orjson.dumps(body).decode()))

    def _alias(self, transition: Transition) -> None:
        """Every id that is borne no longer stands for a customer. Ids that records of a deleted customer would found
        lead to it, so that a record that returns finds the id it had.
        """
        bulk, alive = self._bulk, sorted(kept.group.id for kept in transition.kept if not kept.was_active)
        if alive:
            bulk.later("DELETE FROM customer_alias WHERE old_id {ints}", alive)
        returning = [kept.group.id for kept in transition.kept if kept.before is not None and not kept.was_active]
        if returning:
            bulk.later(_FORGET, sorted(returning))
        merged = sorted((ended.into, ended.before.id) for ended in transition.ended if ended.into is not None)
        bulk.run_many("UPDATE customer_alias SET customer_id = ? WHERE customer_id = ?", merged)
        bulk.apply(_ALIASES.format(which="true"), _ALIAS, sorted((old, into) for into, old in merged))
        gone = {number: one.before.id for one in transition.ended if one.into is None for number in one.before.members}
        if gone:
            founded = ((self._streams[row[1]].founder_id(row[2], row[3]), gone[row[0]]) for row in self._named(gone))
            bulk.apply(_ALIASES.format(which=_NEVER_BORNE), _ALIAS, sorted(founded))

    def _addresses(self, record_ids: Sequence[int]) -> list[list[str]]:
        rows = self._named(record_ids)
        return [[self._streams[row[1]].connection, self._streams[row[1]].name, row[2], row[3]] for row in rows]

    def _named(self, record_ids: Iterable[int]) -> list[Row]:
        statement = "SELECT id, stream_id, source_id, part FROM source_record WHERE id {ints} ORDER BY id"
        return self._bulk.fetch(statement, sorted(record_ids))


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The changed fields with their new values, and the fields that are gone."""
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    gone = [name for name in before if name not in after]
    body: dict[str, Any] = {}
    if changed:
        body["set"] = changed
    if gone:
        body["unset"] = gone
    return body
