"""Rows into records to compare: mapped, and held in memory as features, equal ones once."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
import orjson
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from mappings.compile import Mapper
from mappings.contract import Features, Mapped, RecordKey
from mappings.errors import RecordInvalid, SpecError
from mappings.matching.calibrate import table_without
from mappings.matching.model import Kind, MatchModel
from mappings.matching.probabilistic import IDS, KIND, TAX, VALUES, FellegiSunterMatcher, default_model
from mappings.matching.table import Coded, Table, combined, renumbered
from sync import language
from sync.dedupe.reading import BATCH, Told
from sync.dedupe.store import Store, StoredRow, fields_of

EXCERPT = 2_000
KINDS: dict[str, Kind] = {"p": "person", "o": "organisation"}
"""Kinds of customer by the letter that features begin with."""


class Profiles(Sequence[Features]):
    """Distinct features in little memory: columns of numbers (``Table``), one table for each kind of customer.

    Append first, read the tables afterwards.
    """

    def __init__(self) -> None:
        self._tables = {letter: Table(default_model(kind).columns) for letter, kind in KINDS.items()}
        self._kinds = bytearray()
        self._place = array("i")
        self._numbered: dict[int, tuple[list[str], list[str]]] = {}
        self._known: dict[bytes, int] = {}

    def number(self, features: Features) -> int:
        """The number of these features; they are added if they are new."""
        content = xxh3_128_digest(orjson.dumps(features))
        number = self._known.setdefault(content, len(self._place))
        if number == len(self._place):
            letter = features[KIND]
            table = self._tables[letter]
            if features[TAX] or features[IDS]:
                self._numbered[number] = (features[TAX], features[IDS])
            self._kinds.append(ord(letter))
            self._place.append(len(table))
            table.append(tuple(features[VALUES:]))
        return number

    def close(self) -> None:
        """Nothing is added any more."""
        self._known.clear()

    def __len__(self) -> int:
        return len(self._place)

    @overload
    def __getitem__(self, number: int) -> Features: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Features]: ...
    def __getitem__(self, number: int | slice) -> Features | Sequence[Features]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        letter = chr(self._kinds[number])
        tax, ids = self._numbered.get(number, ((), ()))
        return (letter, list(tax), list(ids), *self._tables[letter][self._place[number]])

    def of_kind(self, letter: str) -> tuple[Table, NDArray[np.int64]]:
        """The values of all profiles of a kind, and their numbers."""
        kinds = np.frombuffer(self._kinds, dtype=np.uint8) if self._kinds else np.empty(0, dtype=np.uint8)
        return self._tables[letter], np.flatnonzero(kinds == ord(letter))

    def without_contacts(self, models: Mapping[Kind, MatchModel]) -> tuple[Profiles, NDArray[np.int64]]:
        """The profiles without shared contacts, each once, and for every profile the number of what it became."""
        first = np.arange(len(self), dtype=np.int64)
        tables: dict[str, Table] = {}
        for letter, kind in KINDS.items():
            table, numbers = self.of_kind(letter)
            tables[letter] = table_without(table, models[kind].shared)
            if len(numbers):
                columns = [tables[letter].coded(place) for place in range(len(table.columns))]
                same, examples = combined([*columns, self._official(numbers)])
                first[numbers] = numbers[examples][same]
        kept = np.flatnonzero(first == np.arange(len(self)))
        made = Profiles()
        places = self.places
        for letter, table in tables.items():
            own = kept[np.isin(kept, self.of_kind(letter)[1], assume_unique=True)]
            columns = [table.coded(place).at(places[own]) for place in range(len(table.columns))]
            made._tables[letter] = Table.of(table.columns, columns)
        kinds = np.frombuffer(self._kinds, dtype=np.uint8)[kept] if len(self) else np.empty(0, np.uint8)
        made._kinds = bytearray(kinds.tobytes())
        rank = np.empty(len(kept), dtype=np.int32)
        for letter in KINDS:
            rank[kinds == ord(letter)] = np.arange(np.count_nonzero(kinds == ord(letter)))
        made._place = array("i", rank.tobytes())
        became = np.searchsorted(kept, first)
        made._numbered = {int(became[old]): found for old, found in self._numbered.items()}
        return made, became

    def _official(self, numbers: NDArray[np.int64]) -> Coded:
        """The official numbers of some profiles as a column."""
        found = [repr(self._numbered[n]) if n in self._numbered else None for n in numbers.tolist()]
        return Coded(*renumbered(found))

    @property
    def places(self) -> NDArray[np.int64]:
        """For every profile its place in the table of its kind."""
        return np.array(self._place, dtype=np.int64)

    @property
    def numbered(self) -> Mapping[int, tuple[list[str], list[str]]]:
        """Tax numbers and valid official numbers of the profiles that have any."""
        return self._numbered


@dataclass
class Records:
    """The records of a job, numbered from 0 in the order of files, rows and parts, which is their seniority.

    ``profiles`` are the distinct features; ``profile_of`` has the number of each record's.
    """

    profiles: Profiles = field(default_factory=Profiles)
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

    def without_contacts(self, models: Mapping[Kind, MatchModel]) -> Records:
        """The same records without contacts known to be shared; profiles that became equal are one."""
        profiles, renumbered = self.profiles.without_contacts(models)
        profile_of = array("l", renumbered[np.array(self.profile_of, dtype=np.int64)].tobytes())
        return Records(profiles, profile_of, self.file, self.line, self.row, self.parts, self.rejected, self.filtered)


def map_rows(store: Store, mapper: Mapper, told: Told) -> Records:
    """Map every row; what does not map goes to the store's rejections. Raises SpecError if nothing can be compared."""
    records, matcher = Records(), FellegiSunterMatcher()
    found: list[tuple[int, int, str, bytes]] = []
    for row in store.rows():
        for mapped in _customers(row, mapper, store, records):
            found.append((len(records), row.id, mapped.part, orjson.dumps(mapped.customer)))
            _add(records, matcher.features(mapped.customer), row, mapped.part)
        if row.id % BATCH == 0:
            store.add_customers(found)
            found = []
            told(row.id)
    store.add_customers(found)
    records.profiles.close()
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


def _add(records: Records, features: Features, row: StoredRow, part: str) -> None:
    if part:
        records.parts[len(records)] = part
    records.profile_of.append(records.profiles.number(features))
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
