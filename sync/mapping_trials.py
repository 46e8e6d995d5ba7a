"""A mapping tried on records that are stored: what they become, and how many customers it would change."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from mappings.compile import Mapper
from mappings.contract import CompiledMapping
from mappings.guessing import KEEP, Guess, guess
from mappings.preview import Changed, diff
from sync.connecting.probing import PreviewRow, as_object, row_of
from sync.connecting.probing import sample as read_sample
from sync.master import tally
from sync.master.bulk import Bulk, bulk_for
from sync.project import Project
from sync.runs.replay import Quarantined
from sync.runs.requests import find_stream

SAMPLE, PLACES = 500, 10
SHOWN = 5


class StoredRecord(NamedTuple):
    """A record as it came, and the customer it belongs to."""

    key: str
    source: Mapping[str, Any]
    customer: int | None


class Sampled(NamedTuple):
    """Records of a stream; ``whole``: these are all. ``stored``: they come from the master, not from the system."""

    records: list[StoredRecord]
    total: int
    whole: bool
    stored: bool


class Effect(NamedTuple):
    """What a changed mapping would do. ``customers`` of ``tried`` records; ``estimate`` for all, None where counted."""

    tried: int
    changed: int
    customers: int
    estimate: int | None
    rejected: int
    examples: list[Changed]


class Suggestion(NamedTuple):
    """A field of the source that the mapping does not read, what it may be, and an example of its values."""

    guess: Guess
    example: str


def sampled(project: Project, name: str, stream: str, limit: int = SAMPLE) -> Sampled:
    """Records of a stream from some places of the master; before its first sync, from the system itself."""
    if project.settings.connections.get(name) is not None:
        with project.database.reading() as connection:
            found = _stored(connection, name, stream, limit)
        if found.records:
            return found
    fresh = read_sample(project, name, stream, min(limit, 50))
    records = [StoredRecord(one.key, body, None) for one in fresh.records if (body := as_object(one)) is not None]
    return Sampled(records, fresh.total or len(records), fresh.whole, stored=False)


def rows(mapping: CompiledMapping, records: Sequence[StoredRecord]) -> list[PreviewRow]:
    """What records become."""
    return [row_of(mapping, one.key, one.source) for one in records]


def effect(before: CompiledMapping | None, after: CompiledMapping, found: Sampled) -> Effect:
    """How many records and customers would change."""
    records = [one.source for one in found.records]
    if before is None:
        return Effect(len(records), len(records), 0, None, 0, [])
    changed = list(diff(before, after, records))
    owners = {found.records[one.position].customer for one in changed} - {None}
    rejected = sum(one.error_after is not None and one.error_before is None for one in changed)
    estimate = None if found.whole or not records else round(len(owners) * found.total / len(records))
    return Effect(len(records), len(changed), len(owners), estimate, rejected, changed[:3])


def suggestions(mapping: CompiledMapping, records: Sequence[StoredRecord]) -> list[Suggestion]:
    """Fields that the mapping does not read, with what each may be, the likeliest first."""
    read = {path.partition(".")[0].partition("[")[0] for path in mapping.paths} | set(mapping.paths)
    sources = [one.source for one in records]
    found = [
        Suggestion(one, _example(one.path, sources))
        for one in guess(sources)
        if one.path not in read and one.path.partition(".")[0] not in read
    ]
    return sorted(found, key=lambda one: -(one.guess.confidence if one.guess.target else 0.0))


def is_likely(one: Guess) -> bool:
    """Whether a guess is worth showing as one."""
    return one.target is not None and one.confidence >= KEEP


def mapped_targets(mapper: Mapper) -> set[str]:
    """The fields of the customer that a mapping fills already."""
    return {field for entry in mapper.spec.customers for field in entry.model_fields_set}


def _example(path: str, sources: Sequence[Mapping[str, Any]]) -> str:
    name = path.strip("'")
    values = (source.get(name) for source in sources)
    return next((str(value)[:60] for value in values if value not in (None, "", [], {})), "")


def _stored(connection: Connection, name: str, stream: str, limit: int) -> Sampled:
    """From ``PLACES`` random points of the stream's keys, or all of its records where they are few."""
    bulk, number = bulk_for(connection), find_stream(connection, name, stream).id
    total = tally.read(connection).records.get(number, 0)
    whole = total <= limit
    starts = [""] if whole else _places(bulk, number)
    each = limit if whole else limit // PLACES
    found: dict[int, StoredRecord] = {}
    for start in starts:
        page = bulk.fetch(
            "SELECT r.id, r.source_id, r.raw, x.customer_id FROM source_record r "
            "LEFT JOIN crosswalk x ON x.record_id = r.id WHERE r.stream_id = ? AND r.source_id >= ? AND r.part = '' "
            "AND r.deleted_at IS NULL AND r.raw IS NOT NULL ORDER BY r.source_id LIMIT ?",
            number,
            start,
            each,
        )
        found |= {row[0]: StoredRecord(row[1], orjson.loads(row[2]), row[3]) for row in page}
    return Sampled(list(found.values()), total, whole, stored=True)


def _places(bulk: Bulk, stream_id: int) -> list[str]:
    """Where to begin reading: texts between the first key of a stream and the last, by an index rather than a count."""
    ends = (
        "SELECT source_id FROM source_record WHERE stream_id = ? AND deleted_at IS NULL ORDER BY source_id {} LIMIT 1"
    )
    first, last = (bulk.fetch(ends.format(order), stream_id)[0][0] for order in ("", "DESC"))
    chance = random.Random(stream_id)  # noqa: S311 - the same sample while somebody edits
    return [first, *sorted(between(first, last, chance.random()) for _ in range(PLACES - 1))]


def between(first: str, last: str, share: float) -> str:
    """A text about so far from one to a later one, as if the characters after what they share were digits."""
    differs = (place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    shared = next(differs, min(len(first), len(last)))
    low, high = (_as_number(text[shared:]) for text in (first, last))
    found, digits = int(low + (high - low) * share), []
    for _ in range(_DIGITS):
        found, digit = divmod(found, _BASE)
        digits.append(chr(digit + _LOWEST))
    return first[:shared] + "".join(reversed(digits))


_DIGITS, _BASE, _LOWEST = 6, 95, 32
"""So many characters tell where a place is; those of ASCII that can be printed, all others as the last of them."""


def _as_number(text: str) -> int:
    number = 0
    for place in range(_DIGITS):
        letter = ord(text[place]) - _LOWEST if place < len(text) else 0
        number = number * _BASE + min(max(letter, 0), _BASE - 1)
    return number


def quarantined(record: Quarantined) -> StoredRecord | None:
    """A record in quarantine as one to try a mapping on; None for what is no JSON object."""
    try:
        body = orjson.loads(record.payload)
    except orjson.JSONDecodeError:
        return None
    return StoredRecord(record.source_id, body, None) if isinstance(body, dict) else None
