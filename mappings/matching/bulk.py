"""Weights of many pairs at once: the same as ``score.Scorer``'s, to rounding.

Which level of a comparison holds for a pair depends on the values of a few columns only, and the same values meet again
and again: each distinct pair of values is judged once. Levels do not depend on the parameters, so that calibration
judges its pairs once for all its rounds; weights follow from levels by looking up arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mappings.matching.columns import Values
from mappings.matching.model import Comparison, MatchModel
from mappings.matching.score import COMMON, level_of

Numbers = NDArray[np.int64]
Levels = NDArray[np.int8]
Weights = NDArray[np.float64]


class Sums(NamedTuple):
    """Per pair the weights of its own fields and of those that relatives have in common, without the prior."""

    own: Weights
    common: Weights


class BulkScorer:
    """Scores pairs of ``records``, given by their numbers. ``model`` says which comparisons there are; ``sums`` and
    ``weights`` take models that differ from it in parameters only.
    """

    def __init__(self, model: MatchModel, records: Sequence[Values]) -> None:
        self._comparisons, self._records = model.comparisons, records
        self._values = [_numbered(comparison, records) for comparison in model.comparisons]

    def levels(self, index: int, left: Numbers, right: Numbers) -> Levels:
        """For every pair the index of the level of comparison ``index`` that holds."""
        numbers, examples = self._values[index]
        codes, places = np.unique(numbers[left] * len(examples) + numbers[right], return_inverse=True)
        comparison, records = self._comparisons[index], self._records
        ones, others = (examples[codes // len(examples)].tolist(), examples[codes % len(examples)].tolist())
        judged = [level_of(comparison, records[a], records[b]) for a, b in zip(ones, others, strict=True)]
        return np.array(judged, dtype=np.int8)[places]

    def all_levels(self, left: Numbers, right: Numbers) -> list[Levels]:
        """The levels of every comparison."""
        return [self.levels(index, left, right) for index in range(len(self._comparisons))]

    def sums(self, model: MatchModel, levels: Sequence[Levels], left: Numbers, right: Numbers) -> Sums:
        """The weights that the levels have under the model."""
        own, common = np.zeros(len(left)), np.zeros(len(left))
        for comparison, held in zip(model.comparisons, levels, strict=True):
            total = common if comparison.name in COMMON[model.kind] else own
            total += np.array([level.weight for level in comparison.levels])[held]
            for index, level in enumerate(comparison.levels):
                if level.tf_column is not None and level.tf_weight:
                    at = np.flatnonzero(held == index)
                    total[at] += self._adjustment(model, comparison, index, left[at], right[at])
        return Sums(own, common)

    def weights(self, model: MatchModel, left: Numbers, right: Numbers) -> Weights:
        """The total weights of pairs."""
        own, common = self.sums(model, self.all_levels(left, right), left, right)
        related = np.log2(1 + model.related * np.exp2(np.minimum(common, 200.0)))
        weights: Weights = model.prior + own + common - related
        return weights

    def _adjustment(
        self, model: MatchModel, comparison: Comparison, index: int, left: Numbers, right: Numbers
    ) -> Weights:
        level = comparison.levels[index]
        table = model.term_frequencies.get(level.tf_column or "", {})
        found = [
            max(table.get(self._records[a][level.tf_place], 0.0), table.get(self._records[b][level.tf_place], 0.0))
            for a, b in zip(left.tolist(), right.tolist(), strict=True)
        ]
        frequency = np.array(found, dtype=np.float64)
        known = frequency > 0
        used = np.maximum(np.where(known, frequency, 1.0), level.tf_minimum_u)
        adjusted: Weights = np.where(known, level.tf_weight * (np.log2(level.exact_u) - np.log2(used)), 0.0)
        return adjusted


def _numbered(comparison: Comparison, records: Sequence[Values]) -> tuple[Numbers, Numbers]:
    """For every record the number of the values that the comparison looks at, and for every number a record."""
    numbers: dict[Any, int] = {}
    examples: list[int] = []
    found = np.empty(len(records), dtype=np.int64)
    for place, record in enumerate(records):
        key = tuple(tuple(v) if isinstance(v := record[c], list) else v for c in comparison.places)
        number = numbers.setdefault(key, len(examples))
        if number == len(examples):
            examples.append(place)
        found[place] = number
    return found, np.array(examples, dtype=np.int64)
