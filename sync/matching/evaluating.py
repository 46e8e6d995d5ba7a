"""How right a grouping of records is: by pair, by cluster, at other thresholds, and where it is wrong.

The truth is either an entity for every record (a truth column, or a complete list of duplicates), or a list of pairs
judged the same or different. Of listed pairs only these count, and clusters cannot be judged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import NamedTuple

from sync.dedupe.accuracy import Score, by_cluster, by_pair, pairs_among, score

THRESHOLDS = (-1.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0)
"""Weights in log2 odds."""
LOOKED_AT, PER_GROUP = 100_000, 100
"""Of more wrong pairs so many are looked at for the worst, of one cluster or entity so many."""


class Link(NamedTuple):
    """Two groups of equal records (numbers) that were compared, and the weight; ``left is right`` within one group."""

    left: Sequence[int]
    right: Sequence[int]
    weight: float


@dataclass(frozen=True)
class Population:
    """Records with what the matcher made of them. ``cluster`` may hold anything hashable.

    ``weigh`` gives the weight of any two (−∞: can never be one customer), ``compared`` whether they share a key.
    """

    names: Sequence[str]
    cluster: Sequence[object]
    links: Callable[[], Iterable[Link]]
    weigh: Callable[[int, int], float]
    compared: Callable[[int, int], bool]


class Listed(NamedTuple):
    """A judged pair of records (numbers)."""

    left: int
    right: int
    same: bool


class WrongPair(NamedTuple):
    """A pair on the wrong side, by the records' names; ``compared`` is False if they share no blocking key."""

    left: str
    right: str
    weight: float
    compared: bool


class Confusion(NamedTuple):
    """Pairs by what they are and what was found. ``true_different`` counts all other pairs of the records."""

    true_same: int
    false_same: int
    false_different: int
    true_different: int


class AtThreshold(NamedTuple):
    """Compared pairs of at least this weight, taken for same, without any clustering."""

    weight: float
    score: Score


@dataclass(frozen=True)
class Evaluation:
    """The result; ``clusters`` is None where only listed pairs are known. ``left_out`` are records without truth."""

    records: int
    left_out: int
    confusion: Confusion
    pairs: Score
    clusters: Score | None
    thresholds: list[AtThreshold] = field(default_factory=list)
    false_same: list[WrongPair] = field(default_factory=list)
    false_different: list[WrongPair] = field(default_factory=list)


def by_entities(found: Population, entities: Sequence[str | None], worst: int = 10) -> Evaluation:
    """Against an entity for every record; records without one are left out."""
    known = [number for number, entity in enumerate(entities) if entity is not None]
    labels = [(found.cluster[number], entities[number]) for number in known]
    return Evaluation(
        len(known),
        len(entities) - len(known),
        _confusion(labels),
        by_pair(labels),
        by_cluster(labels),
        _thresholds(found, entities),
        _worst_same(found, entities, worst),
        _worst_different(found, entities, worst),
    )


def by_list(found: Population, listed: Sequence[Listed], worst: int = 10) -> Evaluation:
    """Against judged pairs, of which only these count."""
    taken = [(pair, found.cluster[pair.left] == found.cluster[pair.right]) for pair in listed]
    counts = Counter((pair.same, together) for pair, together in taken)
    confusion = Confusion(counts[True, True], counts[False, True], counts[True, False], counts[False, False])
    weights = [(found.weigh(pair.left, pair.right), pair.same) for pair in listed]
    thresholds = [AtThreshold(at, _listed_score(weights, at)) for at in THRESHOLDS]
    records = len({number for pair in listed for number in (pair.left, pair.right)})
    wrong = [[(pair.left, pair.right) for pair, together in taken if together != pair.same and pair.same is same]
             for same in (False, True)]  # fmt: skip
    return Evaluation(
        records,
        len(found.names) - records,
        confusion,
        score(counts[True, True], counts[True, True] + counts[False, True], counts[True, True] + counts[True, False]),
        None,
        thresholds,
        _ranked(found, wrong[0], worst, strongest=True),
        _ranked(found, wrong[1], worst, strongest=False),
    )


