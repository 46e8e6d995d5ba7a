"""Golden records: computed by survivorship from the live members of a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import orjson

from mappings.survivorship import Source, SurvivorshipRules, golden
from sync.master.bulk import Bulk
from sync.master.components import Stored
from sync.master.decisions import Pin, pinned
from sync.master.naming import Group
from sync.master.records import LandedRecord
from sync.master.references import anchored
from sync.master.settling import LiveRecord
from sync.master.streams import StreamRef


class GoldenRecord(NamedTuple):
    """A golden record as stored: JSON, and the two fields that lists show."""

    text: bytes
    kind: str
    name: str | None


class _Head(msgspec.Struct):
    kind: str = "person"
    name: str | None = None


_HEAD = msgspec.json.Decoder(_Head)


class Goldens:
    """Computes the golden records of one batch; reads the canonical customers it needs in one query."""

    def __init__(self, streams: Mapping[int, StreamRef], rules: SurvivorshipRules) -> None:
        self._streams, self._rules = streams, rules
        self._canonical: dict[int, bytes] = {}
        self._pins: dict[int, list[Pin]] = {}

    def prepare(
        self,
        bulk: Bulk,
        groups: Iterable[Group],
        batch: Sequence[LandedRecord],
        pins: Iterable[Pin] = (),
        stored: Mapping[int, Stored] = MappingProxyType({}),
    ) -> None:
        """Load the canonical customers of the groups' members that the batch does not hold and that are not ``stored``
        at hand; ``pins`` are in force.
        """
        self._pins = {}
        for pin in pins:
            self._pins.setdefault(pin.record, []).append(pin)
        self._canonical = {record.id: record.canonical for record in batch if record.canonical is not None}
        missing = {member.id for group in groups for member in group.members} - self._canonical.keys()
        for number in missing & stored.keys():
            self._canonical[number] = (stored[number].canonical or "{}").encode()
        missing -= stored.keys()
        if missing:
            rows = bulk.fetch("SELECT id, canonical FROM source_record WHERE id {ints}", sorted(missing))
            self._canonical |= {row[0]: row[1].encode() for row in rows}

    def of_single(self, record: LandedRecord) -> GoldenRecord:
        """The golden record of a customer with this one source record."""
        return _named(record.canonical or b"{}", self._streams[record.stream_id], record.source_id)

    def of_group(self, group: Group) -> GoldenRecord:
        """The golden record of a group; ``prepare`` was called with it."""
        pins = self._pins_of(group) if self._pins else None
        if len(group.members) == 1 and not pins:
            only = group.members[0]
            return _named(self._canonical[only.id], only.stream, only.source_id)
        values = golden([self._source(member) for member in group.members], self._rules, pins)
        return GoldenRecord(orjson.dumps(values), values["kind"], _display_name(values))

    def _pins_of(self, group: Group) -> dict[str, Any]:
        found = [pin for member in group.members for pin in self._pins.get(member.id, ())]
        return pinned(found, [member.id for member in group.members])

    def _source(self, member: LiveRecord) -> Source:
        customer = anchored(orjson.loads(self._canonical[member.id]), member.stream, member.source_id)
        return Source(member.key, customer, member.stream.priority)


def _named(canonical: bytes, stream: StreamRef, source_id: str) -> GoldenRecord:
    """The golden record of a single source: its canonical customer as it is (``survivorship.golden`` agrees)."""
    if b'"organisation":' in canonical or b'"consents":' in canonical:
        canonical = orjson.dumps(anchored(orjson.loads(canonical), stream, source_id))
    head = _HEAD.decode(canonical)
    return GoldenRecord(canonical, head.kind, head.name or _display_name(orjson.loads(canonical)))


def _display_name(values: Mapping[str, Any]) -> str | None:
    """What to call the customer in a list: its name, else its first contact."""
    if values.get("name"):
        return str(values["name"])
    for contact in (*values.get("emails", ()), *values.get("phones", ()), *values.get("identifiers", ())):
        return str(contact["value"])
    return None
