"""Records to learn from or to be judged: of files, as ``kehu dedupe`` reads them, or of the project's master."""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection, text

from mappings.contract import Features, Matcher
from mappings.matching.columns import Values
from mappings.matching.model import Kind, MatchModel
from mappings.matching.probabilistic import KIND, VALUES, FellegiSunterMatcher
from mappings.matching.processes import processors
from sync.dedupe import proposing, reading
from sync.dedupe.accuracy import label_of, nearest, require_column
from sync.dedupe.matching import COPIES, Matching, values_of
from sync.dedupe.reading import Input
from sync.dedupe.records import KINDS, Records, map_rows
from sync.dedupe.store import Store, fields_of
from sync.errors import Misused, Refused
from sync.language import _
from sync.master import streams
from sync.matching.evaluating import Link, Population
from sync.matching.truth import PairFile, id_column

Told = Callable[[str, int, int | None], None]
"""Is told the name of a step, how much is done, of how much."""


@dataclass(frozen=True)
class FromFiles:
    """Files as they are compared: the rows in a store, and the records."""

    store: Store
    found: Input
    records: Records


@contextmanager
def from_files(
    files: Sequence[Path], mapping: Path | None, kind: str | None, region: str, hidden: str | None, told: Told
) -> Iterator[FromFiles]:
    """Read and map files. A proposed mapping never looks at the column ``hidden``. Raises what ``kehu dedupe`` does."""
    with tempfile.TemporaryDirectory(prefix="kehu-") as folder, Store(Path(folder) / "job.sqlite") as store:
        found = reading.read_files(files, store, lambda done: told(_("Reading rows"), done, None))
        mapper = proposing.choose_mapping(mapping, store, found, hidden, kind, region).mapper
        records = map_rows(store, mapper, lambda done: told(_("Mapping rows"), done, found.rows))
        yield FromFiles(store, found, records)


def values_of_files(loaded: FromFiles) -> dict[Kind, list[Values]]:
    """What the models learn from, by kind."""
    found = {kind: list(values_of(loaded.records, letter)) for letter, kind in KINDS.items()}
    return {kind: values for kind, values in found.items() if values}


def values_of_master(connection: Connection) -> dict[Kind, list[Values]]:
    """The live records of the project, by kind. Raises ``Refused`` if there are none."""
    matcher, counts = FellegiSunterMatcher(), Counter[bytes]()
    rows = connection.execution_options(yield_per=2_000).execute(text(
        "SELECT canonical FROM source_record WHERE canonical IS NOT NULL AND deleted_at IS NULL"
    ))  # fmt: skip
    for row in rows:
        counts[orjson.dumps(matcher.features(orjson.loads(row.canonical)))] += 1
    if not counts:
        raise _nothing()
    return _by_kind((orjson.loads(content), count) for content, count in counts.items())


def _nothing() -> Refused:
    return Refused(
        "The master holds no source records yet.",
        remedy="Run `kehu sync run` first, or name files.",
    )


def _by_kind(counted: Iterator[tuple[Sequence[Any], int]]) -> dict[Kind, list[Values]]:
    """Values by kind; of records that are equal in all that is compared only a few, as calibration wants it."""
    found: dict[Kind, list[Values]] = {kind: [] for kind in KINDS.values()}
    for features, count in counted:
        found[KINDS[features[KIND]]] += [tuple(features[VALUES:])] * min(count, COPIES)
    return {kind: records for kind, records in found.items() if records}


def matched_files(loaded: FromFiles, models: Mapping[Kind, MatchModel] | None, told: Told) -> Population:
    """The records of files clustered; without models by the default ones, calibrated on them."""
    matching = Matching(loaded.records, models, processes=processors())
    links = matching.links(lambda done, total: told(_("Comparing pairs"), done, total))
    clusters = matching.clusters(links, lambda done, total: told(_("Clustering"), done, total))
    records, matcher = matching.records, matching.matcher
    cluster = array("q", bytes(8 * len(records)))
    for number, group in enumerate(clusters):
        for record in group:
            cluster[record] = number
    names = [_named(loaded.found, records, number) for number in range(len(records))]
    holders: list[list[int]] = [[] for _ in records.profiles]
    for record, profile in enumerate(records.profile_of):
        holders[profile].append(record)

    def compared_groups() -> Iterator[Link]:
        for left, right, weight in zip(links.left, links.right, links.weight, strict=True):
            yield Link(holders[left], holders[right], weight)
        for profile, group in enumerate(holders):
            if len(group) > 1:
                features = records.profiles[profile]
                yield Link(group, group, matcher.pair_weight(features, features))

    def of(record: int) -> Features:
        return records.profiles[records.profile_of[record]]

    def share_a_key(left: int, right: int) -> bool:
        one, other = of(left), of(right)
        return one == other or not set(matcher.keys(one)).isdisjoint(matcher.keys(other))

    return Population(
        names, cluster, compared_groups, lambda one, other: matcher.pair_weight(of(one), of(other)), share_a_key
    )


