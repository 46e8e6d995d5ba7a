"""Records into clusters: the models calibrated on the data, blocks, weights, clusters by connected component."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mappings.contract import Features, Member
from mappings.matching import bulk_cluster
from mappings.matching.bulk import BulkScorer, Numbers, Weights
from mappings.matching.bulk_blocking import shared_keys
from mappings.matching.bulk_cluster import cluster_all, groups_of
from mappings.matching.calibrate import LEAST, calibrate, with_settings
from mappings.matching.caution import with_caution
from mappings.matching.cluster import MERGE_AT
from mappings.matching.model import Kind, MatchModel
from mappings.matching.pairing import Pairs, pairs_of
from mappings.matching.probabilistic import KEEP_FROM, KIND, FellegiSunterMatcher, default_model
from mappings.matching.table import Table
from sync.dedupe.records import KINDS, Records

COPIES = 5
"""Of records that are equal in all that is compared, calibration sees so many: the rest are an export's repetitions,
and would make their values look common.
"""
SMALL_PRIOR = 1 / 200
"""The prior where there are too few records to learn it: equal names say enough, one equal mailbox alone does not."""
CHUNK = 6_000_000
"""Pairs that are weighed at a time, some 100 bytes each."""
BIN = 2.0
LOWEST_BIN, HIGHEST_BIN = -30.0, 50.0
PairWeights = Callable[[str, Pairs], Weights]
"""Weights by the model alone of pairs of profiles (numbers) of the kind with this letter."""
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
    """The matcher, and the records in its eyes: with the models given, else the default ones calibrated on them.

    ``processes`` share in the work; the result does not depend on how many.
    """

    def __init__(self, records: Records, given: Mapping[Kind, MatchModel] | None = None, *, processes: int = 1) -> None:
        self._processes = processes
        self._models = models = _calibrated(records, self._processes) if given is None else _by_letter(given)
        self.matcher = FellegiSunterMatcher(models["p"], models["o"])
        self.shared_contacts = sum(len(model.shared) for model in models.values())
        self.crowded_blocks = sum(len(model.oversized) for model in models.values())
        if self.shared_contacts:
            records = records.without_contacts(self.matcher.models)
        self.records = records
        self.unblocked = 0
        self._places = records.profiles.places
        self._scorers = {letter: self._scorer(letter) for letter in KINDS}
        self._numbered = np.zeros(len(records.profiles), dtype=bool)
        self._numbered[list(records.profiles.numbered)] = True

    def _scorer(self, letter: str) -> BulkScorer:
        return BulkScorer(self._models[letter], self.records.profiles.of_kind(letter)[0], self._processes)

    def links(self, told: Told, weigh: PairWeights | None = None) -> Links:
        """Compare all profiles that share a block; ``weigh`` may do so elsewhere (see ``sync.matching.engines``)."""
        links, done = Links(), 0
        blocked = [(letter, self.pairs(letter)) for letter in KINDS]
        total = sum(len(pairs) for _letter, pairs in blocked)
        for letter, pairs in blocked:
            weights = weigh(letter, pairs) if weigh is not None else None
            for start in range(0, len(pairs), CHUNK):
                left, right = pairs[start : start + CHUNK].T.copy()
                found = self._weights(letter, left, right) if weights is None else weights[start : start + CHUNK]
                self._add(links, left, right, self._with_numbers(left, right, found))
                done += len(left)
                told(done, total)
        return links

    def pairs(self, letter: str) -> Pairs:
        """The profiles of a kind that share a key: rows (left, right), left < right, sorted."""
        table, numbers = self.records.profiles.of_kind(letter)
        model = self._models[letter]
        rows, keyed = shared_keys(model.kind, table, model.oversized, model.words, self._processes)
        blocks, owners = self._proof_blocks(letter)
        keyed[owners] = True
        self.unblocked += int(np.count_nonzero(~keyed))
        first = int(rows.keys[-1]) + 1 if len(rows.keys) else 0
        keys, owners = np.concatenate([rows.keys, blocks + first]), np.concatenate([rows.owners, owners])
        return numbers[pairs_of(keys, owners, max(len(numbers), 1))]

    def _proof_blocks(self, letter: str) -> tuple[Numbers, Numbers]:
        """The profiles of a kind that have official numbers: of each number its place among all, and the profile's."""
        blocks: dict[str, int] = {}
        found = [
            (blocks.setdefault(number, len(blocks)), self._places[profile])
            for profile, (_tax, ids) in sorted(self.records.profiles.numbered.items())
            if self.records.profiles[profile][KIND] == letter
            for number in ids
        ]
        rows = np.array(found, dtype=np.int64).reshape(-1, 2)
        return rows[:, 0], rows[:, 1]

    def _weights(self, letter: str, left: Numbers, right: Numbers) -> Weights:
        """By the model alone."""
        return self._scorers[letter].weights(self._models[letter], self._places[left], self._places[right])

    def _with_numbers(self, left: Numbers, right: Numbers, weights: Weights) -> Weights:
        """Weights with what official numbers say: −∞ for different taxpayers, proof for a number in common."""
        for at in np.flatnonzero(self._numbered[left] & self._numbered[right]).tolist():
            one, other = self.records.profiles[left[at]], self.records.profiles[right[at]]
            weights[at] = self.matcher.pair_weight(one, other)
        return weights

    def _any_weights(self, left: Numbers, right: Numbers) -> Weights:
        """What clustering goes by, for pairs of one kind each."""
        weights = np.empty(len(left))
        for letter in KINDS:
            of_kind = np.zeros(len(self.records.profiles), dtype=bool)
            of_kind[self.records.profiles.of_kind(letter)[1]] = True
            at = np.flatnonzero(of_kind[left])
            weights[at] = self._weights(letter, left[at], right[at])
        return self._with_numbers(left, right, weights)

    def _add(self, links: Links, left: Numbers, right: Numbers, weights: Weights) -> None:
        forbidden = weights == -np.inf
        links.vetoed += int(forbidden.sum())
        counts = np.bincount(((bins_of(weights[~forbidden]) - LOWEST_BIN) / BIN).astype(np.int64))
        links.histogram.update({LOWEST_BIN + BIN * at: int(counts[at]) for at in np.flatnonzero(counts).tolist()})
        kept = weights >= KEEP_FROM
        links.left.frombytes(left[kept].astype(np.int64).tobytes())
        links.right.frombytes(right[kept].astype(np.int64).tobytes())
        links.weight.frombytes(weights[kept].tobytes())

    def clusters(self, links: Links, told: Told) -> list[list[int]]:
        """The records' numbers by customer: each group sorted, groups by their first record."""
        count = len(self.records.profiles)
        profile_of = np.frombuffer(self.records.profile_of, dtype=np.int64) if len(self.records) else np.empty(0, int)
        sizes = np.bincount(profile_of, minlength=count)
        told(0, count)
        found = (
            bulk_cluster.Links(np.frombuffer(links.left, np.int64), np.frombuffer(links.right, np.int64))
            if len(links.left)
            else bulk_cluster.Links(np.empty(0, np.int64), np.empty(0, np.int64))
        )
        odd = self._doubtful(sizes) | self._proven()
        cluster, left_over = cluster_all(count, found, sizes, odd, self._any_weights)
        told(count, count)
        return self._groups(cluster[profile_of], left_over, profile_of)

    def _doubtful(self, sizes: Numbers) -> NDArray[np.bool_]:
        """The profiles of several records that do not prove themselves."""
        several = np.flatnonzero(sizes > 1)
        doubtful = np.zeros(len(sizes), dtype=bool)
        doubtful[several] = self._any_weights(several, several) < MERGE_AT
        return doubtful

    def _proven(self) -> NDArray[np.bool_]:
        """The profiles that share a valid official number with another one: these are joined first."""
        holders: dict[tuple[str, str], list[int]] = {}
        for profile, (_tax, ids) in self.records.profiles.numbered.items():
            for number in ids:
                holders.setdefault((self.records.profiles[profile][KIND], number), []).append(profile)
        proven = np.zeros(len(self.records.profiles), dtype=bool)
        for profiles in holders.values():
            if len(profiles) > 1:
                proven[profiles] = True
        return proven

    def _groups(self, label: Numbers, left_over: Sequence[Sequence[int]], profile_of: Numbers) -> list[list[int]]:
        """Records by their profile's cluster; the components that were left over are split one by one."""
        odd = np.zeros(len(self.records.profiles), dtype=bool)
        for component in left_over:
            odd[component] = True
        rest = np.flatnonzero(~odd[profile_of])
        found = groups_of(label[rest])
        members = rest[found.members].tolist()
        bounds = zip(found.starts.tolist(), (found.starts + found.sizes).tolist(), strict=True)
        groups = [members[start:end] for start, end in bounds]
        holders: dict[int, list[int]] = {}
        for record in np.flatnonzero(odd[profile_of]).tolist():
            holders.setdefault(int(profile_of[record]), []).append(record)
        for component in left_over:
            groups += [sorted(group) for group in self._split(component, holders)]
        return sorted(groups)

    def proves_itself(self, features: Features) -> bool:
        """Whether equal records of these features are one customer: a first name alone does not say so."""
        return self.matcher.pair_weight(features, features) >= MERGE_AT

    def _split(self, component: Sequence[int], holders: Mapping[int, Sequence[int]]) -> list[list[int]]:
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


