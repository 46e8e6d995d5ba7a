"""Matching by probability: Fellegi–Sunter weights, adaptive blocking, average-link clusters, under vetoes
and decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from xxhash import xxh3_64_hexdigest

from mappings.contract import Canonical, Decision, Evidence, Features, Member
from mappings.matching.blocking import block_keys
from mappings.matching.calibrate import without_contacts
from mappings.matching.columns import organisation_values, person_values
from mappings.matching.component import Component
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
        return Component(members, decisions, self.pair_weight, self.keys).customers()

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
