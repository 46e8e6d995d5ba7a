"""What stewards said, as resolving reads it: verdicts about records, and pinned values.

A verdict names source records on two or more sides. ``same``: the live ones among them are one customer. ``different``:
none of one side is ever in a customer with one of another. Records that are gone say nothing, until they come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from mappings.contract import RecordKey, seniority
from sync.master.bulk import Bulk, Question, bulk_for
from sync.master.identity import parse_public_id

SAME, DIFFERENT, UNDECIDED = "same", "different", "undecided"
_VERDICTS = f"'{SAME}', '{DIFFERENT}'"


class Verdict(NamedTuple):
    """A word in force on some records; ``sides`` says which record is on which side. ``exclusion``: the records of side
    0 were taken out of the customer of the others.
    """

    id: int
    same: bool
    sides: Mapping[int, int]
    exclusion: bool = False


class Pin(NamedTuple):
    """A steward's value of a golden field, of the customer that the record is in; None empties the field."""

    id: int
    record: int
    field: str
    value: Any


@dataclass(slots=True)
class Words:
    """The verdicts and pins that concern some records."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    pins: dict[int, Pin] = field(default_factory=dict)

    def update(self, other: Words) -> None:
        """Take in what was read of further records."""
        self.verdicts.update(other.verdicts)
        self.pins.update(other.pins)


class Links(NamedTuple):
    """Pairs of live records that must, and that must not, be in one customer."""

    must: list[tuple[int, int]]
    cannot: list[tuple[int, int]]


EXISTING: Question = ("SELECT 1 FROM steward_decision LIMIT 1",)
"""What ``exist`` asks."""


def exist(bulk: Bulk) -> bool:
    """Whether any steward ever said anything: where none did, resolving asks no more than this."""
    return bool(bulk.fetch(*EXISTING))


def read(bulk: Bulk, record_ids: Iterable[int]) -> Words:
    """All words in force on the records, with everything they name."""
    rows = bulk.fetch(
        "SELECT d.id, d.act, d.verdict, d.field, d.value, o.record_id, o.side "  # noqa: S608 - fixed words
        "FROM (SELECT DISTINCT decision_id FROM steward_anchor WHERE record_id {ints}) a "
        "JOIN steward_decision d ON d.id = a.decision_id JOIN steward_anchor o ON o.decision_id = a.decision_id "
        f"WHERE d.undone_by IS NULL AND o.undone_by IS NULL AND (d.verdict IN ({_VERDICTS}) OR d.act = 'pin')",
        sorted(record_ids),
    )
    words = Words()
    sides: dict[int, dict[int, int]] = defaultdict(dict)
    for number, act, verdict, name, value, record_id, side in rows:
        if act == "pin":
            words.pins[number] = Pin(number, record_id, name, orjson.loads(value))
        else:
            sides[number][record_id] = side
            words.verdicts[number] = Verdict(number, verdict == SAME, sides[number], act == "exclude")
    return words


def of_customer(connection: Connection, customer_id: str) -> dict[str, Any]:
    """The pinned fields of a customer, by its id as people write it."""
    bulk = bulk_for(connection)
    number = parse_public_id(customer_id)
    members = [row[0] for row in bulk.fetch("SELECT record_id FROM crosswalk WHERE customer_id = ?", number)]
    return pinned(read(bulk, members).pins.values(), members)


def anchored(bulk: Bulk, record_ids: Iterable[int]) -> set[int]:
    """Those of the records that any steward ever said something about."""
    rows = bulk.fetch("SELECT record_id FROM steward_anchor WHERE record_id {ints}", sorted(record_ids))
    return {row[0] for row in rows}


def links(verdicts: Iterable[Verdict], live: Mapping[int, RecordKey]) -> Links:
    """The verdicts as pairs of live records. ``same`` gives a chain, senior first, so that it costs what it names."""
    found = Links([], [])
    for verdict in verdicts:
        records = sorted((record for record in verdict.sides if record in live), key=lambda one: seniority(live[one]))
        if verdict.same:
            found.must.extend(pairwise(records))
        else:
            found.cannot.extend(
                (left, right)
                for place, left in enumerate(records)
                for right in records[place + 1 :]
                if verdict.sides[left] != verdict.sides[right]
            )
    return found


def pinned(pins: Iterable[Pin], record_ids: Sequence[int]) -> dict[str, Any]:
    """The pinned fields of a customer with these records. Of several pins of one field the last one said holds."""
    members = set(record_ids)
    values = {pin.field: pin.value for pin in sorted(pins) if pin.record in members}
    return dict(sorted(values.items()))
