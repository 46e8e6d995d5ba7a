"""A rebuild whose pairs another engine weighs: Splink on DuckDB or Spark, over the master's live records.

Everything else is the ordinary switch, crash-safe and resumable: features, keys and crowded blocks before, and after it
the settling of every neighbourhood under decisions and vetoes. The engine's weights become the same edges that our own
arithmetic writes, so the customers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mappings.contract import Features, Matcher
from mappings.matching.pairing import Pairs as Numbered
from mappings.matching.probabilistic import KIND, VALUES, FellegiSunterMatcher
from mappings.matching.table import Table
from sync.dedupe.records import KINDS
from sync.errors import Refused
from sync.master.candidates import Compare, Edge, Pairs, Side
from sync.matching.active import plain
from sync.matching.engines import Engine
from sync.matching.packed import PROBABILITY
from sync.matching.store import ModelVersion


def require_probability(version: ModelVersion) -> None:
    """Raises Refused for a version of rules: there is nothing to weigh."""
    if version.family != PROBABILITY:
        raise Refused(
            "Version {number} matches by rules, which no engine weighs.",
            number=version.number,
            remedy="Run `kehu match rebuild` without --engine, or put a version of probability in force.",
        )


def comparing_with(engine: Engine) -> Compare:
    """Comparing as ``find_edges`` wants it, all pairs of a batch at once."""

    def compare(pairs: Pairs, sides: Mapping[int, Side], matcher: Matcher) -> list[Edge]:
        known = plain(matcher)
        if not isinstance(known, FellegiSunterMatcher):
            raise TypeError(f"{type(known).__name__} has no weights")
        found = sorted(pair for pair in pairs if pair[0] in sides and pair[1] in sides)
        return sorted(edge for letter in KINDS for edge in _edges(letter, found, sides, known, engine))

    return compare


def _edges(
    letter: str,
    pairs: list[tuple[int, int]],
    sides: Mapping[int, Side],
    matcher: FellegiSunterMatcher,
    engine: Engine,
) -> list[Edge]:
    """The edges among customers of one kind."""

    def of_kind(record: int) -> bool:
        return bool(sides[record].features[KIND] == letter)

    wanted = [pair for pair in pairs if of_kind(pair[0]) and of_kind(pair[1])]
    if not wanted:
        return []
    numbers = {record: number for number, record in enumerate(sorted({end for pair in wanted for end in pair}))}
    model = matcher.models[KINDS[letter]]
    table = Table.of_records(model.columns, (_values(sides[record].features) for record in numbers))
    numbered: Numbered = np.array([(numbers[one], numbers[other]) for one, other in wanted], dtype=np.int64)
    weights = engine.weigh(model, table, numbered).tolist()
    edges = []
    for (one, other), weight in zip(wanted, weights, strict=True):
        left, right = sides[one], sides[other]
        evidence = matcher.judged(left.features, right.features, weight)
        if evidence is not None:
            edges.append(Edge(one, other, left.version, right.version, evidence.weight, evidence.rule))
    return edges


def _values(features: Features) -> tuple[object, ...]:
    return tuple(features[VALUES:])