def bin_of(weight: float) -> float:
    """The lower edge of the weight's bin."""
    return min(max(math.floor(weight / BIN) * BIN, LOWEST_BIN), HIGHEST_BIN)


def bins_of(weights: Weights) -> Weights:
    """The same for many."""
    edges: Weights = np.clip(np.floor(weights / BIN) * BIN, LOWEST_BIN, HIGHEST_BIN)
    return edges


def _by_letter(models: Mapping[Kind, MatchModel]) -> dict[str, MatchModel]:
    return {letter: models.get(kind) or default_model(kind) for letter, kind in KINDS.items()}


def _calibrated(records: Records, processes: int) -> dict[str, MatchModel]:
    models = {}
    for letter, kind in KINDS.items():
        values = values_of(records, letter)
        models[letter] = _fitted(kind, values, processes) if len(values) else default_model(kind)
    return models


def values_of(records: Records, letter: str) -> Table:
    """What calibration sees of the records of a kind."""
    table, numbers = records.profiles.of_kind(letter)
    copies = np.bincount(np.array(records.profile_of, dtype=np.int64), minlength=len(records.profiles))[numbers]
    return table.at(np.repeat(np.arange(len(numbers)), np.minimum(copies, COPIES)))


def _fitted(kind: Kind, values: Table, processes: int) -> MatchModel:
    """The default model calibrated; of a handful of records only the prior is set, as for any small file."""
    model = calibrate(default_model(kind), values, processes)
    if len(values) >= LEAST:
        return with_caution(model)
    prior = {"probability_two_random_records_match": SMALL_PRIOR}
    return with_settings(model, {**model.settings, **prior}, model.term_frequencies)
