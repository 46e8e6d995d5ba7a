"""Matching by probability: Fellegi–Sunter weights, adaptive blocking, average-link clusters, under vetoes
and decisions.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from xxhash import xxh3_64_hexdigest

from mappings.contract import Canonical, Decision, Evidence, Features, Member
from mappings.matching.blocking import chosen_keys, is_proof, proof_key, variant_of
from mappings.matching.bulk import BulkScorer
from mappings.matching.calibrate import without_contacts
from mappings.matching.cluster import MERGE_AT
from mappings.matching.columns import organisation_values, person_values
from mappings.matching.component import Component
from mappings.matching.defaults import ALIKE, COLUMNS, default_settings
from mappings.matching.evidence import (
    DIFFERENT_TAXPAYERS,
    taxpayers_differ,
)
from mappings.matching.model import Kind, MatchModel, compile_model
from mappings.matching.score import Scorer, Step
from mappings.normalise.identifiers import tax_authority

KEEP_FROM = -1.0
"""Pairs of a lower weight do not connect a component."""
PROOF = 20.0
"""What an official number that both have, valid by its check digit, weighs at least."""
_ROUNDING = 1e-6
KIND, TAX, IDS, VALUES = 0, 1, 2, 3


class FellegiSunterMatcher:
    """The probabilistic matcher behind ``mappings.contract.Matcher``: one frozen model for persons, one for
    organisations.

    Features are (kind, tax numbers, valid official numbers, *values of the model's columns). Groups merge from a mean
    weight of ``accept_from`` on; pairs from ``review_from`` on that stay apart are a steward's to decide.
    """

    def __init__(
        self,
        person: MatchModel | None = None,
        organisation: MatchModel | None = None,
        *,
        accept_from: float = MERGE_AT,
        review_from: float = KEEP_FROM,
    ) -> None:
        self.merge_at, self.review_from = accept_from, review_from
        self._without: frozenset[int] = frozenset()
        self._models: dict[str, MatchModel] = {
            "p": person or default_model("person"),
            "o": organisation or default_model("organisation"),
        }
        self._scorers = {kind: Scorer(model) for kind, model in self._models.items()}
        self._oversized = {kind: model.oversized for kind, model in self._models.items()}

    @cached_property
    def version(self) -> str:
        """The fingerprint of all that decides. Of a large model it takes a second, so it is made when asked for."""
        content = orjson.dumps([model.to_json() for model in self._models.values()], option=orjson.OPT_SORT_KEYS)
        return f"fs-2-{xxh3_64_hexdigest(content + orjson.dumps([self.merge_at, self.review_from]))}"

    def features(self, customer: Canonical) -> Features:
        """The model's columns of one customer, without contacts known to be shared."""
        kind = "p" if customer["kind"] == "person" else "o"
        values = person_values(customer) if kind == "p" else organisation_values(customer)
        model = self._models[kind]
        tax, ids = _official_numbers(customer)
        values = values[: len(model.columns)]  # what was learnt before a column was added does without it
        return (kind, tax, ids, *without_contacts(model, values, model.shared))

    def keys(self, features: Features) -> list[int]:
        """The blocking keys, without those of blocks that are too large; valid official numbers are proof keys.

        A record of which a question has no finer key left has its whole content as a proof key besides: of a crowd of
        equal records each meets another one.
        """
        letter = features[KIND]
        model = self._models[letter]
        keys, exhausted = chosen_keys(model.kind, features[VALUES:], self._oversized[letter], model.words)
        if features[IDS]:
            keys += [proof_key(model.kind, number) for number in features[IDS]]
        if exhausted:
            keys.append(proof_key(model.kind, repr([list(f) if isinstance(f, tuple) else f for f in features])))
        return keys

    def without_blocks(self, keys: frozenset[int]) -> FellegiSunterMatcher:
        """The same matcher that uses finer keys than these. Both share what they remember of comparisons."""
        made = copy.copy(self)
        made._without = keys
        made._oversized = {kind: model.oversized | keys for kind, model in self._models.items()}
        return made

    def is_proof(self, key: int) -> bool:
        """Whether records that share the key are one customer by that alone, but for a veto."""
        return is_proof(key)

    def block(self, features: Features, key: int) -> tuple[str, str]:
        """What a key of a record asks, and the value."""
        model = self._models[features[KIND]]
        for number in features[IDS]:
            if proof_key(model.kind, number) == key:
                return "number", str(number)
        return variant_of(model.kind, features[VALUES:], key, model.words) if not is_proof(key) else ("equal", "")

    @property
    def models(self) -> dict[Kind, MatchModel]:
        """The models by kind."""
        return {model.kind: model for model in self._models.values()}

    def compare(self, left: Features, right: Features) -> Evidence | None:
        """The pair's weight, a veto, or None below ``review_from``. Symmetric."""
        if left[KIND] != right[KIND]:
            return None
        proven = _share(left[IDS], right[IDS])
        if proven:
            weight: float | None = self._weight(left, right)
        else:
            weight = self._scorers[left[KIND]].weight_from(left[VALUES:], right[VALUES:], self.review_from)
        return None if weight is None else self.judged(left, right, weight)

    def judged(self, left: Features, right: Features, weight: float) -> Evidence | None:
        """What ``compare`` says of two records of one kind whose weight under the model is known from elsewhere."""
        proven = _share(left[IDS], right[IDS])
        if not proven and weight < self.review_from:
            return None
        veto = self._veto(left, right)
        if veto is not None:
            return veto
        return Evidence(max(weight, PROOF), "identifier") if proven else Evidence(weight, "probability")

    def promising(self, sides: Sequence[Features], left: Sequence[int], right: Sequence[int]) -> list[bool]:
        """For pairs of sides, by number: whether ``compare`` may find evidence. Cheap only for many at once."""
        one, other = np.array(left, dtype=np.int64), np.array(right, dtype=np.int64)
        kinds, hopeful = np.array([side[KIND] for side in sides]), np.zeros(len(one), dtype=bool)
        for letter, model in self._models.items():
            at = np.flatnonzero((kinds[one] == letter) & (kinds[other] == letter))
            if len(at):
                members = np.flatnonzero(kinds == letter)
                place = np.searchsorted(members, np.arange(len(sides)))
                scorer = BulkScorer(model, [sides[number][VALUES:] for number in members.tolist()])
                weights = scorer.weights(model, place[one[at]], place[other[at]])
                hopeful[at] = weights >= self.review_from - _ROUNDING
        proven = [bool(_share(sides[a][IDS], sides[b][IDS])) for a, b in zip(left, right, strict=True)]
        found: list[bool] = (hopeful | np.array(proven, dtype=bool)).tolist()
        return found

    def explain(self, left: Features, right: Features) -> dict[str, Any]:
        """The waterfall: prior, every comparison's level with its weight and adjustment, the total, and a
        veto.
        """
        scorer, veto = self._scorers[left[KIND]], self._veto(left, right)
        same_kind = left[KIND] == right[KIND]
        steps = scorer.waterfall(left[VALUES:], right[VALUES:]) if same_kind else []
        weight = scorer.prior + sum(step.weight + step.adjustment for step in steps)
        if same_kind and _share(left[IDS], right[IDS]):
            steps.append(Step("proof", "the same valid official number", max(PROOF - weight, 0.0), 0.0))
        return {
            "same_kind": same_kind,
            "prior": scorer.prior,
            "steps": [step._asdict() for step in steps],
            "weight": scorer.prior + sum(step.weight + step.adjustment for step in steps),
            "veto": veto.rule if veto else None,
        }

    def cluster(self, members: Sequence[Member], decisions: Sequence[Decision]) -> list[list[int]]:
        """Average link over all pairs of the component; decisions and vetoes hold between all members of a
        customer.
        """
        return Component(
            members, decisions, self.pair_weight, self.keys, merge_at=self.merge_at, proofs=lambda f: f[IDS]
        ).customers()

    def pair_weight(self, left: Features, right: Features) -> float:
        """The weight that clustering uses: −∞ for what can never be one customer."""
        if left[KIND] != right[KIND] or self._veto(left, right) is not None:
            return -np.inf
        weight = self._weight(left, right)
        return max(weight, PROOF) if _share(left[IDS], right[IDS]) else weight

    def _weight(self, left: Features, right: Features) -> float:
        return self._scorers[left[KIND]].weight(left[VALUES:], right[VALUES:])

    def _veto(self, left: Features, right: Features) -> Evidence | None:
        if left[TAX] and right[TAX] and taxpayers_differ(left[TAX], right[TAX]):
            return DIFFERENT_TAXPAYERS
        return None


def default_model(kind: Kind) -> MatchModel:
    """The shipped model, not yet calibrated."""
    return replace(compile_model(kind, COLUMNS[kind], default_settings(kind)), alike=ALIKE)


def _share(left: Sequence[str], right: Sequence[str]) -> bool:
    return bool(left and right) and not set(left).isdisjoint(right)


def _official_numbers(customer: Canonical) -> tuple[list[str], list[str]]:
    """Tax numbers by authority, and all valid numbers by scheme."""
    tax, ids = [], []
    for identifier in customer.get("identifiers", ()):
        if identifier.get("valid"):
            ids.append(f"{identifier['scheme']}={identifier['value']}")
            if authority := tax_authority(identifier["scheme"], identifier["value"]):
                tax.append(f"{authority}={identifier['value']}")
    return sorted(tax), sorted(set(ids))
