"""The customers that records form under a matcher, in memory: a pure function, and what the engine must agree with.

Used to say what another version would change before anything is written, and in tests as the reference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from mappings.contract import Decision, Features, Matcher, Member, RecordKey
from sync.master.candidates import CONNECTING_WEIGHT
from sync.master.inforce import Refinable, without_blocks

Told = Callable[[int, int], None]
"""Is told how many records are done, of how many."""


class Blocks(NamedTuple):
    """The matcher without crowded blocks, the proof keys that are linked as stars, and every record's keys."""

    matcher: Matcher
    linked: frozenset[int]
    keys: dict[int, list[int]]


def customers(
    records: Mapping[int, tuple[RecordKey, Features]],
    matcher: Matcher,
    cap: int,
    decisions: Sequence[Decision] = (),
    known: frozenset[int] = frozenset(),
    told: Told = lambda done, total: None,
) -> list[list[int]]:
    """The records' numbers by customer; ``known`` are blocks recorded as crowded before."""
    found = uncrowded({number: features for number, (_, features) in records.items()}, matcher, cap, known)
    parent = {number: number for number in records}

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for done, (left, right) in enumerate(_pairs(found)):
        evidence = found.matcher.compare(records[left][1], records[right][1])
        if evidence is not None and evidence.weight >= CONNECTING_WEIGHT:
            parent[root(left)] = root(right)
        if done % 10_000 == 0:
            told(done, -1)
    place = {key: number for number, (key, _) in records.items()}
    for decision in decisions:
        if decision.same and decision.left in place and decision.right in place:
            parent[root(place[decision.left])] = root(place[decision.right])
    components: dict[int, list[int]] = defaultdict(list)
    for number in records:
        components[root(number)].append(number)
    groups = []
    for members in components.values():
        keyed = [Member(number, *records[number]) for number in members]
        within = {records[number][0] for number in members}
        judged = [one for one in decisions if {one.left, one.right} <= within]
        groups += [members] if len(members) == 1 else found.matcher.cluster(keyed, judged)
    return groups


def uncrowded(records: Mapping[int, Features], matcher: Matcher, cap: int, known: frozenset[int]) -> Blocks:
    """Every record's keys once no block that has finer keys is past the cap."""
    refined, linked = known, frozenset[int]()
    while True:
        chosen = without_blocks(matcher, refined) if refined else matcher
        keys = {number: chosen.keys(features) for number, features in records.items()}
        sizes = Counter(key for held in keys.values() for key in held)
        crowded = {key for key, size in sizes.items() if size > cap} - linked
        if not crowded:
            return Blocks(chosen, linked, keys)
        proof = {key for key in crowded if not isinstance(matcher, Refinable) or matcher.is_proof(key)}
        linked, refined = linked | proof, refined | (crowded - proof)


def _pairs(found: Blocks) -> set[tuple[int, int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for number, held in sorted(found.keys.items()):
        for key in held:
            members[key].append(number)
    pairs: set[tuple[int, int]] = set()
    for key, numbers in members.items():
        if key in found.linked:
            pairs.update((numbers[0], other) for other in numbers[1:])
        else:
            pairs.update(combinations(numbers, 2))
    return pairs
