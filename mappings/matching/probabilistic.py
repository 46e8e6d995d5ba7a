"""Matching by probability: Fellegi–Sunter weights, adaptive blocking, average-link clusters, under vetoes
and decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from xxhash import xxh3_64_hexdigest

from mappings.contract import Canonical, Decision, Evidence, Features, Member, seniority
from mappings.matching.blocking import block_keys
from mappings.matching.calibrate import without_contacts
from mappings.matching.cluster import average_link, clipped, weight_matrix
from mappings.matching.columns import organisation_values, person_values
from mappings.matching.defaults import COLUMNS, default_settings
from mappings.matching.evidence import (
    DIFFERENT_TAXPAYERS,
    taxpayers_differ,
)
from mappings.matching.model import Kind, MatchModel, compile_model
from mappings.matching.score import Scorer
from mappings.normalise.identifiers import tax_authority

KEEP_FROM = -1.0
"""Pairs of a lower weight leave no evidence: they neither connect a component nor interest a steward."""
LARGE = 400
"""Components of more distinct records are cut at higher weights first, until the pieces are small enough."""
KIND, TAX, VALUES = 0, 1, 2


class FellegiSunterMatcher:
    """The probabilistic matcher behind ``mappings.contract.Matcher``: one frozen model for persons, one for
    organisations.

    Features are (kind, tax numbers, *values of the model's columns).
    """

    def __init__(self, person: MatchModel | None = None, organisation: MatchModel | None = None) -> None:
        self._models: dict[str, MatchModel] = {
            "p": person or default_model("person"),
            "o": organisation or default_model("organisation"),
        }
        self._scorers = {kind: Scorer(model) for kind, model in self._models.items()}
        content = orjson.dumps([m.to_json() for m in self._models.values()], option=orjson.OPT_SORT_KEYS)
        self.version = f"fs-1-{xxh3_64_hexdigest(content)}"

    def features(self, customer: Canonical) -> Features:
        """The model's columns of one customer, without contacts known to be shared."""
        kind = "p" if customer["kind"] == "person" else "o"
        values = person_values(customer) if kind == "p" else organisation_values(customer)
        model = self._models[kind]
        return (kind, _tax_numbers(customer), *without_contacts(model, values, model.shared))

    def keys(self, features: Features) -> list[int]:
        """The blocking keys under the model's frozen list of blocks that are too large."""
        model = self._models[features[KIND]]
        return block_keys(model.kind, features[VALUES:], model.oversized, model.words)

    def compare(self, left: Features, right: Features) -> Evidence | None:
        """The pair's weight, a veto, or None below ``KEEP_FROM``. Symmetric."""
        if left[KIND] != right[KIND]:
            return None
        weight = self._weight(left, right)
        if weight < KEEP_FROM:
            return None
        return self._veto(left, right) or Evidence(weight, "probability")

    def explain(self, left: Features, right: Features) -> dict[str, Any]:
        """The waterfall: prior, every comparison's level with its weight and adjustment, the total, and a
        veto.
        """
        scorer, veto = self._scorers[left[KIND]], self._veto(left, right)
        steps = scorer.waterfall(left[VALUES:], right[VALUES:]) if left[KIND] == right[KIND] else []
        return {
            "same_kind": left[KIND] == right[KIND],
            "prior": scorer.prior,
            "steps": [step._asdict() for step in steps],
            "weight": scorer.prior + sum(step.weight + step.adjustment for step in steps),
            "veto": veto.rule if veto else None,
        }

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        """Average link over all pairs of the component; decisions and vetoes hold between all members of a
        customer.
        """
        return _Component(self, members, decisions).customers()

    def pair_weight(self, left: Features, right: Features) -> float:
        """The weight that clustering uses: −∞ for what can never be one customer."""
        if left[KIND] != right[KIND] or self._veto(left, right) is not None:
            return -np.inf
        return self._weight(left, right)

    def _weight(self, left: Features, right: Features) -> float:
        return self._scorers[left[KIND]].weight(left[VALUES:], right[VALUES:])

    def _veto(self, left: Features, right: Features) -> Evidence | None:
        if left[TAX] and right[TAX] and taxpayers_differ(left[TAX], right[TAX]):
            return DIFFERENT_TAXPAYERS
        return None


def default_model(kind: Kind) -> MatchModel:
    """The shipped model, not yet calibrated."""
    return compile_model(kind, COLUMNS[kind], default_settings(kind))


def _tax_numbers(customer: Canonical) -> list[str]:
    found = []
    for identifier in customer.get("identifiers", ()):
        if identifier.get("valid") and (authority := tax_authority(identifier["scheme"], identifier["value"])):
            found.append(f"{authority}={identifier['value']}")
    return sorted(found)


class _Component:
    """One call of ``cluster``: equal records share an index, numbered by seniority."""

    def __init__(self, matcher: FellegiSunterMatcher, members: Sequence[Member], decisions: Sequence[Decision]) -> None:
        self._matcher = matcher
        decided = {key for d in decisions for key in (d.left, d.right)}
        self._atoms: list[list[Member]] = []
        known: dict[bytes, list[Member]] = {}
        for member in sorted(members, key=lambda m: seniority(m.key)):
            content = orjson.dumps(member.features)
            if content in known and member.key not in decided:
                known[content].append(member)
                continue
            self._atoms.append([member])
            if member.key not in decided and matcher.pair_weight(member.features, member.features) >= KEEP_FROM:
                known[content] = self._atoms[-1]
        number = {atom[0].key: i for i, atom in enumerate(self._atoms)}
        pairs = [(number[d.left], number[d.right], d.same) for d in decisions if {d.left, d.right} <= number.keys()]
        self._joined = {(min(a, b), max(a, b)) for a, b, same in pairs if same and a != b}
        self._apart = {(min(a, b), max(a, b)) for a, b, same in pairs if not same}
        self._known: dict[tuple[int, int], float] = {}

    def customers(self) -> list[list[int]]:
        """Groups of ``Member.id``, by seniority."""
        groups = []
        for piece in self._pieces(list(range(len(self._atoms))), KEEP_FROM):
            groups += self._linked(piece)
        ranked = sorted(sorted(group) for group in groups)
        found = [[m for atom in group for m in self._atoms[atom]] for group in ranked]
        ordered = [sorted(group, key=lambda m: seniority(m.key)) for group in found]
        return [[m.id for m in group] for group in sorted(ordered, key=lambda g: seniority(g[0].key))]

    def _linked(self, piece: list[int]) -> list[list[int]]:
        if len(piece) == 1:
            return [piece]
        at = {atom: place for place, atom in enumerate(piece)}
        matrix = weight_matrix(len(piece), lambda a, b: self._weight(piece[a], piece[b]))
        joined = [(at[a], at[b]) for a, b in self._joined if a in at and b in at]
        for a, b in joined:
            if (piece[a], piece[b]) not in self._apart:
                matrix[a, b] = matrix[b, a] = max(matrix[a, b], clipped(0.0))
        sizes = [len(self._atoms[atom]) for atom in piece]
        return [[piece[place] for place in group] for group in average_link(matrix, sizes, joined)]

    def _weight(self, left: int, right: int) -> float:
        pair = (min(left, right), max(left, right))
        if pair in self._apart:
            return -np.inf
        if pair not in self._known:
            one, other = self._atoms[pair[0]][0], self._atoms[pair[1]][0]
            self._known[pair] = self._matcher.pair_weight(one.features, other.features)
        return self._known[pair]

    def _pieces(self, atoms: list[int], threshold: float) -> list[list[int]]:
        """The atoms as they are if they are few, else their components at ever higher weights of blocked
        pairs.
        """
        if len(atoms) <= LARGE:
            return [atoms]
        pieces = self._components(atoms, threshold)
        return [
            small for piece in pieces for small in (self._pieces(piece, threshold + 2) if threshold < 40 else [piece])
        ]

    def _components(self, atoms: list[int], threshold: float) -> list[list[int]]:
        parent = {atom: atom for atom in atoms}

        def root(atom: int) -> int:
            while parent[atom] != atom:
                parent[atom] = parent[parent[atom]]
                atom = parent[atom]
            return atom

        pairs = [p for p in self._blocked(atoms) if self._weight(*p) >= threshold]
        pairs += [p for p in self._joined if p[0] in parent and p[1] in parent]
        for left, right in pairs:
            parent[root(left)] = root(right)
        found: dict[int, list[int]] = {}
        for atom in atoms:
            found.setdefault(root(atom), []).append(atom)
        return list(found.values())

    def _blocked(self, atoms: list[int]) -> set[tuple[int, int]]:
        blocks: dict[int, list[int]] = {}
        for atom in atoms:
            for key in self._matcher.keys(self._atoms[atom][0].features):
                blocks.setdefault(key, []).append(atom)
        return {(a, b) for members in blocks.values() for i, a in enumerate(members) for b in members[i + 1 :]}
