"""Why a customer's fields have their values: which source record, by which rule, and what came second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection

from mappings.contract import RecordKey
from mappings.survivorship import Source, SurvivorshipRules, explain
from sync.master import decisions, streams
from sync.master.bulk import bulk_for
from sync.master.queries import CustomerView
from sync.master.references import anchored

if TYPE_CHECKING:
    from sync.stewardship.records import SourceRef


class Explained(NamedTuple):
    """One field of a golden record. ``sources`` are written as ``connection/stream/key``."""

    field: str
    value: Any
    rule: str
    sources: tuple[str, ...]
    runner_up: Any
    runner_up_source: str


def of_customer(connection: Connection, customer: CustomerView, rules: SurvivorshipRules) -> list[Explained]:
    """Each golden value of a customer (read with its sources) with its origin; empty for one without live sources."""
    refs = {(ref.connection, ref.name): ref for ref in streams.load(connection).values()}
    names: dict[RecordKey, str] = {}
    members: list[Source] = []
    for view in customer.sources:
        ref = refs[view.connection, view.stream]
        key = ref.key(view.source_id, view.part)
        part = f" {view.part}" if view.part else ""
        names[key] = f"{view.connection}/{view.stream}/{view.source_id}{part}"
        if view.canonical:
            members.append(Source(key, anchored(view.canonical, ref, view.source_id), ref.priority))
    return _explained(members, names, rules, decisions.of_customer(connection, customer.id))


def of_records(connection: Connection, records: Sequence[SourceRef], rules: SurvivorshipRules) -> list[Explained]:
    """What the golden record of a customer with these source records would be, with the origin of each value."""
    ids = [record.id for record in records]
    pins = decisions.pinned(decisions.read(bulk_for(connection), ids).pins.values(), ids)
    names = {record.key: record.address for record in records}
    members = [
        Source(record.key, anchored(record.canonical, record.stream, record.source_id), record.stream.priority)
        for record in records
        if record.canonical
    ]
    return _explained(members, names, rules, pins)


def _explained(
    members: Sequence[Source], names: Mapping[RecordKey, str], rules: SurvivorshipRules, pins: Mapping[str, Any]
) -> list[Explained]:
    if not members:
        return []
    found = []
    for field, choice in explain(members, rules, pins).items():
        keys = [choice.source] if choice.source is not None else [key for keys in choice.sources for key in keys]
        second = choice.runner_up
        found.append(
            Explained(
                field,
                choice.value,
                choice.rule,
                tuple(dict.fromkeys(names[key] for key in keys)),
                None if second is None else second.value,
                "" if second is None else names[second.source],
            )
        )
    return found
