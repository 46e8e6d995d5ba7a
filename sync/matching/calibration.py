"""Learning a version from the master's own records, and the policy that says when.

Learnt without labels: term frequencies, how often strangers agree (u), the prior, contacts that many share, blocks that
are crowded. Everything is frozen in the version. What was learnt before stays in force until somebody switches; only
the very first time, and only where kehu.yaml says ``matching: {recalibrate: first-load}`` (the default), the switch is
made at once: until then the master had but the shipped model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select
from xxhash import xxh3_128_digest

from mappings.matching.calibrate import calibrate
from mappings.matching.cautious import cautious_model, without_lookalikes
from mappings.matching.columns import organisation_values, person_values
from mappings.matching.defaults import COLUMNS
from mappings.matching.model import Kind, MatchModel
from mappings.matching.table import Table
from sync.database import Database
from sync.master.tables import source_record
from sync.matching import due, store, switching
from sync.matching.due import CALIBRATED, FIRST_LOAD, FOLLOW, NEVER
from sync.matching.store import ModelVersion

SAMPLE = 200_000
"""Of more records every n-th is learnt from; shares and frequencies are the same in a sample, crowded blocks are found
by the switch itself.
"""
COPIES = 5
"""Of records that are equal in all that is compared so many count: the rest are repetitions."""


class Learnt(NamedTuple):
    """Models learnt from a master, and from what."""

    models: dict[Kind, MatchModel]
    statistics: dict[str, Any]


def learn(database: Database) -> Learnt:
    """Learn from the live records, on top of the shipped models. Writes nothing."""
    with database.reading() as connection:
        count, values = _values(connection)
    models: dict[Kind, MatchModel] = {kind: _learnt(kind, found, count) for kind, found in values.items()}
    statistics: dict[str, Any] = {"records": count}
    statistics |= {kind: _statistics(model, len(values[kind])) for kind, model in models.items()}
    return Learnt(models, statistics)


def propose(connection: Connection, learnt: Learnt, *, by: str, note: str = "") -> ModelVersion:
    """Store what was learnt as a version that nothing uses yet."""
    return store.propose(connection, learnt.models, origin=CALIBRATED, note=note, by=by, statistics=learnt.statistics)


def follow_policy(database: Database, policy: str) -> ModelVersion | None:
    """What the policy wants done once the first load is over: learn a version, propose it, and begin the switch if it
    says so. Commits. None if there is nothing to do (any more).
    """
    if policy == NEVER or not due.is_due(database):
        return None
    learnt, by = learn(database), f"policy {policy}"
    with database.transaction() as connection:
        if not due.nothing_learnt(connection):  # somebody was faster
            return None
        version = propose(connection, learnt, by=by)
        if policy in (FIRST_LOAD, FOLLOW):
            switching.begin(connection, version.number, by=by, reason="the first load is over")
    return version


def _values(connection: Connection) -> tuple[int, dict[Kind, Table]]:
    count = due.live_records(connection)
    found: dict[Kind, Table] = {kind: Table(COLUMNS[kind]) for kind in ("person", "organisation")}
    copies: Counter[bytes] = Counter()
    for customer in _customers(connection, max(1, -(-count // SAMPLE))):
        kind: Kind = "person" if customer["kind"] == "person" else "organisation"
        values = person_values(customer) if kind == "person" else organisation_values(customer)
        content = xxh3_128_digest(orjson.dumps(values))
        copies[content] += 1
        if copies[content] <= COPIES:
            found[kind].append(values)
    for table in found.values():
        table.close()
    return count, {kind: table for kind, table in found.items() if len(table)}


def _customers(connection: Connection, every: int) -> Iterator[dict[str, object]]:
    statement = select(source_record.c.canonical).where(
        source_record.c.deleted_at.is_(None),
        source_record.c.features.is_not(None),
        source_record.c.id % every == 0,
    )
    rows = connection.execution_options(yield_per=2_000).execute(statement.order_by(source_record.c.id))
    return (orjson.loads(canonical) for (canonical,) in rows)


def _learnt(kind: Kind, values: Table, count: int) -> MatchModel:
    model = without_lookalikes(calibrate(cautious_model(kind), values))
    return replace(model, oversized=frozenset()) if count > SAMPLE else model


def _statistics(model: MatchModel, count: int) -> dict[str, object]:
    return {
        "records": count,
        "probability_two_random_records_match": model.settings["probability_two_random_records_match"],
        "shared_contacts": len(model.shared),
        "crowded_blocks": len(model.oversized),
    }
