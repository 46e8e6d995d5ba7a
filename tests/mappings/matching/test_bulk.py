"""Pairs and weights in bulk: the same as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.matching.bulk import BulkScorer
from mappings.matching.calibrate import calibrate
from mappings.matching.columns import organisation_values, person_values
from mappings.matching.model import Kind
from mappings.matching.pairing import shared_key_pairs
from mappings.matching.probabilistic import default_model
from mappings.matching.score import Scorer

KEYS = st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=4, unique=True), max_size=20)


@given(KEYS)
def test_pairs_are_those_with_a_key_in_common_once_and_sorted(keys: list[list[int]]) -> None:
    expected = [[a, b] for a, b in combinations(range(len(keys)), 2) if set(keys[a]) & set(keys[b])]
    assert shared_key_pairs(keys).tolist() == expected


def test_no_keys_make_no_pairs() -> None:
    assert shared_key_pairs([]).shape == (0, 2)
    assert shared_key_pairs([[], [1]]).shape == (0, 2)


NAMES = st.sampled_from(["Zhang Wei", "张伟", "Anna Müller", "Ana Muller", "Li", "", "José", "\ud800x"])
EMAILS = st.sampled_from(["a@x.com", "b@x.com", "a@y.org", "info@x.com"])
PHONES = st.sampled_from(["+4930123456", "+4930123457", "+861066667777"])


@st.composite
def customers(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(NAMES)
    return {
        "name": name,
        "family_name": name.partition(" ")[2] or name,
        "given_name": name.partition(" ")[0],
        "birth_date": draw(st.sampled_from(["1990-01-02", "1990-02-01", "1990-01-03", "1971-12-31"])),
        "emails": [{"value": value} for value in draw(st.lists(EMAILS, max_size=2))],
        "phones": [{"value": value} for value in draw(st.lists(PHONES, max_size=2))],
        "addresses": [{"city": draw(st.sampled_from(["Berlin", "深圳市", "Shenzhen"])), "street": "Main St 1"}],
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["person", "organisation"])
@settings(max_examples=25, deadline=None)
@given(found=st.lists(customers(), min_size=2, max_size=12))
def test_bulk_weights_are_the_scorers(kind: Kind, found: Sequence[dict[str, Any]]) -> None:
    values = person_values if kind == "person" else organisation_values
    records = [values(customer) for customer in found]
    model = calibrate(default_model(kind), records * 20)
    left, right = np.triu_indices(len(records), 1)
    weights = BulkScorer(model, records).weights(model, left, right)
    scorer = Scorer(model)
    expected = [scorer.weight(records[a], records[b]) for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    found=st.lists(customers(), min_size=2, max_size=12),
    related=st.sampled_from([0.0, 1e-6, 0.02]),
    sites=st.sampled_from([0.0, 1e-6, 0.02]),
)
def test_what_sites_take_off_is_the_same_in_bulk_and_never_adds(
    found: Sequence[dict[str, Any]], related: float, sites: float
) -> None:
    records = [organisation_values(customer) for customer in found]
    model = replace(default_model("organisation"), related=related, sites=sites)
    left, right = np.triu_indices(len(records), 1)
    weights = BulkScorer(model, records).weights(model, left, right)
    scorer, without = Scorer(model), Scorer(replace(model, sites=0.0))
    pairs = [(records[a], records[b]) for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(weights, [scorer.weight(*pair) for pair in pairs], rtol=0, atol=1e-9)
    assert all(scorer.weight(*pair) <= without.weight(*pair) for pair in pairs)
    for pair in pairs[:3]:
        told = scorer.prior + sum(step.weight + step.adjustment for step in scorer.waterfall(*pair))
        assert told == pytest.approx(scorer.weight(*pair), abs=1e-9)