def entities_of(count: int, same: Iterable[tuple[int, int]]) -> list[str]:
    """Entities out of a complete list of duplicates: records not named are entities of their own."""
    entity = list(range(count))

    def root(record: int) -> int:
        while entity[record] != record:
            entity[record] = entity[entity[record]]
            record = entity[record]
        return record

    for left, right in same:
        one, other = sorted((root(left), root(right)))
        entity[other] = one
    return [str(root(record)) for record in range(count)]


def _confusion(labels: Sequence[tuple[object, str | None]]) -> Confusion:
    right = pairs_among(Counter(labels).values())
    found = pairs_among(Counter(cluster for cluster, _entity in labels).values())
    true = pairs_among(Counter(entity for _cluster, entity in labels).values())
    everything = len(labels) * (len(labels) - 1) // 2
    return Confusion(right, found - right, true - right, everything - found - true + right)


def _thresholds(found: Population, entities: Sequence[str | None]) -> list[AtThreshold]:
    taken, right = [0] * len(THRESHOLDS), [0] * len(THRESHOLDS)
    for link in found.links():
        pairs, same = _tally(link, entities)
        for place, at in enumerate(THRESHOLDS):
            if link.weight < at:
                break
            taken[place] += pairs
            right[place] += same
    true = pairs_among(Counter(entity for entity in entities if entity is not None).values())
    return [AtThreshold(at, score(right[i], taken[i], true)) for i, at in enumerate(THRESHOLDS)]


def _tally(link: Link, entities: Sequence[str | None]) -> tuple[int, int]:
    """The pairs of records behind a link, and how many of them are one entity."""
    left = Counter(entity for number in link.left if (entity := entities[number]) is not None)
    if link.left is link.right:
        return pairs_among([left.total()]), pairs_among(left.values())
    right = Counter(entity for number in link.right if (entity := entities[number]) is not None)
    return left.total() * right.total(), sum(count * right[entity] for entity, count in left.items())


def _listed_score(weights: Sequence[tuple[float, bool]], at: float) -> Score:
    right = sum(same for weight, same in weights if weight >= at)
    return score(right, sum(weight >= at for weight, _same in weights), sum(same for _weight, same in weights))


def _worst_same(found: Population, entities: Sequence[str | None], worst: int) -> list[WrongPair]:
    """Pairs in one cluster that are two entities, the most confident first."""
    return _ranked(found, _across(found.cluster, entities), worst, strongest=True)


def _worst_different(found: Population, entities: Sequence[str | None], worst: int) -> list[WrongPair]:
    """Pairs of one entity in two clusters, the most confident first."""
    return _ranked(found, _across(entities, found.cluster), worst, strongest=False)


def _across(groups: Sequence[object], parts: Sequence[object]) -> Iterator[tuple[int, int]]:
    """Pairs that are together in ``groups`` but apart in ``parts``; None is no group and no part."""
    members: dict[object, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        if group is not None and parts[number] is not None:
            members[group].append(number)
    for group in members.values():
        if len({parts[number] for number in group}) > 1:
            apart = (pair for pair in combinations(group, 2) if parts[pair[0]] != parts[pair[1]])
            yield from islice(apart, PER_GROUP)


def _ranked(found: Population, pairs: Iterable[tuple[int, int]], worst: int, strongest: bool) -> list[WrongPair]:
    weighed = [(found.weigh(*pair), pair) for pair in islice(pairs, LOOKED_AT)]
    weighed.sort(key=lambda one: (-one[0] if strongest else one[0], one[1]))
    return [
        WrongPair(found.names[a], found.names[b], weight, found.compared(a, b)) for weight, (a, b) in weighed[:worst]
    ]
