"""From features to customers by the deterministic rules: which records are linked, in which order, under
which constraints.

Everything is found through shared values (identifiers, contact with name), never by comparing all pairs,
and done in an order that depends on evidence and seniority alone: must-links, identifiers, contacts with
equal names, contacts with similar names (complete link: every name of one side must agree with every name
of the other), and last the nameless contacts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import orjson

from mappings.contract import Decision, Features, Member, RecordKey, seniority
from mappings.matching.constrained import Cluster, Partition
from mappings.matching.evidence import (
    BARE,
    CONTACTS,
    FORMS,
    IDENTIFIER,
    IDS,
    KIND,
    NATIVES,
    TAX,
    VERIFIED,
    contact_rule,
    identity,
    pair_evidence,
)
from mappings.matching.names import PINYIN, Agreement, anchors, forms_agree


class _Atom(NamedTuple):
    """Records with equal features that no decision names (or one record), senior first."""

    features: Features
    members: list[Member]


class _Link(NamedTuple):
    """Atoms that share something: one merge step. For similar names, ``others`` are the atoms with the
    other name.
    """

    weight: float
    atoms: list[int]
    others: list[int]
    value: str

    def order(self) -> tuple[float, int, str]:
        """Strongest first; ties by the senior atom, then by the shared value."""
        return (-self.weight, min(self.atoms[0], self.others[0] if self.others else self.atoms[0]), self.value)


def customers_of(members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
    """The partition that ``Matcher.cluster`` promises, by the rules."""
    atoms = _atoms(members, decisions)
    partition = _constrained(atoms, decisions)
    for kind in ("p", "o"):
        numbers = [i for i, atom in enumerate(atoms) if atom.features[KIND] == kind]
        _apply_rules(partition, atoms, numbers)
    groups = []
    for cluster in partition.clusters():
        found = [m for number in cluster.atoms for m in atoms[number].members]
        groups.append([m.id for m in sorted(found, key=lambda m: seniority(m.key))])
    return groups


def _atoms(members: Sequence[Member], decisions: Sequence[Decision]) -> list[_Atom]:
    """Members grouped by equal features, numbered by seniority, so that 50,000 equal records cost as much
    as one.
    """
    decided = {key for d in decisions for key in (d.left, d.right)}
    atoms: list[_Atom] = []
    known: dict[bytes, list[Member]] = {}
    for member in sorted(members, key=lambda m: seniority(m.key)):
        content = orjson.dumps(member.features)
        twins = known.get(content) if member.key not in decided else None
        if twins is not None:
            twins.append(member)
            continue
        atoms.append(_Atom(member.features, [member]))
        if member.key not in decided and pair_evidence(member.features, member.features) is not None:
            known[content] = atoms[-1].members
    return atoms


def _constrained(atoms: Sequence[_Atom], decisions: Sequence[Decision]) -> Partition:
    """The partition after the steward's decisions; of contradictory ones, the word that keeps customers
    apart holds.
    """
    number = {atom.members[0].key: i for i, atom in enumerate(atoms)}
    pairs = sorted((tuple(sorted((number[d.left], number[d.right]))), d.same) for d in _known(decisions, number))
    clusters = [Cluster(i, a.features[TAX], identity(a.features), a.features[FORMS], a.features[NATIVES])
                for i, a in enumerate(atoms)]  # fmt: skip
    partition = Partition(clusters, ((p[0], p[1]) for p, same in pairs if not same))
    for (left, right), same in pairs:
        if same:
            one, other = partition.cluster_of(left), partition.cluster_of(right)
            if not partition.forbidden(one, other):
                partition.merge(one, other)
    return partition


def _known(decisions: Sequence[Decision], number: dict[RecordKey, int]) -> list[Decision]:
    return [d for d in decisions if d.left in number and d.right in number and d.left != d.right]


def _apply_rules(partition: Partition, atoms: Sequence[_Atom], numbers: Sequence[int]) -> None:
    for link in sorted(_identifier_links(atoms, numbers), key=_Link.order):
        partition.merge_all(partition.distinct(link.atoms))
    for link in sorted(_exact_links(atoms, numbers), key=_Link.order):
        partition.merge_all(partition.distinct(link.atoms), same_native=True)
    for link in sorted(_similar_links(atoms, numbers), key=_Link.order):
        _merge_similar(partition, link)
    for _, found in sorted(_nameless_links(atoms, numbers).items(), key=lambda item: (item[1][0], item[0])):
        _merge_nameless(partition, found)


def _identifier_links(atoms: Sequence[_Atom], numbers: Sequence[int]) -> Iterator[_Link]:
    holders: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        for value in atoms[number].features[IDS]:
            holders[value].append(number)
    return (_Link(IDENTIFIER.weight, found, [], value) for value, found in holders.items() if len(found) > 1)


def _holders_by_contact(atoms: Sequence[_Atom], numbers: Sequence[int]) -> dict[str, dict[str, list[int]]]:
    """Contact → form of name → atoms with both, senior first."""
    holders: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number in numbers:
        features = atoms[number].features
        for contact in features[CONTACTS]:
            for form in features[FORMS]:
                holders[contact][form].append(number)
    return holders


def _exact_links(atoms: Sequence[_Atom], numbers: Sequence[int]) -> Iterator[_Link]:
    for contact, by_form in _holders_by_contact(atoms, numbers).items():
        for form, holders in by_form.items():
            for native, found in _by_native(atoms, holders).items():
                if len(found) > 1:
                    weight = _weight(atoms, contact, found, Agreement.EXACT)
                    yield _Link(weight, found, [], f"{contact} {form} {native}")


def _similar_links(atoms: Sequence[_Atom], numbers: Sequence[int]) -> Iterator[_Link]:
    for contact, by_form in _holders_by_contact(atoms, numbers).items():
        for left, right in _similar_pairs(list(by_form)):
            everybody = sorted({*by_form[left], *by_form[right]})
            for native, found in _by_native(atoms, everybody).items():
                within = set(found)
                one, other = ([n for n in by_form[form] if n in within] for form in (left, right))
                if one and other:
                    weight = _weight(atoms, contact, [*one, *other], Agreement.LOOSE)
                    yield _Link(weight, one, other, f"{contact} {left} {right} {native}")


def _by_native(atoms: Sequence[_Atom], found: Sequence[int]) -> dict[str, list[int]]:
    """The atoms by name in Chinese characters; those without one are in every group ("" if there is no other)."""
    without = [number for number in found if not atoms[number].features[NATIVES]]
    groups: dict[str, list[int]] = defaultdict(list)
    for number in found:
        for native in atoms[number].features[NATIVES]:
            groups[native].append(number)
    if not without:
        return groups
    return {native: sorted({*group, *without}) for native, group in (groups or {"": []}).items()}


def _similar_pairs(forms: list[str]) -> list[tuple[str, str]]:
    """Pairs of forms that agree loosely, looked for only among forms that share an anchor and an initial."""
    if len(forms) < 2:
        return []
    buckets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for form in forms:
        for bucket in _buckets(form):
            buckets[bucket].append(form)
    pairs = {
        (left, right)
        for found in buckets.values()
        for left, right in combinations(sorted(found), 2)
        if forms_agree(left, right) is Agreement.LOOSE
    }
    return sorted(pairs)


def _buckets(form: str) -> set[tuple[str, str]]:
    if form[0] == PINYIN:
        return set()
    if "|" in form:
        return {(anchors(form)[0], "")}
    return {(anchor, word[0]) for anchor in anchors(form) for word in form.split(" ") if word != anchor}


def _weight(atoms: Sequence[_Atom], contact: str, found: Sequence[int], agreement: Agreement) -> float:
    verified = any(contact in atoms[number].features[VERIFIED] for number in found)
    evidence = contact_rule(contact, verified, agreement)
    return evidence.weight if evidence else 0.0


def _merge_similar(partition: Partition, link: _Link) -> None:
    for one in partition.distinct(link.atoms):
        for other in partition.distinct(link.others):
            left, right = partition.cluster_of(one.rank), partition.cluster_of(other.rank)
            if left is not right and _all_agree(left, right) and not partition.in_conflict(left, right):
                partition.merge(left, right)


def _all_agree(left: Cluster, right: Cluster) -> bool:
    if left.natives and right.natives and left.natives.isdisjoint(right.natives):
        return False
    return all(forms_agree(a, b) is not Agreement.DIFFERENT for a in left.forms for b in right.forms)


def _nameless_links(atoms: Sequence[_Atom], numbers: Sequence[int]) -> dict[str, list[int]]:
    """Contacts that prove identity by themselves and are held by a nameless record and another one → their
    holders.
    """
    holders: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        for contact in atoms[number].features[BARE]:
            holders[contact].append(number)
    return {
        contact: found
        for contact, found in holders.items()
        if len(found) > 1 and any(not atoms[number].features[FORMS] for number in found)
    }


def _merge_nameless(partition: Partition, found: Sequence[int]) -> None:
    """Nameless holders of a mailbox are one; they join its named owner if there is exactly one that nothing forbids."""
    partition.merge_all([c for c in partition.distinct(found) if not c.forms])
    for nameless in [c for c in partition.distinct(found) if not c.forms]:
        owners = [c for c in partition.distinct(found) if c.forms and not partition.in_conflict(c, nameless)]
        if len(owners) == 1:
            partition.merge(owners[0], nameless)
