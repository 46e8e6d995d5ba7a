"""What stands against merging customers: all reasons at once, each with a stable code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from sqlalchemy import Connection

from mappings.normalise.identifiers import tax_authority
from sync.master.bulk import bulk_for
from sync.master.decisions import Verdict
from sync.master.identity import parse_public_id, public_id
from sync.stewardship import acts, consistency
from sync.stewardship.errors import Blocker
from sync.stewardship.records import CustomerRef, customers

MAX_RECORDS = 2_000
"""So many source records one merge may name."""


class Precheck(NamedTuple):
    """The customers that the ids stand for, in the order asked, and what stands against merging them."""

    customers: list[CustomerRef]
    blockers: list[Blocker]


def precheck(connection: Connection, ids: Sequence[str]) -> Precheck:
    """Look for everything that stands against merging the customers.

    Codes: ``too_few``, ``unknown_id``, ``merged_id``, ``deleted_id``, ``too_many_records``, ``different_kinds``,
    ``different_tax_ids``, ``kept_apart``.
    """
    wanted = {number: text for text in ids if (number := parse_public_id(text)) is not None}
    blockers = [_unknown(text) for text in dict.fromkeys(ids) if parse_public_id(text) is None]
    found = {customer.id: customer for customer in customers(connection, wanted)}
    blockers += _gone(connection, {number: text for number, text in wanted.items() if number not in found})
    chosen = [found[number] for number in wanted if number in found]
    if len(wanted) < 2:
        blockers.append(Blocker("too_few", "A merge needs two different customers or more.", {}))
    blockers += _too_many(chosen)
    blockers += different_kinds(chosen)
    blockers += different_tax_ids(chosen)
    blockers += _kept_apart(connection, chosen)
    return Precheck(chosen, blockers)


def sides_of(chosen: Sequence[CustomerRef]) -> dict[int, int]:
    """The customers' records, each with the place of its customer."""
    return {record.id: place for place, customer in enumerate(chosen) for record in customer.records}


def different_kinds(chosen: Sequence[CustomerRef]) -> Iterator[Blocker]:
    """A person is never an organisation."""
    if len({customer.kind for customer in chosen}) > 1:
        shown = ", ".join(f"{customer.public_id} ({customer.kind})" for customer in chosen)
        yield Blocker("different_kinds", "They are of different kinds: {customers}.", {"customers": shown})


def different_tax_ids(chosen: Sequence[CustomerRef]) -> Iterator[Blocker]:
    """Two different valid numbers under one tax authority mean two taxpayers."""
    held: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for customer in chosen:
        for authority, numbers in _tax_numbers(customer).items():
            held[authority][customer.public_id] = numbers
    for authority, by_customer in sorted(held.items()):
        if any(one.isdisjoint(other) for one, other in combinations(by_customer.values(), 2)):
            shown = "; ".join(f"{holder}: {', '.join(sorted(numbers))}" for holder, numbers in by_customer.items())
            yield Blocker(
                "different_tax_ids",
                "They have different valid tax numbers ({authority}): {numbers}.",
                {"authority": authority, "numbers": shown},
            )


def _tax_numbers(customer: CustomerRef) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record in customer.records:
        for identifier in record.canonical.get("identifiers", ()):
            authority = tax_authority(identifier["scheme"], identifier["value"]) if identifier.get("valid") else None
            if authority is not None:
                found[authority].add(identifier["value"])
    return found


def _unknown(text: str) -> Blocker:
    return Blocker("unknown_id", "There is no customer {id}.", {"id": text[:200]})


def _gone(connection: Connection, missing: Mapping[int, str]) -> list[Blocker]:
    """Ids that stand for no customer of their own any more, or never did."""
    bulk = bulk_for(connection)
    into: dict[int, int] = dict(
        bulk.fetch("SELECT old_id, customer_id FROM customer_alias WHERE old_id {ints}", sorted(missing))
    )
    known = {row[0] for row in bulk.fetch("SELECT id FROM customer WHERE id {ints}", sorted(missing))}
    blockers = []
    for number, text in missing.items():
        params: dict[str, Any] = {"id": text[:200]}
        if number in into:
            params["into"] = public_id(into[number])
            blockers.append(Blocker("merged_id", "{id} is now part of {into}.", params))
        elif number in known:
            blockers.append(Blocker("deleted_id", "Nothing is left of {id}: its records are gone.", params))
        else:
            blockers.append(_unknown(text))
    return blockers


def _too_many(chosen: Sequence[CustomerRef]) -> Iterator[Blocker]:
    count = sum(len(customer.records) for customer in chosen)
    if count > MAX_RECORDS:
        params = {"count": count, "limit": MAX_RECORDS}
        yield Blocker("too_many_records", "Together they have {count} source records; {limit} is the most.", params)


def _kept_apart(connection: Connection, chosen: Sequence[CustomerRef]) -> Iterator[Blocker]:
    """Decisions that the merge would contradict, directly or through other decisions."""
    sides = sides_of(chosen)
    known = consistency.around(connection, sides)
    merged = Verdict(0, True, sides)
    apart = {conflict.apart for conflict in consistency.conflicts([*known.values(), merged])}
    for said in acts.load_all(connection, apart):
        yield Blocker(
            "kept_apart",
            "Decision {decision} of {by} on {at} keeps them apart.",
            {"decision": said.id, "by": said.by, "at": f"{said.at:%Y-%m-%d}"},
        )
