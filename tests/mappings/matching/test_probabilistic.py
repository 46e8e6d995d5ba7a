"""The probabilistic matcher, part by part: conditions, models, blocking, clustering, calibration, relatives."""

from __future__ import annotations

import copy
import json
import random
import time
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from mappings.contract import Decision, Member
from mappings.errors import SpecError
from mappings.matching.blocking import block_keys, chains, oversized_keys, soundex
from mappings.matching.calibrate import calibrate, shared_contacts, term_frequencies
from mappings.matching.cluster import average_link, weight_matrix
from mappings.matching.columns import ORGANISATION_COLUMNS, PERSON_COLUMNS, organisation_values, person_values
from mappings.matching.model import compile_model, read_model
from mappings.matching.probabilistic import VALUES, FellegiSunterMatcher, default_model
from mappings.matching.sql import compile_condition
from mappings.normalise.vocabulary import words

COLUMNS = {"a": 0, "b": 1}
PLAIN = FellegiSunterMatcher()


def holds(condition: str, left: tuple[Any, ...], right: tuple[Any, ...]) -> Any:
    return compile_condition(condition, COLUMNS)(left, right)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('"a_l" = "a_r"', False),
        ('a_l = a_r OR "b_l" = "b_r"', True),
        ("\"b_l\" = 'it''s'", True),
        ('NOT ("a_l" = "a_r") AND length("b_l") >= 4', True),
        ('"a_l" IS NULL', False),
        ("NULL = 1 OR 1 = 1", True),
        ("NULL = 1 AND 1 = 1", None),
        ("NULL = 1 AND 1 = 2", False),
        ("NOT (NULL = 1)", None),
        ("abs(2 - 5) <= 3 AND -1 < 0.5", True),
        ("coalesce(NULL, 'x') = 'x' AND nullif('x', 'x') IS NULL", True),
        ("substr('abcdef', 2, 3) = 'bcd' AND 'a' || 'b' = 'ab'", True),
    ],
)
def test_conditions_follow_sql_with_its_three_values(condition: str, expected: Any) -> None:
    assert holds(condition, ("x", "it's"), ("y", "it's")) is expected


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ('"c_l" = "c_r"', "unknown column c_l"),
        ('"a" = "a_r"', "unknown column a"),
        ('"a_l" = ', "ends too early"),
        ('"a_l" = "a_r")', "unexpected )"),
        ("(1 = 1", "lacks )"),
        ("load_file('x') = 1", "function load_file"),
        ("a_l ; drop", "cannot be read at"),
        ("(" * 99 + "1=1" + ")" * 99, "nested too deep"),
        ("1=1 OR " * 1_000 + "1=1", "cannot be read at"),
    ],
)
def test_a_condition_outside_the_grammar_is_refused_with_its_place(condition: str, place: str) -> None:
    with pytest.raises(SpecError, match=place.replace("(", r"\(").replace(")", r"\)")):
        compile_condition(condition, COLUMNS)


def broken(path: list[Any], value: Any) -> dict[str, Any]:
    data: Any = json.loads(json.dumps(default_model("person").to_json()))
    at = data
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return data  # type: ignore[no-any-return]


