"""How near a list of customers comes to the truth: by pairs of records, which is how matching is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from examples.nanyang.truth import Sighting

Place = tuple[str, str, str, str]
"""Source, stream, id and part: where a customer was seen."""


@dataclass(frozen=True, slots=True)
class Score:
    """Pairs of records: found to be one customer, truly one customer, and both."""

    found: int
    true: int
    both: int

    @property
    def precision(self) -> float:
        """The share of the found pairs that are right; 1 if none was found."""
        return self.both / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of the true pairs that were found; 1 if there is none."""
        return self.both / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def score(truth: Iterable[Sighting], found: Mapping[Place, Hashable]) -> Score:
    """Compare the customers found (by place) with the truth, over the places that both know."""
    known = {sighting[:4]: sighting.customer for sighting in truth}
    both = [(known[place], customer) for place, customer in found.items() if place in known]
    return Score(
        _pairs(Counter(customer for _, customer in both)),
        _pairs(Counter(customer for customer, _ in both)),
        _pairs(Counter(both)),
    )


def _pairs(sizes: Counter[Hashable]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())
