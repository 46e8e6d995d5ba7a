"""Which clusters hang by a thread: the weakest link that a cluster needs to hold together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from sync.dedupe.matching import Links, Matching

ALL_PAIRS = 30
"""Up to so many distinct records all pairs of a cluster are weighed, not only those that blocking found."""


class Risk(NamedTuple):
    """A cluster (its number), the weight of its weakest needed link, and the two records (numbers) it joins."""

    cluster: int
    weight: float
    left: int
    right: int


def riskiest(matching: Matching, links: Links, clusters: Sequence[Sequence[int]], most: int) -> list[Risk]:
    """The clusters with the weakest links, weakest first.

    A cluster's links are thought of as a chain of islands joined by its strongest pairs (a maximum spanning tree); the
    weakest of these bridges is the one without which the cluster would fall apart.
    """
    first: dict[tuple[int, int], int] = {}
    members: list[list[int]] = []
    of: dict[int, set[int]] = {}
    for cluster, group in enumerate(clusters):
        profiles = sorted({matching.records.profile_of[record] for record in group})
        members.append(profiles if len(profiles) > 1 else [])
        for record in group if len(profiles) > 1 else ():
            first.setdefault((cluster, matching.records.profile_of[record]), record)
        for profile in profiles if len(profiles) > 1 else ():
            of.setdefault(profile, set()).add(cluster)
    kept = _links_within(links, of)
    risks = []
    for cluster, profiles in enumerate(members):
        pairs = _all_pairs(matching, profiles) if len(profiles) <= ALL_PAIRS else kept.get(cluster, [])
        if pairs:
            weight, left, right = _bottleneck(pairs)
            risks.append(Risk(cluster, weight, first[cluster, left], first[cluster, right]))
    return sorted(risks, key=lambda risk: (risk.weight, risk.cluster))[:most]


def _links_within(links: Links, of: dict[int, set[int]]) -> dict[int, list[tuple[float, int, int]]]:
    found: dict[int, list[tuple[float, int, int]]] = {}
    for left, right, weight in zip(links.left, links.right, links.weight, strict=True):
        for cluster in of.get(left, set()) & of.get(right, set()):
            found.setdefault(cluster, []).append((weight, left, right))
    return found


def _all_pairs(matching: Matching, profiles: Sequence[int]) -> list[tuple[float, int, int]]:
    features, weigh = matching.records.profiles, matching.matcher.pair_weight
    return [(weigh(features[a], features[b]), a, b) for a, b in combinations(profiles, 2)]


def _bottleneck(pairs: Sequence[tuple[float, int, int]]) -> tuple[float, int, int]:
    """The last pair that Kruskal's algorithm takes, strongest first."""
    island: dict[int, set[int]] = {}
    last = (0.0, 0, 0)
    for pair in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        one, other = (island.setdefault(node, {node}) for node in pair[1:])
        if one is not other:
            last = pair
            small, large = sorted((one, other), key=len)
            large |= small
            island |= dict.fromkeys(small, large)
    return last