def entities_of_files(loaded: FromFiles, column: str) -> list[str | None]:
    """The truth of every record, out of a column; parts of a row are somebody else and have none. Raises Misused."""
    require_column(loaded.found, column)
    entity: dict[int, str | None] = {row.id: label_of(fields_of(row.body).get(column)) for row in loaded.store.rows()}
    records = loaded.records
    return [None if number in records.parts else entity[row] for number, row in enumerate(records.row)]


def numbers_of_files(loaded: FromFiles, judged: PairFile, wanted: str | None) -> dict[str, int]:
    """Records by the ids that a pair file uses. Raises Misused."""
    columns = list(loaded.found.columns)
    column = id_column((fields_of(row.body) for row in loaded.store.rows()), judged, wanted, columns)
    id_of = {row.id: label_of(fields_of(row.body).get(column)) for row in loaded.store.rows()}
    records = loaded.records
    numbers: dict[str, int] = {}
    for number, row in enumerate(records.row):
        found = id_of[row]
        if found is not None and number not in records.parts:
            numbers.setdefault(found.strip(), number)
    return numbers


def _named(found: Input, records: Records, number: int) -> str:
    part = records.parts.get(number)
    return f"{found.files[records.file[number]]} {records.line[number]}{'#' + part if part else ''}"


@dataclass(frozen=True)
class FromMaster:
    """The master's live records as a population; ``fields`` gives the source's own fields of a record."""

    population: Population
    numbers: Mapping[str, int | None]
    fields: Callable[[int], dict[str, Any]]


def entities_of_master(found: FromMaster, column: str) -> list[str | None]:
    """The truth of every record, out of a field of the source. Raises Misused if no record has it."""
    fields = [found.fields(number) for number in range(len(found.population.names))]
    names = dict.fromkeys(name for one in fields for name in one)
    if column not in names:
        raise Misused(
            "No record of the sources has a field {column}; the most similar is {near}.",
            column=column[:80],
            near=nearest(column, names) or "-",
            remedy="Give --truth a field as the source names it, or --pairs FILE.",
        )
    return [label_of(one.get(column)) for one in fields]


def from_master(connection: Connection, matcher: Matcher) -> FromMaster:
    """The records with the customers that they are in now. Raises ``Refused`` if there are none."""
    directory = streams.load(connection)
    rows = connection.execute(text(
        "SELECT s.id, s.stream_id, s.source_id, s.part, x.customer_id FROM source_record s "
        "JOIN crosswalk x ON x.record_id = s.id WHERE s.deleted_at IS NULL ORDER BY s.id"
    )).all()  # fmt: skip
    if not rows:
        raise _nothing()
    names: list[str] = []
    numbers: dict[str, int | None] = {}
    for number, row in enumerate(rows):
        ref = directory[row.stream_id]
        names.append(f"{ref.connection}/{ref.name}/{row.source_id}{'#' + row.part if row.part else ''}")
        numbers[names[-1]] = number
        if not row.part:
            numbers[row.source_id] = None if row.source_id in numbers else number
    place = {row.id: number for number, row in enumerate(rows)}
    cache = _Features(connection, matcher, [row.id for row in rows])
    population = Population(
        names,
        [row.customer_id for row in rows],
        lambda: _edges(connection, place),
        cache.weigh,
        cache.compared,
    )
    return FromMaster(population, numbers, cache.fields)


def _edges(connection: Connection, place: Mapping[int, int]) -> Iterator[Link]:
    rows = connection.execution_options(yield_per=5_000).execute(text(
        "SELECT e.left_id, e.right_id, e.weight FROM match_edge e "
        "JOIN source_record a ON a.id = e.left_id AND coalesce(a.features_version, a.version) = e.left_version "
        "JOIN source_record b ON b.id = e.right_id AND coalesce(b.features_version, b.version) = e.right_version"
    ))  # fmt: skip
    for row in rows:
        if row.left_id in place and row.right_id in place:
            yield Link([place[row.left_id]], [place[row.right_id]], row.weight)


class _Features:
    """Features of the records that are asked for, by number."""

    def __init__(self, connection: Connection, matcher: Matcher, ids: Sequence[int]) -> None:
        self._connection, self._matcher, self._ids = connection, matcher, ids

    def weigh(self, left: int, right: int) -> float:
        """The weight of two records by the project's matcher; −∞ for none."""
        weigh = getattr(self._matcher, "pair_weight", None)
        one, other = self._of(left), self._of(right)
        if weigh is not None:
            return float(weigh(one, other))
        evidence = self._matcher.compare(one, other)
        return evidence.weight if evidence else -np.inf

    def compared(self, left: int, right: int) -> bool:
        """Whether two records share a key."""
        return not set(self._matcher.keys(self._of(left))).isdisjoint(self._matcher.keys(self._of(right)))

    def fields(self, number: int) -> dict[str, Any]:
        """The record as the source gave it; empty for parts of one."""
        raw = self._read("raw", number)
        found = orjson.loads(raw) if raw else {}
        return found if isinstance(found, dict) else {}

    def _of(self, number: int) -> Features:
        return self._matcher.features(orjson.loads(self._read("canonical", number)))

    def _read(self, column: str, number: int) -> str:
        query = text(f"SELECT {column} FROM source_record WHERE id = :id")  # noqa: S608 - fixed names
        return str(self._connection.execute(query, {"id": self._ids[number]}).scalar() or "")
