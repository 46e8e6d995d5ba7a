"""Making an act take effect: written down and queued in one transaction, resolved at once in the next.

Should the program die between the two, the landing row is found and resolved like any other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from mappings.contract import Matcher
from mappings.survivorship import SurvivorshipRules
from sync.database import Database
from sync.master import resolving
from sync.master.bulk import bulk_for
from sync.master.cause import caused_by
from sync.master.inforce import MatcherSource, reading_with
from sync.stewardship import acts
from sync.stewardship.records import CustomerRef, customers_of

Work = Callable[[Connection], int]
"""Writes an act down and answers its number; called again after a conflict, so it does nothing else."""

_TRIES = 12
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Engine:
    """What resolving needs: the match model and the survivorship rules."""

    matcher: Matcher | MatcherSource
    survivorship: SurvivorshipRules

    def settle(self, connection: Connection, record_ids: Sequence[int]) -> None:
        """Resolve records inside the caller's transaction."""
        landing = acts.queue(connection, record_ids)
        if landing is not None:
            resolving.resolve_in(connection, [landing], matcher=self.matcher, survivorship=self.survivorship)


class Outcome(NamedTuple):
    """An act's number, and the customers it is about before and after it took effect."""

    decision: int
    before: list[CustomerRef]
    after: list[CustomerRef]


class _Written(NamedTuple):
    decision: int
    landing: int | None
    before: list[CustomerRef]


def carry_out(database: Database, work: Work, engine: Engine) -> Outcome:
    """Do it: in transactions of its own, the effect visible when this returns.

    Raises SwitchUnderWay while the match model is being switched; nothing is written down then.
    """
    with database.reading() as connection:
        resolving.require_no_switch(reading_with(engine.matcher, bulk_for(connection)))
    written = _trying(partial(_write, database, work))
    if written.landing is not None:
        matcher, survivorship = engine.matcher, engine.survivorship
        with caused_by("decision", decision=written.decision):
            resolving.resolve(database, [written.landing], matcher=matcher, survivorship=survivorship)
    with database.reading() as connection:
        after = customers_of(connection, _records(connection, written))
    return Outcome(written.decision, written.before, after)


def rehearse(database: Database, work: Work, engine: Engine) -> Outcome:
    """Say what would become of it: everything is done in one transaction and rolled back."""
    return _trying(partial(_rehearse, database, work, engine))


def _write(database: Database, work: Work) -> _Written:
    with database.transaction() as connection:
        return _noted(connection, work)


def _noted(connection: Connection, work: Work) -> _Written:
    decision = work(connection)
    records = acts.anchors(connection, [decision])
    return _Written(decision, acts.queue(connection, records), customers_of(connection, records))


def _rehearse(database: Database, work: Work, engine: Engine) -> Outcome:
    with database.transaction() as connection:
        trial = connection.begin_nested()
        try:
            written = _noted(connection, work)
            landings = [] if written.landing is None else [written.landing]
            resolving.resolve_in(connection, landings, matcher=engine.matcher, survivorship=engine.survivorship)
            return Outcome(written.decision, written.before, customers_of(connection, _records(connection, written)))
        finally:
            trial.rollback()


def _records(connection: Connection, written: _Written) -> set[int]:
    members = {record.id for customer in written.before for record in customer.records}
    return members | set(acts.anchors(connection, [written.decision]))


def _trying(work: Callable[[], _Result]) -> _Result:
    """Begin again after a conflict with a worker."""
    for attempt in range(1, _TRIES + 1):
        try:
            return work()
        except Exception as error:
            if attempt == _TRIES or not resolving.is_conflict(error):
                raise
            time.sleep(random.uniform(0, min(0.01 * 2**attempt, 0.5)))  # noqa: S311 - jitter
    raise AssertionError("unreachable")
