"""From the customers as they were to the customers as they shall be: what each change is called.

Every touched customer gets at most one event: ``created``, ``updated``, ``split`` (a customer that came out of one
that lives on), ``merged`` (its id stands for another customer now) or ``deleted`` (none of its records is left).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sync.master.components import Held, HeldCustomer
from sync.master.naming import Group, Named
from sync.master.settling import LiveRecord


class Kept(NamedTuple):
    """A group that stands after the change; ``before`` is the row its id has already, if any."""

    group: Group
    before: HeldCustomer | None
    joined: tuple[LiveRecord, ...]
    left: tuple[int, ...]
    split_from: int | None

    @property
    def was_active(self) -> bool:
        """Whether the customer existed, rather than being created, split off or brought back."""
        return self.before is not None and self.before.status == "active"


class Ended(NamedTuple):
    """A customer that no longer stands: merged into another, or deleted when ``into`` is None. ``left`` are the live
    records that it had.
    """

    before: HeldCustomer
    into: int | None
    left: tuple[LiveRecord, ...] = ()


@dataclass(slots=True)
class Transition:
    """All that changes in the touched neighbourhood."""

    kept: list[Kept] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    unassigned: list[int] = field(default_factory=list)
    refreshed: list[LiveRecord] = field(default_factory=list)


def plan(held: Held, named: Named, resolving: Mapping[int, int]) -> Transition:
    """Compare the groups with what is held; ``resolving`` are the records (and versions) of the batch."""
    groups = named.groups
    standing = {group.id for group in groups}
    transition = Transition()
    for group in groups:
        kept = _keep(group, named.rows.get(group.id), held, standing)
        if _is_touched(kept, resolving):
            transition.kept.append(kept)
        transition.refreshed += [
            record for record in group.members if _needs_refresh(record, group.id, held, resolving)
        ]
    placed = {record.id: group.id for group in groups for record in group.members}
    transition.unassigned = sorted(held.assigned.keys() - placed.keys())
    gone = [one for number, one in held.customers.items() if one.status == "active" and number not in standing]
    live = {record.id: record for group in groups for record in group.members} if gone else {}
    for before in gone:
        left = tuple(live[number] for number in sorted(before.members & live.keys()))
        transition.ended.append(Ended(before, _heir(before, placed), left))
    return transition


def _keep(group: Group, before: HeldCustomer | None, held: Held, standing: set[int]) -> Kept:
    numbers = {record.id for record in group.members}
    was_active = before is not None and before.status == "active"
    joined = tuple(record for record in group.members if held.assigned.get(record.id) != group.id or not was_active)
    left = tuple(sorted(before.members - numbers)) if before is not None else ()
    origins = [held.assigned[number] for number in sorted(numbers) if number in held.assigned]
    lives_on = next((origin for origin in origins if origin != group.id and origin in standing), None)
    return Kept(group, before, joined, left, None if was_active else lives_on)


def _is_touched(kept: Kept, resolving: Mapping[int, int]) -> bool:
    content_changed = any(record.id in resolving for record in kept.group.members)
    return bool(kept.joined or kept.left) or content_changed or not kept.was_active


def _needs_refresh(record: LiveRecord, customer_id: int, held: Held, resolving: Mapping[int, int]) -> bool:
    """Whether the record's crosswalk row has to be written: it moved, or was resolved in a newer version."""
    return held.assigned.get(record.id) != customer_id or record.id in resolving


def _heir(before: HeldCustomer, placed: Mapping[int, int]) -> int | None:
    """Where most of a vanished customer's records went; ties go to the smallest id, so that the answer is stable."""
    went: Iterable[int] = (placed[number] for number in before.members if number in placed)
    ranked = sorted(Counter(went).items(), key=lambda entry: (-entry[1], entry[0]))
    return ranked[0][0] if ranked else None
