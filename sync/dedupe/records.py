"""Rows into records to compare: mapped, and held in memory as features, equal ones once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from mappings.compile import Mapper
from mappings.contract import Features, Mapped, RecordKey
from mappings.errors import RecordInvalid, SpecError
from mappings.matching.probabilistic import VALUES, FellegiSunterMatcher
from sync import language
from sync.dedupe.reading import BATCH, Told
from sync.dedupe.store import Store, StoredRow, fields_of

EXCERPT = 2_000


@dataclass
class Records:
    """The records of a job, numbered from 0 in the order of files, rows and parts, which is their seniority.

    ``profiles`` are the distinct features; ``profile_of`` has the number of each record's.
    """

    profiles: list[Features] = field(default_factory=list)
    profile_of: array[int] = field(default_factory=lambda: array("l"))
    file: array[int] = field(default_factory=lambda: array("l"))
    line: array[int] = field(default_factory=lambda: array("q"))
    row: array[int] = field(default_factory=lambda: array("q"))
    parts: dict[int, str] = field(default_factory=dict)
    rejected: int = 0
    filtered: int = 0

    def __len__(self) -> int:
        return len(self.profile_of)

    def key(self, record: int) -> RecordKey:
        """Identifies the record to the matcher."""
        return (1, self.file[record], str(self.line[record]), self.parts.get(record, ""))

    def with_profiles(self, profiles: Sequence[Features]) -> Records:
        """The same records with other features instead of ``profiles``; those that became equal are one."""
        numbers: dict[bytes, int] = {}
        renumbered = [numbers.setdefault(orjson.dumps(found), len(numbers)) for found in profiles]
        distinct: list[Features] = [()] * len(numbers)
        for found, number in zip(profiles, renumbered, strict=True):
            distinct[number] = found
        profile_of = array("l", (renumbered[number] for number in self.profile_of))
        return Records(distinct, profile_of, self.file, self.line, self.row, self.parts, self.rejected, self.filtered)


def map_rows(store: Store, mapper: Mapper, told: Told) -> Records:
    """Map every row; what does not map goes to the store's rejections. Raises SpecError if nothing can be compared."""
    records, matcher = Records(), FellegiSunterMatcher()
    numbers: dict[bytes, int] = {}
    found: list[tuple[int, int, str, bytes]] = []
    for row in store.rows():
        for mapped in _customers(row, mapper, store, records):
            found.append((len(records), row.id, mapped.part, orjson.dumps(mapped.customer)))
            _add(records, numbers, matcher.features(mapped.customer), row, mapped.part)
        if row.id % BATCH == 0:
            store.add_customers(found)
            found = []
            told(row.id)
    store.add_customers(found)
    _require_comparable(records, store)
    return records


def _customers(row: StoredRow, mapper: Mapper, store: Store, records: Records) -> list[Mapped]:
    try:
        mapped = mapper(fields_of(row.body))
    except RecordInvalid as error:
        records.rejected += 1
        shown = row.body[:EXCERPT].decode("utf-8", "ignore")
        store.reject(row.file, row.line, language.told(error)[0], shown, row.id)
        return []
    records.filtered += not mapped
    return sorted(mapped, key=lambda one: (len(one.part), one.part))


def _add(records: Records, numbers: dict[bytes, int], features: Features, row: StoredRow, part: str) -> None:
    content = orjson.dumps(features)
    number = numbers.setdefault(content, len(numbers))
    if number == len(records.profiles):
        records.profiles.append(features)
    if part:
        records.parts[len(records)] = part
    records.profile_of.append(number)
    records.file.append(row.file)
    records.line.append(row.line)
    records.row.append(row.id)


def _require_comparable(records: Records, store: Store) -> None:
    if any(value is not None for features in records.profiles for value in features[VALUES:]):
        return
    reason = next((reason for reason, _ in store.reasons(1)), "-")
    raise SpecError(
        "the mapping yields nothing that can be compared: of no row it makes a customer with a name, "
        "an email, a phone, a number or an address. The most frequent reason: {reason}",
        reason=reason,
        remedy="Correct the mapping and pass it with --mapping; docs/mapping.md explains the language.",
    )
