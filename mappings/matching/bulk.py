"""Weights of many pairs at once: the same numbers as ``score.Scorer``'s, to the last bit where it matters.

Levels are found by numpy over numbered columns (``vector``); weights follow from levels by looking up arrays. Sums are
taken in the scorer's order, so that they round as its do; what relatives take off is rounded as there for all pairs
whose weight clustering looks at (``EXACT_FROM``). Levels do not depend on the parameters: calibration judges its
pairs once for all its rounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mappings.matching.columns import Values
from mappings.matching.model import Comparison, Level, MatchModel
from mappings.matching.processes import shared_out
from mappings.matching.score import COMMON, OF_SITES, SELDOM, likeness, taken_off
from mappings.matching.table import Table
from mappings.matching.vector import Block, Term, Vectors, compile_vector

Numbers = NDArray[np.int64]
Levels = NDArray[np.int8]
Weights = NDArray[np.float64]
EXACT_FROM = -4.0
"""Clustering takes all lower weights for −3."""
_PAIRS = 250_000
"""Pairs that are judged at a time: about so many fit a processor's cache."""
_TOGETHER = 8_000_000
"""Pairs whose levels are held at a time: a byte for each comparison."""


class Sums(NamedTuple):
    """Per pair what ``score.Parts`` holds of one: own and common fields without the prior, namesakes, sites."""

    own: Weights
    common: Weights
    kin: Weights
    site: Weights


class BulkScorer:
    """Scores pairs of ``records``, given by their numbers. ``model`` says which comparisons there are; ``sums`` and
    ``weights`` take models that differ from it in parameters only. ``processes`` share in the work (see ``processes``).
    """

    def __init__(self, model: MatchModel, records: Table | Sequence[Values], processes: int = 1) -> None:
        self._processes = processes
        self._table = records if isinstance(records, Table) else Table.of_records(model.columns, records)
        build, places = Vectors(), {name: place for place, name in enumerate(model.columns)}
        self._terms = [_terms(model, number, places, build) for number in range(len(model.comparisons))]
        self._values = [sum(len(self._table.coded(place).pool) for place in c.places) for c in model.comparisons]
        self._frequencies: dict[int, tuple[MatchModel, dict[str, Weights]]] = {}

    def levels(self, index: int, left: Numbers, right: Numbers) -> Levels:
        """For every pair the index of the level of comparison ``index`` that holds."""
        parts = [
            self._levels(self._terms[index], left[start : start + _PAIRS], right[start : start + _PAIRS])
            for start in range(0, len(left), _PAIRS)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int8)

    def all_levels(self, left: Numbers, right: Numbers) -> list[Levels]:
        """The levels of every comparison; of many pairs the processors share the comparisons out."""
        order = sorted(range(len(self._terms)), key=lambda index: -self._values[index])
        tasks = [partial(self.levels, index, left, right) for index in order]
        found = dict(zip(order, shared_out(tasks, self._processes if len(left) >= _PAIRS else 1), strict=True))
        return [found[index] for index in range(len(order))]

    def sums(self, model: MatchModel, levels: Sequence[Levels], left: Numbers, right: Numbers) -> Sums:
        """The weights that the levels have under the model."""
        own, common, kin, site = (np.zeros(len(left)) for _ in Sums._fields)
        for comparison, held in zip(model.comparisons, levels, strict=True):
            seldom = bool(model.alike) and comparison.name in SELDOM[model.kind]
            weights = np.array([level.weight for level in comparison.levels])
            found = weights[held]
            alike = likenesses(model.alike, weights)[held] if seldom else kin
            for index, level in enumerate(comparison.levels):
                if level.tf_column is not None and level.tf_weight:
                    at = np.flatnonzero(held == index)
                    found[at] += self._adjustment(model, level, left[at], right[at])
                    if seldom:
                        alike[at] = likenesses(model.alike, found[at])
            total = common if comparison.name in COMMON[model.kind] else own
            total += found
            if comparison.name in OF_SITES[model.kind]:
                site += found
            if seldom:
                kin += alike
        return Sums(own, common, kin, site)

    def weights(self, model: MatchModel, left: Numbers, right: Numbers) -> Weights:
        """The total weights of pairs."""
        weights = np.empty(len(left))
        for start in range(0, len(left), _TOGETHER):
            within = slice(start, start + _TOGETHER)
            weights[within] = self._weights(model, left[within], right[within])
        return weights

    def _weights(self, model: MatchModel, left: Numbers, right: Numbers) -> Weights:
        levels = self.all_levels(left, right)

        def of(start: int) -> Weights:
            part = slice(start, start + _PAIRS)
            sums = self.sums(model, [held[part] for held in levels], left[part], right[part])
            return total_weights(model, sums)

        first, *rest = range(0, len(left), _PAIRS)
        begun = of(first)  # what the others look up is there then
        with ThreadPoolExecutor(self._processes) as pool:  # all of it is done outside Python's lock
            return np.concatenate([begun, *pool.map(of, rest)])

    def _levels(self, terms: Sequence[Term | None], left: Numbers, right: Numbers) -> Levels:
        held = np.full(len(left), len(terms) - 1, dtype=np.int8)
        open_pairs, block = np.arange(len(left)), Block(self._table, left, right)
        for index, term in enumerate(terms):
            if term is None or not len(open_pairs):
                break
            holds = term.holds(block)
            held[open_pairs[np.flatnonzero(holds)]] = index
            rest = np.flatnonzero(~holds)
            open_pairs, block = open_pairs[rest], block.narrow(rest)
        return held

    def _adjustment(self, model: MatchModel, level: Level, left: Numbers, right: Numbers) -> Weights:
        """Term-frequency adjustments; 0 where neither value has a known frequency."""
        logs = self._logs(model, level)
        codes = self._table.coded(level.tf_place).codes
        known = np.maximum(logs[codes[left]], logs[codes[right]])
        least = math.log2(level.tf_minimum_u) if level.tf_minimum_u > 0 else -math.inf
        adjusted: Weights = level.tf_weight * (math.log2(level.exact_u) - np.maximum(known, least))
        adjusted[known == -math.inf] = 0.0
        return adjusted

    def _logs(self, model: MatchModel, level: Level) -> Weights:
        """log2 of the frequency of each distinct value of the level's column, −∞ if unknown; last, that of no value."""
        kept, logs = self._frequencies.get(id(model.term_frequencies), (None, {}))
        if kept is None:
            self._frequencies.clear()  # one model at a time
            self._frequencies[id(model.term_frequencies)] = (model, logs)
        column = level.tf_column or ""
        if column not in logs:
            table = model.term_frequencies.get(column, {})
            pool = self._table.coded(level.tf_place).pool
            shares = np.array([*map(table.get, pool), None], dtype=np.float64)  # NaN where unknown
            distinct, places = np.unique(shares, return_inverse=True)
            found = [math.log2(share) if share > 0 else -math.inf for share in distinct.tolist()]
            logs[column] = np.array(found)[places]
        return logs[column]


