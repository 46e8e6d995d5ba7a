"""What belongs to the person behind a customer: ids, source records, contacts. Read under the locks of an erasure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from sync.master import streams
from sync.master.bulk import Bulk, bulk_for
from sync.master.search import terms
from sync.master.tombstones import contacts_of

NOBODY = -1
"""Where there is no customer."""
SHORTEST = 6
"""Values of fewer characters are too common to search texts for."""


class Record(NamedTuple):
    """A source record (or part of one) of the person."""

    id: int
    stream_id: int
    connection: str
    stream: str
    source_id: str
    part: str
    canonical: str | None

    @property
    def address(self) -> list[str]:
        """As the change feed writes it."""
        return [self.connection, self.stream, self.source_id, self.part]


@dataclass(frozen=True, slots=True)
class Person:
    """``customer`` is today's id, ``ids`` all that lead to it; ``values`` are what texts may be searched for."""

    customer: int
    ids: tuple[int, ...]
    records: tuple[Record, ...]
    contacts: tuple[tuple[str, str], ...]
    values: tuple[str, ...]

    @property
    def record_ids(self) -> list[int]:
        """The numbers of the source records."""
        return sorted(record.id for record in self.records)


def find(connection: Connection, customer: int) -> Person:
    """The person behind a customer: live records, and those that were deleted at their source and are still stored."""
    bulk = bulk_for(connection)
    older = bulk.fetch("SELECT old_id FROM customer_alias WHERE customer_id = ?", customer)
    ids = tuple(sorted({customer, *(row[0] for row in older)}))
    known = {record.id: record for record in _records(connection, bulk, customer, ids)}
    goldens = [row[0] for row in bulk.fetch("SELECT golden FROM customer WHERE id {ints}", list(ids))]
    customers = [orjson.loads(text) for text in (*goldens, *(one.canonical for one in known.values())) if text]
    contacts = {words: None for one in customers for words in contacts_of(one)}
    own = tuple(words for words in contacts if not _shared(bulk, words, ids))
    for record in _deleted(connection, bulk, [value for _kind, value in own]):
        known.setdefault(record.id, record)
    return Person(customer, ids, tuple(known.values()), own, _values(own))


def of_records(connection: Connection, record_ids: Iterable[int]) -> Person:
    """Records that belong to no customer, as a person without one."""
    records = tuple(_load(connection, bulk_for(connection), record_ids))
    customers = [orjson.loads(one.canonical) for one in records if one.canonical]
    contacts = {words: None for one in customers for words in contacts_of(one)}
    own = tuple(words for words in contacts if not _shared(bulk_for(connection), words, ()))
    return Person(NOBODY, (), records, own, _values(own))


def joined(connection: Connection, person: Person, record_ids: Iterable[int]) -> Person:
    """The person with further records."""
    more = [one for one in record_ids if one not in set(person.record_ids)]
    if not more:
        return person
    return replace(person, records=(*person.records, *_load(connection, bulk_for(connection), more)))


def _records(connection: Connection, bulk: Bulk, customer: int, ids: Iterable[int]) -> list[Record]:
    """The members, their parts and parents, and what the customer's history names and nobody else has."""
    members = [row[0] for row in bulk.fetch("SELECT record_id FROM crosswalk WHERE customer_id = ?", customer)]
    former = _former(connection, bulk, ids)
    free = bulk.fetch(
        "SELECT s.id FROM source_record s LEFT JOIN crosswalk x ON x.record_id = s.id "
        "WHERE s.id {ints} AND x.record_id IS NULL",
        sorted(former),
    )
    return _load(connection, bulk, {*members, *(row[0] for row in free)})


def _former(connection: Connection, bulk: Bulk, ids: Iterable[int]) -> set[int]:
    """The records that the history of the customer names, by the numbers of those still stored."""
    numbers = {(ref.connection, ref.name): ref.id for ref in streams.load(connection).values()}
    wanted: dict[int, set[tuple[str, str]]] = {}
    for (text,) in bulk.fetch("SELECT body FROM change WHERE customer_id {ints}", sorted(ids)):
        for name, stream, source_id, part in orjson.loads(text).get("joined", ()):
            wanted.setdefault(numbers.get((name, stream), 0), set()).add((source_id, part))
    found: set[int] = set()
    for stream_id, keys in wanted.items():
        rows = bulk.fetch(
            "SELECT id, source_id, part FROM source_record WHERE stream_id = ? AND source_id {texts}",
            stream_id,
            sorted({key for key, _part in keys}),
        )
        found |= {row[0] for row in rows if (row[1], row[2]) in keys}
    return found


def _load(connection: Connection, bulk: Bulk, ids: Iterable[int]) -> list[Record]:
    """Records by number. A record whose only customer is a part of it goes with that part, and the other way round."""
    columns = "id, stream_id, source_id, part, canonical"
    wanted = sorted(ids)
    rows = bulk.fetch(
        f"SELECT {columns} FROM source_record WHERE id {{ints}} "  # noqa: S608 - fixed columns
        f"UNION SELECT {columns} FROM source_record p WHERE p.id IN "
        "(SELECT parent_id FROM source_record WHERE id {ints} AND parent_id IS NOT NULL) "
        "AND NOT EXISTS (SELECT 1 FROM crosswalk x WHERE x.record_id = p.id) "
        "AND NOT EXISTS (SELECT 1 FROM source_record o JOIN crosswalk y ON y.record_id = o.id "
        "WHERE o.parent_id = p.id AND NOT (o.id {ints}))",
        wanted,
        wanted,
        wanted,
    )
    refs = streams.load(connection)
    return [Record(row[0], row[1], refs[row[1]].connection, refs[row[1]].name, *row[2:]) for row in rows]


def _shared(bulk: Bulk, words: tuple[str, str], ids: Iterable[int]) -> bool:
    """Whether another customer has the contact too, e.g. a company's switchboard."""
    kind, value = words
    makers = {"email": terms.email, "phone": terms.phone, "identifier": terms.identifier}
    wanted = makers[kind](value).ranges[0].low
    own = set(ids)
    found = bulk.fetch("SELECT customer_id FROM search_term WHERE term = ? LIMIT ?", wanted, len(own) + 1)
    return any(row[0] not in own for row in found)


def _deleted(connection: Connection, bulk: Bulk, values: Iterable[str]) -> list[Record]:
    """Records that were deleted at their source long ago, and hold a contact of the person alone."""
    place = "strpos" if bulk.is_postgres else "instr"
    found: set[int] = set()
    for value in values:
        rows = bulk.fetch(
            f"SELECT id FROM source_record WHERE deleted_at IS NOT NULL AND {place}(lower(canonical), ?) > 0",  # noqa: S608
            orjson.dumps(value.rpartition(":")[2].lower()).decode(),
        )
        found |= {row[0] for row in rows}
    return _load(connection, bulk, found) if found else []


def _values(contacts: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Emails, phones with and without country code, numbers: what a text that names the person holds."""
    found: dict[str, None] = {}
    for kind, value in contacts:
        plain = value.partition(":")[2] if kind == "identifier" else value.removeprefix("+")
        found[plain[-8:] if kind == "phone" else plain] = None
    return tuple(value for value in found if len(value) >= SHORTEST)


def holds(text: str, values: Iterable[str]) -> bool:
    """Whether a text holds any of the values, whatever the case."""
    folded = text.casefold()
    return any(value.casefold() in folded for value in values)
