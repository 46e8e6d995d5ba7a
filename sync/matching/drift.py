"""Later recalibrations: noticed when the data have moved on, learnt, compared and proposed; never a silent switch.

The version in force knows how many records it was learnt from. Once the master has half as many again (or half of them
are gone), or many blocks have become crowded since, another version is learnt from the records as they are, and what it
would change is counted before anybody is asked. Only ``recalibrate: follow`` in kehu.yaml has it put in force without a
person, and only where few customers change; the history of switches then names the policy.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from sqlalchemy import Connection, func, select

from mappings.matching.model import Kind, MatchModel
from sync.database import Database, database_errors
from sync.master.tables import match_block
from sync.matching import store, switching
from sync.matching.due import CALIBRATED, FOLLOW, LEAST, NEVER, in_force, live_records
from sync.matching.store import ModelVersion

if TYPE_CHECKING:
    from sync.project import Project

GROWN = 0.5
"""More, or fewer, records by this share than any version was learnt from."""
CROWDED = 100
"""Blocks that have become crowded since the last version was learnt."""
COMPARED = 50_000
"""Of more records the customers are not counted by itself: `kehu match compare` does."""
FEW = 0.01
"""Under ``follow`` a version is put in force by itself if it changes at most this share of the customers."""
EVERY = 600.0
_LEARNT = (CALIBRATED, "trained")

log = structlog.get_logger(__name__)


class Drift(NamedTuple):
    """How far the data have moved on since the nearest version was learnt."""

    records: int
    learnt_from: int
    crowded: int

    @property
    def due(self) -> bool:
        """Whether it is time to learn another version."""
        if self.records < LEAST or not self.learnt_from:
            return False
        return abs(self.records - self.learnt_from) >= GROWN * self.learnt_from or self.crowded >= CROWDED


class Proposal(NamedTuple):
    """A version that was proposed because the data moved on. ``changed`` is None where customers were not counted."""

    version: ModelVersion
    basis: int
    learnt_from: int
    records: int
    merged: int | None
    split: int | None
    moved: dict[str, Any]

    @property
    def asks(self) -> bool:
        """Whether somebody has to look at it: it changes customers, or nobody knows whether."""
        return self.merged is None or self.split is None or self.merged + self.split > 0


def measure(connection: Connection) -> Drift | None:
    """How far the data have moved on; None while rules or a version that nobody learnt are in force."""
    if not in_force(connection):
        return None
    known = [one for one in store.versions(connection) if one.origin in _LEARNT]
    active = store.active(connection)
    if active.origin not in _LEARNT:
        return None
    records = live_records(connection)
    nearest = min((int(one.statistics.get("records", 0)) for one in known), key=lambda count: abs(count - records))
    since = select(func.count()).select_from(match_block).where(
        match_block.c.version == active.number, match_block.c.at > max(one.made_at for one in known)
    )  # fmt: skip
    return Drift(records, nearest, connection.execute(since).scalar_one())


def propose_if_due(database: Database, policy: str) -> Proposal | None:
    """Learn, compare and propose another version if it is time; under ``follow`` put it in force where few customers
    change. None if there is nothing to do. Commits.
    """
    with database.reading() as connection:
        found = measure(connection) if policy != NEVER else None
        basis = store.active(connection) if found is not None else None
    if found is None or basis is None or not found.due or switching.under_way(database) is not None:
        return None
    return _propose(database, found, basis, policy)


def open_proposal(connection: Connection) -> Proposal | None:
    """The newest version that waits for a word because the data moved on since the one in force was learnt."""
    if not in_force(connection):
        return None
    active = store.active(connection).number
    for one in store.versions(connection):
        found = _proposal(one)
        if found is not None and found.basis == active and one.state == store.PROPOSED:
            return found
    return None


def watch(project: Project, stop: Event) -> None:
    """Look every now and then until ``stop`` is set."""
    policy = project.settings.matching.recalibrate
    while not stop.wait(EVERY):
        try:
            found = propose_if_due(project.database, policy)
        except database_errors() as error:
            log.warning("the database could not be reached", kind=type(error).__name__)
        except Exception as error:
            log.error("the match model could not be learnt", exc_info=error)
        else:
            if found is not None:
                log.info("a version of the match model is proposed", version=found.version.number, policy=policy)


def _propose(database: Database, found: Drift, basis: ModelVersion, policy: str) -> Proposal | None:
    from sync.matching import calibration, comparing  # loaded when something is learnt

    learnt = calibration.learn(database)
    with database.transaction() as connection:
        moved = _moved(store.load(connection, basis.number), learnt.models)
        drift: dict[str, Any] = {"basis": basis.number, "learnt_from": found.learnt_from, "moved": moved}
        statistics = {**learnt.statistics, "drift": drift}
        version = calibration.propose(connection, learnt._replace(statistics=statistics), by=f"policy {policy}")
    if version.number == basis.number:
        return None
    if found.records <= COMPARED:
        with database.reading() as connection:
            counted = comparing.compare(connection, basis.number, version.number)
        drift |= {"merged": counted.merged, "split": counted.split, "customers": counted.before}
        with database.transaction() as connection:
            store.annotate(connection, version.number, {**version.statistics, **statistics})
            few = counted.merged + counted.split <= FEW * counted.before
            if policy == FOLLOW and few and store.active(connection).number == basis.number:
                switching.begin(connection, version.number, by=f"policy {policy}", reason="the data moved on")
    with database.reading() as connection:
        return _proposal(store.get(connection, version.number))


def _proposal(version: ModelVersion) -> Proposal | None:
    drift = version.statistics.get("drift")
    if not isinstance(drift, dict):
        return None
    return Proposal(
        version,
        int(drift["basis"]),
        int(drift["learnt_from"]),
        int(version.statistics.get("records", 0)),
        drift.get("merged"),
        drift.get("split"),
        drift["moved"],
    )


def _moved(before: dict[Kind, MatchModel], after: dict[Kind, MatchModel]) -> dict[str, Any]:
    """By kind: how far the prior (λ) and the weight of the level that moved most went, in log2; shared contacts."""
    return {
        kind: {
            "prior": round(model.prior - before[kind].prior, 2),
            "level": round(max(map(abs, _levels(before[kind], model)), default=0.0), 2),
            "shared_added": len(model.shared - before[kind].shared),
            "shared_gone": len(before[kind].shared - model.shared),
        }
        for kind, model in after.items()
        if kind in before
    }


def _levels(before: MatchModel, after: MatchModel) -> list[float]:
    """What every level weighs more than before, of comparisons that both have."""
    known = {one.name: one for one in before.comparisons}
    return [
        new.weight - old.weight
        for one in after.comparisons
        if one.name in known and len(one.levels) == len(known[one.name].levels)
        for old, new in zip(known[one.name].levels, one.levels, strict=True)
    ]
