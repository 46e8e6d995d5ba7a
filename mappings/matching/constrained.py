"""Clusters that grow under constraints: cannot-link decisions and vetoes hold between all their members,
always.

The order in which merges are asked for is the caller's; a refused merge stays refused. Costs are
near-linear because a cluster keeps only its *distinct* tax numbers, identities and names, and merges go
from the smaller to the larger one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mappings.matching.evidence import Identity, persons_differ, taxpayers_differ


class Cluster:
    """Some atoms (records, or groups of equal records) that are one customer so far."""

    __slots__ = ("atoms", "births", "enemies", "forms", "natives", "rank", "tax")

    def __init__(
        self, atom: int, tax: Sequence[str], identity: Identity, forms: Sequence[str], natives: Sequence[str]
    ) -> None:
        self.atoms = [atom]
        self.rank = atom  # atoms are numbered by seniority: the lowest is the senior one
        self.tax = {tuple(sorted(tax))} if tax else set()
        self.births = {identity.given: {identity.birth}} if identity.birth and identity.given else {}
        self.forms = set(forms)
        self.natives = set(natives)
        self.enemies: set[int] = set()

    def absorb(self, other: Cluster) -> None:
        """Take over everything the other cluster has."""
        self.atoms += other.atoms
        self.rank = min(self.rank, other.rank)
        self.tax |= other.tax
        for given, births in other.births.items():
            self.births.setdefault(given, set()).update(births)
        self.forms |= other.forms
        self.natives |= other.natives
        self.enemies |= other.enemies


class Partition:
    """Disjoint clusters over atoms 0..n-1."""

    def __init__(self, clusters: Sequence[Cluster], cannot_link: Iterable[tuple[int, int]]) -> None:
        self._of = list(clusters)
        for left, right in cannot_link:
            self._of[left].enemies.add(right)
            self._of[right].enemies.add(left)

    def cluster_of(self, atom: int) -> Cluster:
        """The cluster that the atom is in now."""
        return self._of[atom]

    def clusters(self) -> list[Cluster]:
        """All clusters, senior first."""
        return sorted({id(c): c for c in self._of}.values(), key=lambda c: c.rank)

    def distinct(self, atoms: Iterable[int]) -> list[Cluster]:
        """The clusters that hold the atoms, senior first."""
        return sorted({id(c): c for c in map(self._of.__getitem__, atoms)}.values(), key=lambda c: c.rank)

    def merge(self, left: Cluster, right: Cluster) -> Cluster:
        """One cluster out of two; the constraints are the caller's to check."""
        if left is right:
            return left
        larger, smaller = (left, right) if len(left.atoms) >= len(right.atoms) else (right, left)
        for atom in smaller.atoms:
            self._of[atom] = larger
        larger.absorb(smaller)
        return larger

    def forbidden(self, left: Cluster, right: Cluster) -> bool:
        """Whether a steward's decision keeps the two apart."""
        fewer, other = (left, right) if len(left.enemies) <= len(right.enemies) else (right, left)
        return any(self._of[enemy] is other for enemy in fewer.enemies)

    def in_conflict(self, left: Cluster, right: Cluster) -> bool:
        """Whether a decision or a veto keeps any member of one from any member of the other."""
        if self.forbidden(left, right):
            return True
        if left.tax and right.tax and _any_differ(left.tax, right.tax):
            return True
        return bool(left.births and right.births) and _persons_conflict(left.births, right.births)

    def merge_all(self, clusters: Sequence[Cluster], same_native: bool = False) -> None:
        """Merge clusters, senior first, each into the most senior result that nothing keeps it from.

        ``same_native`` also keeps apart clusters whose native names are known and have none in common.
        """
        results = _Results()
        for cluster in clusters:
            for result in results.candidates(cluster):
                if same_native and _natives_differ(cluster, result):
                    continue
                if not self.in_conflict(cluster, result):
                    results.replace(result, self.merge(result, cluster))
                    break
            else:
                results.add(cluster)


def _any_differ(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> bool:
    if left == right and len(left) == 1:
        return False
    return any(taxpayers_differ(list(a), list(b)) for a in left for b in right)


def _natives_differ(left: Cluster, right: Cluster) -> bool:
    return bool(left.natives and right.natives and left.natives.isdisjoint(right.natives))


def _persons_conflict(left: dict[str, set[str]], right: dict[str, set[str]]) -> bool:
    """Per pair of given names that differ, whether any two dates of birth do (equal names need no look at
    dates).
    """
    return any(
        persons_differ(Identity(birth, given), Identity(other_birth, other))
        for given, births in left.items()
        for other, other_births in right.items()
        if given != other
        for birth in births
        for other_birth in other_births
    )


class _Results:
    """The clusters made so far in one ``merge_all``, findable by tax numbers.

    Thousands of companies with different tax numbers behind one phone and name would otherwise be compared
    pairwise: clusters with numbers under the same authorities can only merge if they share one.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, frozenset[str]] = {}
        self._by_authorities: dict[frozenset[str], dict[int, Cluster]] = {}
        self._by_number: dict[str, dict[int, Cluster]] = {}

    def candidates(self, cluster: Cluster) -> list[Cluster]:
        """The results that may take the cluster, senior first."""
        numbers = _numbers(cluster)
        authorities = _authorities(numbers)
        found: dict[int, Cluster] = {}
        for others, results in self._by_authorities.items():
            if others.isdisjoint(authorities):
                found |= results
        for number in numbers:
            found |= self._by_number.get(number, {})
        return sorted(found.values(), key=lambda c: c.rank)

    def add(self, cluster: Cluster) -> None:
        """Remember a result."""
        numbers = _numbers(cluster)
        self._numbers[id(cluster)] = numbers
        self._by_authorities.setdefault(_authorities(numbers), {})[id(cluster)] = cluster
        for number in numbers:
            self._by_number.setdefault(number, {})[id(cluster)] = cluster

    def replace(self, before: Cluster, after: Cluster) -> None:
        """A result has grown (``after`` is the object that has absorbed the other)."""
        known = self._numbers[id(before)]
        if after is before and len(after.tax) <= 1 and known == _numbers(after):
            return
        del self._numbers[id(before)]
        del self._by_authorities[_authorities(known)][id(before)]
        for number in known:
            del self._by_number[number][id(before)]
        self.add(after)


def _numbers(cluster: Cluster) -> frozenset[str]:
    return frozenset(number for numbers in cluster.tax for number in numbers)


def _authorities(numbers: frozenset[str]) -> frozenset[str]:
    return frozenset(number.partition("=")[0] for number in numbers)
