"""Both matchers survive whatever a canonical customer can hold, and stay symmetric about it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.contract import Member
from mappings.matching.probabilistic import FellegiSunterMatcher
from mappings.matching.rules import RuleMatcher

MATCHERS = [RuleMatcher(), FellegiSunterMatcher()]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.sampled_from(
    ["|", "~", "=", "a|b|c", "张|伟", "~wei"]
)


@st.composite
def customers(draw: st.DrawFn) -> dict[str, Any]:
    optional = {
        name: TEXT
        for name in ("name", "legal_name", "trading_name", "native_name", "latin_name", "given_name", "family_name")
    }
    optional |= {
        "birth_date": st.dates().map(str),
        "emails": st.lists(st.fixed_dictionaries({"value": TEXT}), min_size=1, max_size=2),
        "phones": st.lists(
            st.fixed_dictionaries({"value": TEXT}, optional={"extension": TEXT}), min_size=1, max_size=2
        ),
        "identifiers": st.lists(
            st.fixed_dictionaries(
                {"scheme": st.sampled_from(["cn.uscc", "eu.vat", "x.y"]), "value": TEXT},
                optional={"valid": st.booleans()},
            ),
            min_size=1,
            max_size=2,
        ),
        "addresses": st.lists(
            st.dictionaries(st.sampled_from(["street", "city", "postcode", "text"]), TEXT, min_size=1),
            min_size=1,
            max_size=2,
        ),
        "external_ids": st.dictionaries(TEXT, TEXT, min_size=1, max_size=2),
    }
    return {
        "kind": draw(st.sampled_from(["person", "organisation"])),
        **draw(st.fixed_dictionaries({}, optional=optional)),
    }


@pytest.mark.parametrize("matcher", MATCHERS, ids=["rules", "probability"])
@given(one=customers(), other=customers())
def test_any_customer_has_features_keys_evidence_and_a_group(
    matcher: Any, one: dict[str, Any], other: dict[str, Any]
) -> None:
    left, right = matcher.features(one), matcher.features(other)
    assert matcher.compare(left, right) == matcher.compare(right, left)
    assert matcher.keys(tuple(orjson.loads(orjson.dumps(left)))) == matcher.keys(left)
    assert len(set(matcher.keys(left))) == len(matcher.keys(left))
    matcher.explain(left, right)
    groups = matcher.cluster([Member(1, (1, 1, "1", ""), left), Member(2, (1, 1, "2", ""), right)], [])
    assert sorted(number for group in groups for number in group) == [1, 2]


@pytest.mark.parametrize("matcher", MATCHERS, ids=["rules", "probability"])
def test_a_huge_name_costs_little_and_proves_nothing(matcher: Any) -> None:
    huge = matcher.features({"kind": "organisation", "name": "张" * 1_000_000})
    assert matcher.keys(huge) == []
    assert matcher.compare(huge, huge) is None