LEVEL = ["splink", "comparisons", 0, "comparison_levels", 1]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["kind"], "dog", "kind: expected person or organisation, found dog"),
        (["columns"], [], "columns"),
        (["splink"], None, "splink"),
        (["splink", "sql_dialect"], "spark", "splink.sql_dialect"),
        (["splink", "probability_two_random_records_match"], 1.5, "probability_two_random_records_match"),
        (["splink", "comparisons"], [], "at least one comparison"),
        (
            [*LEVEL, "sql_condition"],
            '"x_l" = "x_r"',
            r"comparisons\[0\].comparison_levels\[1\].sql_condition: .*unknown column x_l",
        ),
        ([*LEVEL, "m_probability"], None, "m_probability"),
        ([*LEVEL, "u_probability"], 0, "u_probability"),
        ([*LEVEL, "tf_adjustment_column"], "x", "tf_adjustment_column"),
        (["splink", "comparisons", 0, "comparison_levels"], [], "at least two levels"),
    ],
)
def test_a_wrong_model_is_refused_with_the_place_and_what_is_expected(
    path: list[Any], value: Any, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        read_model(broken(path, value))


def test_a_model_read_back_is_the_same_model() -> None:
    model = default_model("organisation")
    again = read_model(json.loads(json.dumps(model.to_json())))
    assert again.to_json() == model.to_json()
    assert FellegiSunterMatcher(organisation=again).version == PLAIN.version


def person(
    given: str = "", family: str = "", birth: str = "", email: str = "", phone: str = "", **more: Any
) -> dict[str, Any]:
    customer: dict[str, Any] = {
        "kind": "person",
        "given_name": given,
        "family_name": family,
        "birth_date": birth,
        **more,
    }
    customer["emails"] = [{"value": email}] if email else []
    customer["phones"] = [{"value": phone}] if phone else []
    return {name: value for name, value in customer.items() if value}


def test_chinese_and_latin_names_share_the_latin_columns() -> None:
    han, latin = (
        dict(zip(PERSON_COLUMNS, person_values(p), strict=True)) for p in (person("伟", "张"), person("Wei", "Zhang"))
    )
    assert (han["given"], han["given_latin"], han["family_latin"]) == ("伟", "wei", "zhang")
    assert (latin["given"], latin["given_latin"], latin["family_latin"]) == ("wei", "wei", "zhang")


def test_a_record_without_anything_has_no_values_and_no_keys() -> None:
    empty = {"kind": "organisation", "name": "N/A"}
    assert set(organisation_values(empty)) == {None}
    features = PLAIN.features(empty)
    assert PLAIN.keys(features) == []
    assert PLAIN.compare(features, features) is None


def test_organisation_columns_leave_the_legal_form_out() -> None:
    values = organisation_values(
        {"kind": "organisation", "name": "Acme Trading GmbH", "emails": [{"value": "jo@acme.de"}]}
    )
    found = dict(zip(ORGANISATION_COLUMNS, values, strict=True))
    assert (found["name"], found["words"], found["domain"]) == ("acme trading", ["acme", "trading"], "acme.de")


@pytest.mark.parametrize(
    ("word", "code"), [("robert", "r163"), ("rupert", "r163"), ("ashcraft", "a261"), ("tymczak", "t522"), ("", "")]
)
def test_soundex(word: str, code: str) -> None:
    assert soundex(word) == code


def test_a_block_that_is_too_large_is_refined_and_at_last_left() -> None:
    records = [person_values(person(f"g{i}", "smith")) for i in range(5)]
    coarse = block_keys("person", records[0], frozenset(), {})
    oversized = oversized_keys("person", records, {}, cap=3)
    fine = block_keys("person", records[0], oversized, {})
    assert oversized
    assert set(coarse) & oversized
    assert not set(fine) & oversized
    everything = oversized_keys("person", records, {}, cap=0)
    assert block_keys("person", records[0], everything, {}) == []


def test_every_variant_of_a_chain_adds_to_the_one_before() -> None:
    values = person_values(person("anna", "smith", "1980-04-03", "a@x.cn", "+447700900123"))
    for chain in chains("person", values, {}):
        assert all(finer[1:].startswith(coarser[1:]) for coarser, finer in pairwise(chain))


def test_average_link_does_not_chain_strangers_through_one_record() -> None:
    weights = {(0, 1): 5.0, (1, 2): 4.0, (0, 2): -9.0}
    assert average_link(weight_matrix(3, lambda a, b: weights[a, b]), [1, 1, 1]) == [[0, 1, 2]]  # clipped to -3
    weights[0, 2] = -np.inf
    assert average_link(weight_matrix(3, lambda a, b: weights[a, b]), [1, 1, 1]) == [[0, 1], [2]]


def test_average_link_counts_equal_records_by_their_number() -> None:
    weights = {(0, 1): 5.0, (1, 2): 4.0, (0, 2): -3.0}
    matrix = weight_matrix(3, lambda a, b: weights[a, b])
    assert average_link(matrix, [1, 1, 1]) == [[0, 1, 2]]
    assert average_link(matrix, [30, 1, 1]) == [[0, 1], [2]]


def test_average_link_equals_the_textbook_on_random_weights() -> None:
    chance = random.Random(4)
    for _ in range(50):
        count = chance.randint(2, 9)
        weights = {pair: chance.uniform(-3, 6) for pair in combinations(range(count), 2)}
        found = average_link(weight_matrix(count, lambda a, b, w=weights: w[a, b]), [1] * count)  # type: ignore[misc]
        assert found == textbook(count, weights)


def textbook(count: int, weights: dict[tuple[int, int], float]) -> list[list[int]]:
    groups = [[i] for i in range(count)]
    while len(groups) > 1:
        means = {}
        for one, other in combinations(groups, 2):
            pairs = [weights[min(a, b), max(a, b)] for a in one for b in other]
            means[tuple(one), tuple(other)] = sum(pairs) / len(pairs)
        best = max(means, key=lambda pair: means[pair])
        if means[best] < -1:
            break
        groups = [g for g in groups if tuple(g) not in best] + [sorted(best[0] + best[1])]
    return sorted(groups)


GIVEN = sorted(
    words("james mary robert patricia john jennifer michael linda david elizabeth susan karen daniel nancy peter anna")
)
FAMILIES = [
    f"{a}{b}"
    for a in ("smi", "gar", "bau", "lop", "kow", "tan", "mor", "hay")
    for b in ("th", "cia", "er", "ez", "ski", "go")
]


def families(count: int, seed: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Families with one surname, address, phone and mailbox; each member in one to three systems."""
    chance = random.Random(seed)
    found: list[dict[str, Any]] = []
    owners: list[str] = []
    for number in range(count):
        family, phone = chance.choice(FAMILIES), f"+4477009{chance.randint(10_000, 99_999)}"
        home = {
            "street": f"{chance.randint(1, 300)} {chance.choice(FAMILIES)} road",
            "city": "london",
            "postcode": f"n{number}",
        }
        for member, given in enumerate(chance.sample(GIVEN, chance.choice([1, 2, 3, 4]))):
            birth = f"{chance.randint(1940, 2010)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
            for _ in range(chance.choice([1, 2, 3])):
                known = birth if chance.random() < 0.8 else ""
                found.append(person(given, family, known, f"{family}{number}@home.com", phone, addresses=[home]))
                owners.append(f"{number}-{member}")
    return found, owners


def fitted(customers: list[dict[str, Any]]) -> FellegiSunterMatcher:
    return FellegiSunterMatcher(calibrate(default_model("person"), [PLAIN.features(c)[VALUES:] for c in customers]))


@pytest.fixture(scope="module")
def town() -> tuple[list[dict[str, Any]], list[str], FellegiSunterMatcher]:
    """Ninety families, and a matcher fitted to them."""
    customers, owners = families(90, seed=3)
    return customers, owners, fitted(customers)


def test_members_of_one_household_stay_several_persons(town: Any) -> None:
    customers, owners, matcher = town
    features = [matcher.features(c) for c in customers]
    wrong = right = 0
    for a, b in combinations(range(len(customers)), 2):
        if owners[a].split("-")[0] != owners[b].split("-")[0]:
            continue
        evidence = matcher.compare(features[a], features[b])
        merged = evidence is not None and evidence.weight > 0
        wrong += merged != (owners[a] == owners[b])
        right += merged == (owners[a] == owners[b])
    assert wrong / (wrong + right) < 0.02


def at_home(given: str, born: str, **other: Any) -> dict[str, Any]:
    home = {"street": "7 elm road", "city": "london", "postcode": "n7"}
    return person(given, "Okonkwo", born, addresses=[home], **other)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (at_home("Grace", "1984-05-06"), at_home("Dennis", "1984-05-06")),
        (at_home("Grace", "1984-05-06"), at_home("Grace", "1956-11-23")),
    ],
    ids=["twins", "namesakes"],
)
def test_twins_and_namesakes_of_a_household_are_left_to_stewards(town: Any, left: Any, right: Any) -> None:
    matcher = town[2]
    sides = matcher.features(left), matcher.features(right)
    assert matcher.pair_weight(*sides) < 2
    assert matcher.pair_weight(sides[0], sides[0]) > 2
    before = FellegiSunterMatcher(replace(matcher.models["person"], alike=0.0))
    assert before.pair_weight(*sides) > matcher.pair_weight(*sides) + 0.2


def test_a_model_from_before_namesakes_were_known_weighs_as_it_did(town: Any) -> None:
    model = town[2].models["person"]
    told = model.to_json()
    assert read_model(told).alike == model.alike > 0
    del told["alike"]
    assert read_model(told).alike == 0.0


def test_calibration_finds_the_share_of_matches_and_of_relatives(town: Any) -> None:
    _, owners, matcher = town
    model = matcher._models["p"]
    pairs = list(combinations(range(len(owners)), 2))
    same = sum(owners[a] == owners[b] for a, b in pairs) / len(pairs)
    related = sum(owners[a].split("-")[0] == owners[b].split("-")[0] for a, b in pairs) / len(pairs) - same
    assert model.settings["probability_two_random_records_match"] == pytest.approx(same, rel=0.25)
    assert model.related == pytest.approx(related, rel=0.25)


def test_a_switchboard_of_many_people_stops_counting() -> None:
    staff = [person(given, family, phone="+442079460000") for given, family in zip(GIVEN, FAMILIES, strict=False)]
    model = default_model("person")
    assert shared_contacts(model, [person_values(p) for p in staff]) == {"79460000"}
    matcher = fitted(staff)
    assert matcher.features(staff[0])[VALUES + PERSON_COLUMNS.index("phone")] is None


def test_frequencies_do_not_count_a_customers_own_copies() -> None:
    model = default_model("person")
    records = [person_values(person("anna", "smith"))] * 4 + [
        person_values(person(f"g{i}", "jones")) for i in range(96)
    ]
    assert term_frequencies(model, records)["given"]["anna"] == 0.04
    assert term_frequencies(model, records, lam=0.04)["given"]["anna"] == pytest.approx((4 - 0.78 * 4) / 100, abs=0.01)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_calibrating_with_hardly_any_records_is_harmless(count: int) -> None:
    customers = [person("anna", "smith", "1980-04-03")] * count
    matcher = fitted(customers)
    feature = matcher.features(person("anna", "smith", "1980-04-03"))
    assert matcher.compare(feature, feature) is not None


def test_a_steward_overrules_a_veto_also_through_a_third_record() -> None:
    def company(tax: str) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": "organisation", "name": "Acme Trading", "emails": [{"value": "jo@acme.de"}]}
        return {**found, "identifiers": [{"scheme": "cn.uscc", "value": tax, "valid": True}]} if tax else found

    customers = [company("91440300708461136T"), company(""), company("91110000802100433B")]
    members = [Member(i, (1, 1, str(i), ""), PLAIN.features(c)) for i, c in enumerate(customers)]
    joined = [Decision(members[a].key, members[b].key, True) for a, b in ((0, 1), (1, 2))]
    assert sorted(map(len, PLAIN.cluster(members, []))) == [1, 2]
    assert PLAIN.cluster(members, joined) == [[0, 1, 2]]


def test_the_explanation_is_a_waterfall() -> None:
    left, right = (PLAIN.features(person("anna", f, "1980-04-03", "a@x.cn")) for f in ("smith", "smyth"))
    explained = PLAIN.explain(left, right)
    assert explained["weight"] == pytest.approx(
        explained["prior"] + sum(s["weight"] + s["adjustment"] for s in explained["steps"])
    )
    assert [s["comparison"] for s in explained["steps"]][:4] == ["given", "family", "birth", "email"]


def equal(count: int) -> list[dict[str, Any]]:
    return [person("anna", "smith", "1980-04-03", "a@x.cn")] * count


def nearly_equal(count: int) -> list[dict[str, Any]]:
    return [person("anna", "smith", "1980-04-03", "anna@firm.cn", phone=f"+4477{i:08}") for i in range(count)]


@pytest.mark.parametrize(("make", "count"), [(equal, 50_000), (nearly_equal, 1_500)])
def test_a_crowd_takes_near_linear_time(make: Any, count: int) -> None:
    members = [Member(i, (1, 1, str(i), ""), PLAIN.features(c)) for i, c in enumerate(make(count))]
    started = time.perf_counter()
    assert len(PLAIN.cluster(members, [])) == 1
    assert time.perf_counter() - started < 20


def test_compiling_does_not_change_the_settings_given() -> None:
    settings = default_model("person").settings
    before = copy.deepcopy(settings)
    compile_model("person", PERSON_COLUMNS, settings)
    assert settings == before
