"""A word on two source records: the same customer, not the same, or undecided."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection

from sync.errors import Misused, Refused
from sync.master.bulk import bulk_for
from sync.master.decisions import DIFFERENT, SAME, UNDECIDED
from sync.stewardship import acts, consistency
from sync.stewardship.acts import Act, Steward
from sync.stewardship.errors import AlreadySaid
from sync.stewardship.records import SourceRef, find_record

Verdict = Literal["same", "different", "undecided"]
VERDICTS: tuple[Verdict, ...] = ("same", "different", "undecided")


def decide(connection: Connection, by: Steward, left: str, right: str, verdict: Verdict) -> int:
    """Say of two source records (CONNECTION/STREAM/KEY) whether they are one customer; answers the act's number.

    ``undecided`` changes no customer and takes the pair out of the queue; a later word replaces it. Raises
    UnknownRecord, AlreadySaid, Contradicted, Misused for one record with itself, Refused for different kinds.
    """
    number = acts.next_number(connection)
    one, other = find_record(connection, left), find_record(connection, right)
    if one.id == other.id:
        raise Misused("Two different records are needed; both are {record}.", record=one.address)
    said = _said(connection, one, other)
    if said and said[-1].verdict == verdict:
        raise AlreadySaid(
            "{by} said so already on {at} (decision {decision}).",
            by=said[-1].by,
            at=f"{said[-1].at:%Y-%m-%d}",
            decision=said[-1].id,
        )
    firm = [act for act in said if act.verdict != UNDECIDED]
    if firm:
        raise consistency.contradicted(connection, [firm[-1].id])
    if verdict == SAME:
        _require_one_kind(one, other)
    acts.write(connection, number, acts.DECIDE, by, {one.id: 0, other.id: 1}, verdict=verdict)
    acts.take_back(connection, [act.id for act in said], number)
    if verdict in (SAME, DIFFERENT):
        consistency.require(connection, [one.id, other.id], [number])
    return number


def _said(connection: Connection, one: SourceRef, other: SourceRef) -> list[Act]:
    """What was said of exactly these two and holds, oldest first."""
    rows = bulk_for(connection).fetch(
        "SELECT d.id FROM steward_anchor l JOIN steward_anchor r ON r.decision_id = l.decision_id "
        "JOIN steward_decision d ON d.id = l.decision_id "
        "WHERE l.record_id = ? AND r.record_id = ? AND d.act = ? AND d.undone_by IS NULL",
        one.id,
        other.id,
        acts.DECIDE,
    )
    return acts.load_all(connection, [row[0] for row in rows])


def _require_one_kind(one: SourceRef, other: SourceRef) -> None:
    kinds = [ref.canonical.get("kind") for ref in (one, other)]
    if kinds[0] != kinds[1]:
        raise Refused(
            "{left} is of kind {left_kind} and {right} of kind {right_kind}: they cannot be one customer.",
            left=one.address,
            left_kind=kinds[0],
            right=other.address,
            right_kind=kinds[1],
            remedy="Correct the kind in the mapping of one of them.",
        )
