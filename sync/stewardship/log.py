"""What stewards did, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from sync.master.bulk import bulk_for
from sync.stewardship import acts
from sync.stewardship.acts import Act
from sync.stewardship.records import addresses, find_customer, find_record

MAX_LIMIT = 500


class Entry(NamedTuple):
    """One act: who, when, why, about which records (by side), and whether it holds."""

    decision: int
    act: str
    verdict: str | None
    field: str | None
    value: Any
    target: int | None
    by: str
    reason: str
    at: datetime
    undone_by: int | None
    sides: list[list[str]]


def log(connection: Connection, about: str | None = None, limit: int = 50, before: int | None = None) -> list[Entry]:
    """The newest acts, or those about a customer (by id) or a source record (by address).

    ``before`` pages on below a number. Raises UnknownCustomer, UnknownRecord.
    """
    found = acts.latest(connection, _records(connection, about), min(limit, MAX_LIMIT), before)
    named: dict[int, list[tuple[int, int]]] = {act.id: [] for act in found}
    rows = bulk_for(connection).fetch(
        "SELECT decision_id, side, record_id FROM steward_anchor WHERE decision_id {ints} "
        "ORDER BY decision_id, side, record_id",
        sorted(named),
    )
    for number, side, record in rows:
        named[number].append((side, record))
    names = addresses(connection, [row[2] for row in rows])
    return [_entry(act, named[act.id], names) for act in found]


def _records(connection: Connection, about: str | None) -> list[int] | None:
    if about is None:
        return None
    if "/" in about:
        return [find_record(connection, about).id]
    return [record.id for record in find_customer(connection, about).records]


def _entry(act: Act, named: list[tuple[int, int]], names: dict[int, str]) -> Entry:
    sides: dict[int, list[str]] = {}
    for side, record in named:
        sides.setdefault(side, []).append(names.get(record, str(record)))
    value = None if act.value is None else orjson.loads(act.value)
    return Entry(
        act.id,
        act.act,
        act.verdict,
        act.field,
        value,
        act.target,
        act.by,
        act.reason,
        act.at,
        act.undone_by,
        [sides[side] for side in sorted(sides)],
    )
