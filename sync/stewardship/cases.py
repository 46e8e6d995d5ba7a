"""A case to review: customers that may be one, what stands against it, and the golden record that would come of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from mappings.survivorship import SurvivorshipRules
from sync.database import Database
from sync.errors import Misused, Refused
from sync.provenance import Explained, of_records
from sync.stewardship import merging
from sync.stewardship.acts import Steward
from sync.stewardship.blockers import Precheck, precheck
from sync.stewardship.effect import Engine, Outcome, Work, carry_out
from sync.stewardship.errors import Blocker, MergeBlocked
from sync.stewardship.records import CustomerRef, SourceRef, find_customer
from sync.stewardship.review import Candidate
from sync.stewardship.undoing import undo

WIDEST = 6
"""So many customers are put side by side."""


class Case(NamedTuple):
    """Customers side by side, all reasons against merging them, and their golden record were they one."""

    customers: list[CustomerRef]
    blockers: list[Blocker]
    result: list[Explained]

    @property
    def records(self) -> list[SourceRef]:
        """All source records, those of the first customer first."""
        return [record for customer in self.customers for record in customer.records]


def case(connection: Connection, ids: Sequence[str], rules: SurvivorshipRules, out: Collection[str] = ()) -> Case:
    """The case of some customers; ``out`` are addresses of records that do not belong, and are left out of the result.

    Raises UnknownCustomer for an id that leads to none.
    """
    found = {one.id: one for one in (find_customer(connection, text) for text in ids)}
    customers = list(found.values())
    blockers = precheck(connection, [one.public_id for one in customers]).blockers if len(customers) > 1 else []
    kept = [record for one in customers for record in one.records if record.address not in out]
    return Case(customers, blockers, of_records(connection, kept, rules))


def around(pairs: Iterable[Candidate], left: str, right: str, most: int = WIDEST) -> list[str]:
    """The two customers, then others that form a cluster with them: each in an open pair with one that is in it."""
    members, open_pairs = [left, right], list(pairs)
    for member in members:  # grows while it is walked
        for pair in open_pairs:
            ends = (pair.left.customer, pair.right.customer)
            if member in ends:
                members += [end for end in ends if end not in members]
        if len(members) >= most:
            break
    return members[:most]


def settle_same(
    database: Database, engine: Engine, by: Steward, ids: Sequence[str], out: Collection[str] = ()
) -> list[Outcome]:
    """Make one customer of several, without the records that do not belong; an act for each step, in order.

    Records in ``out`` are first taken out of their customers; a customer of which nothing is left stays out of it.
    Raises MergeBlocked, Misused where fewer than two customers are left, and what excluding raises; nothing is done
    then.
    """
    with database.reading() as connection:
        wanted, steps = _steps(precheck(connection, ids), set(out))
    done = _taken_out(database, engine, by, steps)
    try:
        return [*done, carry_out(database, lambda connection: merging.merge(connection, by, wanted), engine)]
    except Refused:
        _take_back(database, engine, by, done)
        raise


def exclude_all(
    database: Database, engine: Engine, by: Steward, ids: Sequence[str], out: Collection[str]
) -> list[Outcome]:
    """Take records out of whichever of the customers holds them; an act for each. Raises Misused for none."""
    with database.reading() as connection:
        members = [
            (one.public_id, r.address) for one in map(partial(find_customer, connection), ids) for r in one.records
        ]
    steps = [(customer, address) for customer, address in members if address in out]
    if not steps:
        raise Misused("No record was chosen.", remedy="Mark the records that do not belong.")
    return _taken_out(database, engine, by, steps)


def _taken_out(database: Database, engine: Engine, by: Steward, steps: Sequence[tuple[str, str]]) -> list[Outcome]:
    """All of them, or none: what was done before a refusal is taken back."""
    done: list[Outcome] = []
    try:
        for customer, address in steps:
            done.append(carry_out(database, _excluding(by, customer, address), engine))
    except Refused:
        _take_back(database, engine, by, done)
        raise
    return done


def _take_back(database: Database, engine: Engine, by: Steward, done: Sequence[Outcome]) -> None:
    for outcome in reversed(done):
        carry_out(database, partial(_undoing, by, outcome.decision), engine)


def _undoing(by: Steward, decision: int, connection: Connection) -> int:
    return undo(connection, by, decision)


def _steps(checked: Precheck, out: set[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The customers that stay in it, and the exclusions before: customer and record."""
    wanted, steps = [], []
    for customer in checked.customers:
        marked = [record.address for record in customer.records if record.address in out]
        if len(marked) < len(customer.records):
            wanted.append(customer.public_id)
            steps += [(customer.public_id, address) for address in marked]
    unresolved = [one for one in checked.blockers if one.code in ("unknown_id", "merged_id", "deleted_id")]
    if unresolved:
        raise MergeBlocked(unresolved)
    if len(wanted) < 2:
        raise Misused("Fewer than two customers are left to be one.", remedy="Mark fewer records as not belonging.")
    if len(wanted) == len(checked.customers) and not steps and checked.blockers:
        raise MergeBlocked(checked.blockers)
    return wanted, steps


def _excluding(by: Steward, customer: str, address: str) -> Work:
    return lambda connection: merging.exclude(connection, by, customer, address)
