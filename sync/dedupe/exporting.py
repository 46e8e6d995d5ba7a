"""The files of a result: every row with its cluster, golden records, links with their evidence, what was left out."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from mappings.contract import Features
from mappings.matching.probabilistic import FellegiSunterMatcher, default_model
from mappings.survivorship import FIELDS, Source, SurvivorshipRules, golden
from sync.dedupe.cells import csv_file, flat
from sync.dedupe.matching import Links, Matching
from sync.dedupe.reading import MAX_COLUMNS, Input, Told
from sync.dedupe.store import Store, StoredCustomer, fields_of

PLACE = ("file", "row", "part")
EVIDENCE = tuple(
    dict.fromkeys(
        [*(c.name for kind in ("person", "organisation") for c in default_model(kind).comparisons), "relatives"]
    )
)
"""A column of links.csv for every comparison of either model; they add up to the weight, with the prior."""
MORE = "_more"


class Link(NamedTuple):
    """Two records (numbers), whose features are compared, and what became of the pair."""

    left: int
    right: int
    weight: float


def write_clusters(path: Path, store: Store, found: Input, sizes: Sequence[int], told: Told) -> None:
    """Every readable row with its cluster; a row with several customers has a line for each, one without none's."""
    columns = list(found.columns)
    own = [_free(name, found.columns) for name in ("cluster_id", "cluster_size", *PLACE)]
    more = [_free(MORE, found.columns)] if len(columns) >= MAX_COLUMNS else []
    with csv_file(path, [*own, *columns, *more]) as write:
        for done, (file, line, body, part, cluster) in enumerate(store.placed_rows(), 1):
            fields = fields_of(body)
            size = None if cluster is None else sizes[cluster - 1]
            cells = [fields.pop(name, None) for name in columns]
            write([cluster, size, found.files[file], line, part, *cells, *([fields or None] if more else [])])
            if not done % 1_000:
                told(done)


def write_golden(table: Path, lines: Path, store: Store, found: Input, told: Told) -> None:
    """One golden record per cluster, as CSV (lists in one cell) and as JSON lines (in full, with its records)."""
    rules = SurvivorshipRules()
    with csv_file(table, ["cluster_id", "records", *FIELDS]) as write, lines.open("wb") as file:
        for cluster, group in groupby(store.customers(), key=lambda customer: customer.cluster):
            members = list(group)
            customer = golden([_source(member) for member in members], rules)
            places = [place(member, found) for member in members]
            body = {"cluster_id": cluster, "customer": customer, "records": places}
            file.write(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
            write([cluster, len(members), *(flat(customer.get(name)) for name in FIELDS)])
            if not cluster % 1_000:
                told(cluster)


def write_links(
    path: Path, matching: Matching, links: Links, clusters: Sequence[Sequence[int]], found: Input, told: Told
) -> int:
    """Every pair that is kept, with the weight and what each field says; returns how many.

    Of records that are equal in all that is compared the first stands for the others; a link ties each to it.
    """
    of = array("l", bytes(array("l").itemsize * len(matching.records)))
    for number, group in enumerate(clusters, 1):
        for record in group:
            of[record] = number
    places = [f"{side}_{name}" for side in ("left", "right") for name in ("cluster_id", *PLACE)]
    told_of: dict[int, list[Any]] = {}
    count = 0
    with csv_file(path, [*places, "same_cluster", "weight", "prior", *EVIDENCE]) as write:
        for count, link in enumerate(chain(_between(matching, links), _copies(matching)), 1):
            one, other = matching.records.profile_of[link.left], matching.records.profile_of[link.right]
            if one != other or one not in told_of:
                told_of.clear()
                told_of[one] = evidence(matching.matcher, matching.records.profiles, one, other)
            sides = [_place(matching, record, of, found) for record in (link.left, link.right)]
            same = "yes" if of[link.left] == of[link.right] else "no"
            write([*sides[0], *sides[1], same, f"{link.weight:.3f}", *told_of[one]])
            if not count % 1_000:
                told(count)
    return count


def write_rejected(path: Path, store: Store, found: Input) -> None:
    """The rows that could not be read or mapped, with the reason."""
    with csv_file(path, ["file", "row", "reason", "content"]) as write:
        for file, line, reason, body in store.rejections():
            write([found.files[file], line, reason, body])


def evidence(matcher: FellegiSunterMatcher, profiles: Sequence[Features], left: int, right: int) -> list[str | None]:
    """The prior and the weight of every comparison of ``EVIDENCE``; None where a side is unknown."""
    explained = matcher.explain(profiles[left], profiles[right])
    weights = {step["comparison"]: step["weight"] + step["adjustment"] for step in explained["steps"]}
    told = [f"{weights[name]:.3f}" if weights.get(name) else None for name in EVIDENCE]
    return [f"{explained['prior']:.3f}", *told]


def place(member: StoredCustomer, found: Input) -> dict[str, Any]:
    """Where a record stands."""
    told = {"file": found.files[member.file], "row": member.line}
    return {**told, "part": member.part} if member.part else told


def _source(member: StoredCustomer) -> Source:
    return Source((1, member.file, str(member.line), member.part), orjson.loads(member.body), member.file)


def _place(matching: Matching, record: int, of: Sequence[int], found: Input) -> list[Any]:
    records = matching.records
    return [of[record], found.files[records.file[record]], records.line[record], records.parts.get(record)]


def _between(matching: Matching, links: Links) -> Iterator[Link]:
    first = first_records(matching)
    for left, right, weight in zip(links.left, links.right, links.weight, strict=True):
        yield Link(first[left], first[right], weight)


def _copies(matching: Matching) -> Iterator[Link]:
    records, first = matching.records, first_records(matching)
    copies = sorted((number, record) for record, number in enumerate(records.profile_of) if first[number] != record)
    for number, group in groupby(copies, key=lambda copy: copy[0]):
        features = records.profiles[number]
        weight = matching.matcher.pair_weight(features, features)
        if matching.proves_itself(features):
            yield from (Link(first[number], record, weight) for _, record in group)


def first_records(matching: Matching) -> Sequence[int]:
    """The first record of every profile."""
    first = array("l", [-1]) * len(matching.records.profiles)
    for record, number in enumerate(matching.records.profile_of):
        if first[number] < 0:
            first[number] = record
    return first


def _free(name: str, taken: dict[str, None]) -> str:
    while name in taken:
        name = "_" + name
    return name
