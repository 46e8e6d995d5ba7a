"""Relatives count more where families are many and whoever merges asks nobody; placeholders say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.matching.calibrate import with_settings
from mappings.matching.caution import MOST, with_caution
from mappings.matching.columns import PERSON_COLUMNS, person_values
from mappings.matching.evidence import BIRTH, features_of, veto
from mappings.matching.model import MatchModel
from mappings.matching.probabilistic import FellegiSunterMatcher, default_model
from mappings.matching.score import Scorer

HOME = {"addresses": [{"street": "1 High St", "postcode": "LS1 1AA", "city": "Leeds"}], "family_name": "Okonkwo"}


def model_of(matches: float, related: float) -> MatchModel:
    model = default_model("person")
    settings = {**model.settings, "probability_two_random_records_match": matches}
    return replace(with_settings(model, settings, model.term_frequencies), related=related)


@pytest.mark.parametrize(
    ("related", "times"), [(0.0, 1.0), (1e-6, 1.0), (1e-3 / 40, 1.0), (1e-3 / 20, 2.0), (1e-3 / 10, 3.0), (5e-3, 3.0)]
)
def test_relatives_count_up_to_three_times_where_they_are_many(related: float, times: float) -> None:
    assert with_caution(model_of(1e-3, related)).related == pytest.approx(related * times)


@given(matches=st.floats(1e-9, 0.3), related=st.floats(0, 0.4), more=st.floats(1, 3))
def test_caution_never_takes_off_less_and_keeps_the_order_of_shares(
    matches: float, related: float, more: float
) -> None:
    model = model_of(matches, related)
    found = with_caution(model).related
    assert related <= found <= min(related * MOST, 1.0) * (1 + 1e-9)
    assert with_caution(replace(model, related=min(related * more, 0.4))).related >= found * (1 - 1e-9)


def test_only_what_relatives_share_weighs_less() -> None:
    model = model_of(1e-3, 1e-3)
    before, after = Scorer(model), Scorer(with_caution(model))
    nameless, mother = (
        person_values({"kind": "person", **HOME, **more})
        for more in ({}, {"given_name": "Grace", "birth_date": "1984-05-06"})
    )
    moved = person_values({"kind": "person", "family_name": "Bell", "given_name": "Grace", "birth_date": "1984-05-06"})
    assert after.weight(nameless, mother) < before.weight(nameless, mother) - 1
    assert after.weight(moved, mother) == pytest.approx(before.weight(moved, mother), abs=0.1)


def test_the_zero_of_a_calendar_is_nobodys_birthday() -> None:
    ann = {"kind": "person", "given_name": "Ann", "family_name": "Lee", "birth_date": "1970-01-01"}
    assert person_values(ann)[PERSON_COLUMNS.index("birth")] is None
    assert person_values({**ann, "birth_date": "1970-01-02"})[PERSON_COLUMNS.index("birth")] == "1970-01-02"
    bob = {"kind": "person", "given_name": "Robert", "family_name": "Lee", "birth_date": "1988-05-05"}
    assert features_of(ann)[BIRTH] == ""
    assert veto(features_of(ann), features_of(bob)) is None
    assert veto(features_of({**ann, "birth_date": "1970-01-02"}), features_of(bob)) is not None


@pytest.mark.parametrize(
    ("postcode", "expected"), [("00000", None), ("999999", None), ("W1", "w1"), ("10115", "10115")]
)
def test_a_filler_is_no_postcode(postcode: str, expected: str | None) -> None:
    values = person_values({"kind": "person", "name": "Ann Lee", "addresses": [{"postcode": postcode}]})
    assert values[PERSON_COLUMNS.index("postcode")] == expected
    assert FellegiSunterMatcher().features({"kind": "person", "name": "Ann Lee"})
