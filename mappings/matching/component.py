"""One connected component of records, clustered: average link, or for crowds a cheaper way to the same end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import orjson

from mappings.contract import Decision, Features, Member, seniority
from mappings.matching.cluster import MERGE_AT, Weights, average_link, clipped, weight_matrix
from mappings.matching.constrained import Cluster, Partition
from mappings.matching.evidence import Identity

PairWeight = Callable[[Features, Features], float]
LARGE = 400
"""Components of more distinct records are cut at higher weights first, until the pieces are small enough."""
CERTAIN = 12.0
"""Above this weight (log2 odds) pieces are not cut further; pairs that strong are merged one by one."""
CROWD, NEIGHBOURS = 100, 10
"""In a block of more than so many distinct records each is compared with so many neighbours only."""
_NOBODY = Identity("", "")


class Component:
    """One call of ``cluster``: equal records share an index, numbered by seniority."""

    def __init__(
        self,
        members: Sequence[Member],
        decisions: Sequence[Decision],
        weight: PairWeight,
        keys: Callable[[Features], list[int]],
        *,
        merge_at: float = MERGE_AT,
        proofs: Callable[[Features], Sequence[str]] = lambda _: (),
    ) -> None:
        self._pair_weight, self._keys, self._merge_at = weight, keys, merge_at
        decided = {key for d in decisions for key in (d.left, d.right)}
        self._atoms: list[list[Member]] = []
        known: dict[bytes, list[Member]] = {}
        alike: dict[bytes, bool] = {}
        for member in sorted(members, key=lambda m: seniority(m.key)):
            if member.key in decided:
                self._atoms.append([member])
                continue
            content = orjson.dumps(member.features)
            if content in known:
                if content not in alike:
                    alike[content] = weight(member.features, member.features) >= merge_at
                if alike[content]:
                    known[content].append(member)
                    continue
            self._atoms.append([member])
            known.setdefault(content, self._atoms[-1])
        number = {atom[0].key: i for i, atom in enumerate(self._atoms)}
        pairs = [(number[d.left], number[d.right], d.same) for d in decisions if {d.left, d.right} <= number.keys()]
        self._joined = {(min(a, b), max(a, b)) for a, b, same in pairs if same and a != b}
        self._apart = {(min(a, b), max(a, b)) for a, b, same in pairs if not same}
        self._proven = _chained([(number, proofs(atom[0].features)) for number, atom in enumerate(self._atoms)])
        self._known: dict[tuple[int, int], float] = {}

    def customers(self) -> list[list[int]]:
        """Groups of ``Member.id``, by seniority."""
        groups = []
        for piece in self._pieces(list(range(len(self._atoms))), min(self._merge_at, MERGE_AT)):
            groups += self._average(piece) if len(piece) <= LARGE else self._strongest_first(piece)
        ranked = sorted(sorted(group) for group in groups)
        found = [[m for atom in group for m in self._atoms[atom]] for group in ranked]
        ordered = [sorted(group, key=lambda m: seniority(m.key)) for group in found]
        return [[m.id for m in group] for group in sorted(ordered, key=lambda g: seniority(g[0].key))]

    def _average(self, piece: list[int]) -> list[list[int]]:
        if len(piece) == 1:
            return [piece]
        if len(piece) == 2 and not self._joined:
            return self._two(*piece)
        at = {atom: place for place, atom in enumerate(piece)}
        matrix = weight_matrix(len(piece), lambda a, b: self._weight(piece[a], piece[b]))
        joined = [(at[a], at[b]) for a, b in sorted(self._joined) if a in at and b in at]
        self._lift_vetoes(matrix, piece, joined)
        proven = [(at[a], at[b]) for a, b in self._proven if a in at and b in at]
        sizes = [len(self._atoms[atom]) for atom in piece]
        groups = average_link(matrix, sizes, joined, proven, merge_at=self._merge_at)
        return [[piece[place] for place in group] for group in groups]

    def _two(self, left: int, right: int) -> list[list[int]]:
        """The same of two atoms, most components by far, without setting up matrices."""
        weight, one, other = clipped(self._weight(left, right)), len(self._atoms[left]), len(self._atoms[right])
        enough = weight * one * other / (one * other) >= self._merge_at  # rounded as a mean of more is
        proven = weight != -np.inf and (left, right) in self._proven
        return [[left, right]] if enough or proven else [[left], [right]]

    def _lift_vetoes(self, matrix: Weights, piece: list[int], joined: list[tuple[int, int]]) -> None:
        """Between records that a steward has joined, directly or through others, only the steward's word counts."""
        group = {place: {place} for place in range(len(piece))}
        for a, b in joined:
            union = group[a] | group[b]
            if any((piece[x], piece[y]) in self._apart for x, y in combinations(sorted(union), 2)):
                continue
            group |= dict.fromkeys(union, union)
        for union in group.values():
            for a, b in combinations(sorted(union), 2):
                if matrix[a, b] == -np.inf:
                    matrix[a, b] = matrix[b, a] = 0.0

    def _weight(self, left: int, right: int) -> float:
        pair = (min(left, right), max(left, right))
        if pair in self._apart:
            return -np.inf
        if pair not in self._known:
            one, other = self._atoms[pair[0]][0], self._atoms[pair[1]][0]
            self._known[pair] = self._pair_weight(one.features, other.features)
        return self._known[pair]

    def _strongest_first(self, piece: list[int]) -> list[list[int]]:
        """For crowds that hang together by overwhelming evidence: single link under decisions and vetoes."""
        at = {atom: place for place, atom in enumerate(piece)}
        clusters = [Cluster(place, self._features(atom)[1], _NOBODY, (), ()) for place, atom in enumerate(piece)]
        partition = Partition(clusters, ((at[a], at[b]) for a, b in self._apart if a in at and b in at))
        for a, b in sorted(pair for pair in self._joined if pair[0] in at and pair[1] in at):
            one, other = partition.cluster_of(at[a]), partition.cluster_of(at[b])
            if not partition.forbidden(one, other):
                partition.merge(one, other)
        proven = {pair for pair in self._proven if pair[0] in at and pair[1] in at}
        strong = [(-self._weight(a, b), a, b) for a, b in self._blocked(piece) | proven]
        for weight, a, b in sorted(strong):
            one, other = partition.cluster_of(at[a]), partition.cluster_of(at[b])
            if -weight >= CERTAIN and one is not other and not partition.in_conflict(one, other):
                partition.merge(one, other)
        return [sorted(piece[place] for place in cluster.atoms) for cluster in partition.clusters()]

    def _pieces(self, atoms: list[int], threshold: float) -> list[list[int]]:
        """The atoms as they are if they are few, else their components at ever higher weights of blocked pairs."""
        if len(atoms) <= LARGE or threshold > CERTAIN:
            return [atoms]
        return [small for piece in self._components(atoms, threshold) for small in self._pieces(piece, threshold + 2)]

    def _components(self, atoms: list[int], threshold: float) -> list[list[int]]:
        parent = {atom: atom for atom in atoms}

        def root(atom: int) -> int:
            while parent[atom] != atom:
                parent[atom] = parent[parent[atom]]
                atom = parent[atom]
            return atom

        pairs = [p for p in self._blocked(atoms) if self._weight(*p) >= threshold]
        pairs += [p for p in (*self._joined, *self._proven) if p[0] in parent and p[1] in parent]
        for left, right in pairs:
            parent[root(left)] = root(right)
        found: dict[int, list[int]] = {}
        for atom in atoms:
            found.setdefault(root(atom), []).append(atom)
        return list(found.values())

    def _blocked(self, atoms: list[int]) -> set[tuple[int, int]]:
        blocks: dict[int, list[int]] = {}
        for atom in atoms:
            for key in self._keys(self._features(atom)):
                blocks.setdefault(key, []).append(atom)
        pairs: set[tuple[int, int]] = set()
        for members in blocks.values():
            reach = len(members)
            if reach > CROWD:  # neighbours in the order of their content
                members = sorted(members, key=lambda atom: repr(self._features(atom)))
                reach = NEIGHBOURS
            pairs |= {(min(a, b), max(a, b)) for i, a in enumerate(members) for b in members[i + 1 : i + 1 + reach]}
        return pairs

    def _features(self, atom: int) -> Features:
        return self._atoms[atom][0].features


def _chained(proofs: Sequence[tuple[int, Sequence[str]]]) -> list[tuple[int, int]]:
    """Pairs that join all atoms with a proof in common: each with the next one that has it."""
    last: dict[str, int] = {}
    pairs = set()
    for atom, found in proofs:
        for proof in found:
            if proof in last:
                pairs.add((last[proof], atom))
            last[proof] = atom
    return sorted(pairs)
