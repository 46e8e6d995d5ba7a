"""Merging customers, taking one record out of a customer, and taking a merge apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from sync.errors import Refused
from sync.master.bulk import bulk_for
from sync.master.decisions import DIFFERENT, SAME
from sync.stewardship import acts, consistency
from sync.stewardship.acts import Act, Steward
from sync.stewardship.blockers import precheck, sides_of
from sync.stewardship.errors import CannotUndo, MergeBlocked
from sync.stewardship.records import CustomerRef, customers_of, find_customer, find_record

Settle = Callable[[Connection, Sequence[int]], None]
"""Resolves records inside the caller's transaction."""


def merge(connection: Connection, by: Steward, ids: Sequence[str]) -> int:
    """Make one customer of several; answers the act's number. Raises MergeBlocked with everything against it.

    The word is about all their present source records: those of them that live stay one customer.
    """
    number = acts.next_number(connection)
    chosen, blockers = precheck(connection, ids)
    if blockers:
        raise MergeBlocked(blockers)
    acts.write(connection, number, acts.MERGE, by, sides_of(chosen), verdict=SAME)
    return number


def exclude(connection: Connection, by: Steward, customer: str, record: str) -> int:
    """Take a source record out of a customer, for good; answers the act's number.

    It is kept apart from every other record the customer has now, and leaves the merges that brought it in.
    Raises UnknownCustomer, UnknownRecord, Refused for a record that is elsewhere or the only one, Contradicted
    where a decision on the record itself says that it belongs.
    """
    number = acts.next_number(connection)
    whole, member = find_customer(connection, customer), find_record(connection, record)
    if member.customer_id != whole.id:
        raise Refused(
            "{record} is no record of {customer}.",
            record=member.address,
            customer=whole.public_id,
            remedy="`kehu master get {record}` shows whose it is.",
        )
    others = [ref.id for ref in whole.records if ref.id != member.id]
    if not others:
        raise Refused(
            "{record} is the only record of {customer}: there is nothing to take it out of.",
            record=member.address,
            customer=whole.public_id,
            remedy="Nothing to do.",
        )
    acts.lock_out(connection, member.id, _merges(connection, [member.id]), number)
    sides = {member.id: 0, **dict.fromkeys(others, 1)}
    acts.write(connection, number, acts.EXCLUDE, by, sides, verdict=DIFFERENT)
    consistency.require(connection, sides, [number])
    return number


def unmerge(connection: Connection, by: Steward, customer: str, settle: Settle, merge_act: int | None = None) -> int:
    """Take a steward's merge apart: its customers are again what they were, with what their sources say today.

    By default the latest merge in the customer. Where the records would now be brought together by what they have in
    common, they are kept apart. Raises UnknownCustomer, CannotUndo for a customer without such a merge, Contradicted
    naming the other decisions that hold the customers together.
    """
    number = acts.next_number(connection)
    target = _merge_in(connection, find_customer(connection, customer), merge_act)
    sides = acts.sides(connection, target.id)
    acts.write(connection, number, acts.UNMERGE, by, sides, target=target.id)
    acts.take_back(connection, [target.id], number)
    holding = consistency.chain(consistency.around(connection, sides).values(), sides)
    if holding:
        raise consistency.contradicted(connection, holding)
    if _still_together(connection, sides, settle):
        bulk_for(connection).run("UPDATE steward_decision SET verdict = ? WHERE id = ?", DIFFERENT, number)
    return number


def _merge_in(connection: Connection, whole: CustomerRef, merge_act: int | None) -> Act:
    merges = _merges(connection, [record.id for record in whole.records])
    if merge_act is not None and merge_act not in merges:
        raise CannotUndo("{merge} is no merge in {customer}.", merge=merge_act, customer=whole.public_id)
    if not merges:
        raise CannotUndo(
            "No steward merged anything into {customer}.",
            customer=whole.public_id,
            remedy="To take a record out that was matched by itself: `kehu steward exclude {customer} RECORD`.",
        )
    return acts.load(connection, merge_act if merge_act is not None else max(merges))


def _merges(connection: Connection, record_ids: Sequence[int]) -> list[int]:
    """The merges in force that name any of the records."""
    rows = bulk_for(connection).fetch(
        "SELECT DISTINCT d.id FROM steward_anchor a JOIN steward_decision d ON d.id = a.decision_id "
        "WHERE a.record_id {ints} AND a.undone_by IS NULL AND d.act = ? AND d.undone_by IS NULL",
        list(record_ids),
        acts.MERGE,
    )
    return [row[0] for row in rows]


def _still_together(connection: Connection, sides: dict[int, int], settle: Settle) -> bool:
    """Whether the sides would be in one customer if nothing more were said: tried, and rolled back."""
    trial = connection.begin_nested()
    try:
        settle(connection, sorted(sides))
        return any(
            len({sides[record.id] for record in customer.records if record.id in sides}) > 1
            for customer in customers_of(connection, sides)
        )
    finally:
        trial.rollback()