def total_weights(model: MatchModel, sums: Sums) -> Weights:
    """The weights of pairs out of their sums: with the prior, and without what relatives take off."""
    weights: Weights = model.prior + sums.own + sums.common
    if not model.related and not model.sites:
        return weights
    shared = sums.common + sums.kin
    odds = model.related * np.exp2(np.minimum(shared, 200.0))
    if model.sites:
        odds += model.sites * np.exp2(np.minimum(sums.site, 200.0))
    off = np.log2(1 + odds)
    at = np.flatnonzero(weights - off > EXACT_FROM - 1e-6)
    if model.sites:
        pairs = zip(shared[at].tolist(), sums.site[at].tolist(), strict=True)
        off[at] = [taken_off(model, common, site) for common, site in pairs]
    else:
        values, places = np.unique(shared[at], return_inverse=True)
        exact = [taken_off(model, value, 0.0) for value in values.tolist()]
        off[at] = np.array(exact, dtype=np.float64)[places]
    return weights - off


def likenesses(alike: float, weights: Weights) -> Weights:
    """``score.likeness`` of many weights, rounded as there."""
    values, places = np.unique(weights, return_inverse=True)
    found: Weights = np.array([likeness(alike, value) for value in values.tolist()], dtype=np.float64)[places]
    return found


def _terms(model: MatchModel, number: int, places: dict[str, int], build: Vectors) -> list[Term | None]:
    """The conditions of a comparison's levels; None for the last, which always holds."""
    comparison: Comparison = model.comparisons[number]
    data = model.settings["comparisons"][number]["comparison_levels"]
    return [
        None if level.condition is None else compile_vector(one["sql_condition"], places, build)
        for level, one in zip(comparison.levels, data, strict=True)
    ]
