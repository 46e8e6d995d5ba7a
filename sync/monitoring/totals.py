"""Sums over all runs there ever were: those in the table, and those that were forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, literal, select

from sync.database import upsert
from sync.monitoring.tables import run_total
from sync.runs.tables import sync_run

OUTCOMES = ("created", "updated", "unchanged", "quarantined", "deleted", "ignored")


class Total(NamedTuple):
    """The runs of a stream that ended in one way, and what they did; ``outcomes`` in the order of ``OUTCOMES``."""

    stream_id: int
    status: str
    runs: int
    outcomes: tuple[int, ...]


def keep(connection: Connection, run_ids: Sequence[int]) -> None:
    """Add ended runs to the totals, in the transaction that deletes them."""
    for total in _of_runs(connection, sync_run.c.id.in_(run_ids)):
        values = dict(zip(OUTCOMES, total.outcomes, strict=True)) | {"runs": total.runs}
        insert = upsert(connection, run_total).values(stream_id=total.stream_id, status=total.status, **values)
        more = {name: run_total.c[name] + value for name, value in values.items()}
        connection.execute(insert.on_conflict_do_update(index_elements=["stream_id", "status"], set_=more))


def totals(connection: Connection) -> list[Total]:
    """What all runs did, open ones included; counters that never fall."""
    found: dict[tuple[int, str], Total] = {}
    columns = [run_total.c[name] for name in ("stream_id", "status", "runs", *OUTCOMES)]
    kept = [Total(row[0], row[1], row[2], tuple(row[3:])) for row in connection.execute(select(*columns))]
    for one in (*kept, *_of_runs(connection, literal(True))):
        known = found.get((one.stream_id, one.status))
        if known is not None:
            summed = tuple(a + b for a, b in zip(known.outcomes, one.outcomes, strict=True))
            one = one._replace(runs=known.runs + one.runs, outcomes=summed)
        found[one.stream_id, one.status] = one
    return sorted(found.values())


def _of_runs(connection: Connection, which: object) -> list[Total]:
    sums = [func.sum(sync_run.c[name]) for name in OUTCOMES]
    statement = (
        select(sync_run.c.stream_id, sync_run.c.status, func.count(), *sums)
        .where(which)  # type: ignore[arg-type]
        .group_by(sync_run.c.stream_id, sync_run.c.status)
    )
    rows = connection.execute(statement)
    return [Total(row[0], row[1], row[2], tuple(int(value) for value in row[3:])) for row in rows]
