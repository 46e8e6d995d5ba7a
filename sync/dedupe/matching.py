"""Records into clusters: the models calibrated on the data, blocks, weights, clusters by connected component."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mappings.contract import Features, Member
from mappings.matching.bulk import BulkScorer, Numbers, Weights
from mappings.matching.calibrate import LEAST, calibrate, with_settings, without_contacts
from mappings.matching.cluster import MERGE_AT
from mappings.matching.columns import Values
from mappings.matching.model import Kind, MatchModel
from mappings.matching.pairing import shared_key_pairs
from mappings.matching.probabilistic import KEEP_FROM, KIND, TAX, VALUES, FellegiSunterMatcher, default_model
from sync.dedupe.records import Records

COPIES = 5
"""Of records that are equal in all that is compared, calibration sees so many: the rest are an export's repetitions,
and would make their values look common.
"""
SMALL_PRIOR = 1 / 200
"""The prior where there are too few records to learn it: equal names say enough, one equal mailbox alone does not."""
CHUNK = 100_000
"""Pairs that are weighed at a time."""
BIN = 2.0
LOWEST_BIN, HIGHEST_BIN = -30.0, 50.0
KINDS: dict[str, Kind] = {"p": "person", "o": "organisation"}
"""Kinds of customer by the letter that features begin with."""
Told = Callable[[int, int], None]
"""Is told how much is done, of how much."""


@dataclass
class Links:
    """Pairs of profiles that were compared: the kept ones with their weights, and how many had which weight.

    ``histogram`` counts all compared pairs by the lower edge of their bin (``BIN`` wide; the first and last are open);
    ``vetoed`` are those that can never be one customer.
    """

    left: array[int] = field(default_factory=lambda: array("l"))
    right: array[int] = field(default_factory=lambda: array("l"))
    weight: array[float] = field(default_factory=lambda: array("d"))
    histogram: Counter[float] = field(default_factory=Counter)
    vetoed: int = 0

    @property
    def compared(self) -> int:
        """All pairs compared."""
        return self.histogram.total() + self.vetoed


class Matching:
    """The matcher, and the records in its eyes: with the models given, else the default ones calibrated on them."""

    def __init__(self, records: Records, given: Mapping[Kind, MatchModel] | None = None) -> None:
        self._models = models = _calibrated(records) if given is None else _by_letter(given)
        self.matcher = FellegiSunterMatcher(models["p"], models["o"])
        self.shared_contacts = sum(len(model.shared) for model in models.values())
        self.crowded_blocks = sum(len(model.oversized) for model in models.values())
        self.records = records.with_profiles(
            [(*f[:VALUES], *without_contacts(models[f[KIND]], f[VALUES:], models[f[KIND]].shared))
             for f in records.profiles]
        )  # fmt: skip
        self.unblocked = 0

    def links(self, told: Told) -> Links:
        """Compare all profiles that share a block."""
        links, pairs = Links(), shared_key_pairs(self._keys())
        kinds = np.array([features[KIND] for features in self.records.profiles])
        for letter, model in self._models.items():
            place = np.cumsum(kinds == letter) - 1
            own = pairs[kinds[pairs[:, 0]] == letter]  # keys differ by kind, so both sides are of this one
            scorer = BulkScorer(model, [f[VALUES:] for f in self.records.profiles if f[KIND] == letter])
            for start in range(0, len(own), CHUNK):
                left, right = own[start : start + CHUNK, 0], own[start : start + CHUNK, 1]
                self._add(links, left, right, scorer.weights(model, place[left], place[right]))
                told(links.compared, len(pairs))
        return links

    def _add(self, links: Links, left: Numbers, right: Numbers, weights: Weights) -> None:
        forbidden = self._forbidden(left, right)
        links.vetoed += int(forbidden.sum())
        links.histogram.update(map(bin_of, weights[~forbidden].tolist()))
        kept = ~forbidden & (weights >= KEEP_FROM)
        links.left.extend(left[kept].tolist())
        links.right.extend(right[kept].tolist())
        links.weight.extend(weights[kept].tolist())

    def _forbidden(self, left: Numbers, right: Numbers) -> NDArray[np.bool_]:
        """The pairs that different valid tax numbers keep apart."""
        taxed = np.array([bool(features[TAX]) for features in self.records.profiles])
        found = np.zeros(len(left), dtype=bool)
        for at in np.flatnonzero(taxed[left] & taxed[right]).tolist():
            one, other = self.records.profiles[left[at]], self.records.profiles[right[at]]
            found[at] = self.matcher.pair_weight(one, other) == -np.inf
        return found

    def clusters(self, links: Links, told: Told) -> list[list[int]]:
        """The records' numbers by customer: each group sorted, groups by their first record."""
        holders = _holders(self.records)
        groups: list[list[int]] = []
        done = 0
        for component in _components(len(holders), links):
            groups += self._split(component, holders)
            done += len(component)
            if not done % 1_000:
                told(done, len(holders))
        return sorted(sorted(group) for group in groups)

    def proves_itself(self, features: Features) -> bool:
        """Whether equal records of these features are one customer: a first name alone does not say so."""
        return self.matcher.pair_weight(features, features) >= MERGE_AT

    def _split(self, component: Sequence[int], holders: Sequence[Sequence[int]]) -> list[list[int]]:
        profiles = self.records.profiles
        if len(component) == 1:
            found = list(holders[component[0]])
            if len(found) == 1 or self.proves_itself(profiles[component[0]]):
                return [found]
            return [[record] for record in found]
        members = [
            Member(record, self.records.key(record), profiles[number])
            for number in component
            for record in holders[number]
        ]
        return self.matcher.cluster(members, [])

    def _keys(self) -> Iterator[list[int]]:
        for features in self.records.profiles:
            keys = self.matcher.keys(features)
            self.unblocked += not keys
            yield keys


def bin_of(weight: float) -> float:
    """The lower edge of the weight's bin."""
    return min(max(math.floor(weight / BIN) * BIN, LOWEST_BIN), HIGHEST_BIN)


def _by_letter(models: Mapping[Kind, MatchModel]) -> dict[str, MatchModel]:
    return {letter: models.get(kind) or default_model(kind) for letter, kind in KINDS.items()}


def _calibrated(records: Records) -> dict[str, MatchModel]:
    copies = Counter(records.profile_of)
    models = {}
    for letter, kind in KINDS.items():
        values = [
            features[VALUES:]
            for number, features in enumerate(records.profiles)
            if features[KIND] == letter
            for _ in range(min(copies[number], COPIES))
        ]
        models[letter] = _fitted(kind, values) if values else default_model(kind)
    return models


def _fitted(kind: Kind, values: Sequence[Values]) -> MatchModel:
    """The default model calibrated; of a handful of records only the prior is set, as for any small file."""
    model = calibrate(default_model(kind), values)
    if len(values) >= LEAST:
        return model
    prior = {"probability_two_random_records_match": SMALL_PRIOR}
    return with_settings(model, {**model.settings, **prior}, model.term_frequencies)


def _holders(records: Records) -> list[array[int]]:
    """The records of each profile."""
    found = [array("l") for _ in records.profiles]
    for record, number in enumerate(records.profile_of):
        found[number].append(record)
    return found


def _components(count: int, links: Links) -> list[list[int]]:
    """Profiles connected by kept links, by their lowest number."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in zip(links.left, links.right, strict=True):
        one, other = sorted((root(left), root(right)))
        parent[other] = one
    found: dict[int, list[int]] = {}
    for node in range(count):
        found.setdefault(root(node), []).append(node)
    return list(found.values())
