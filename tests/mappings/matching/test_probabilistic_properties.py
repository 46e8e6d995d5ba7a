"""The probabilistic matcher keeps the matcher's promises for every set of records."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.contract import Decision, Features, Member, RecordKey, seniority
from mappings.matching.calibrate import calibrate
from mappings.matching.probabilistic import VALUES, FellegiSunterMatcher, default_model

GIVEN = ["john", "jon", "j", "maria", "mary", "伟", "Wei", ""]
FAMILY = ["smith", "smyth", "张", "Zhang", "garcia", ""]
COMPANIES = ["Acme GmbH", "Acme Trading Ltd", "ACME", "深圳市腾讯计算机系统有限公司", "Tengxun", "Bauer AG"]
EMAILS = ["a1@firm.cn", "a2@firm.cn", "john@gmail.com", "noemail@x.cn"]
TAX = ["91440300708461136T", "91110000802100433B"]


@st.composite
def customers(draw: st.DrawFn) -> dict[str, Any]:
    person = draw(st.integers(0, 3)) > 0
    customer: dict[str, Any] = {"kind": "person" if person else "organisation"}
    if person:
        customer |= {"given_name": draw(st.sampled_from(GIVEN)), "family_name": draw(st.sampled_from(FAMILY))}
        customer["birth_date"] = draw(st.sampled_from(["1980-04-03", "1980-03-04", "1975-12-24", None]))
    else:
        customer["name"] = draw(st.sampled_from(COMPANIES))
        if draw(st.booleans()):
            customer["identifiers"] = [{"scheme": "cn.uscc", "value": draw(st.sampled_from(TAX)), "valid": True}]
    customer["emails"] = [{"value": v} for v in draw(st.lists(st.sampled_from(EMAILS), max_size=2, unique=True))]
    customer["phones"] = [
        {"value": v} for v in draw(st.lists(st.sampled_from(["+8613912345671", "+442079460951"]), max_size=1))
    ]
    city = draw(st.sampled_from(["London", "深圳市", None]))
    customer["addresses"] = [{"city": city, "postcode": "N1 9GU"}] if city else []
    return {name: value for name, value in customer.items() if value}


def fitted() -> FellegiSunterMatcher:
    """Fitted to a small made-up customer base, so that frequencies and relatives are in play."""
    chance = random.Random(1)
    plain = FellegiSunterMatcher()
    base = []
    for _ in range(120):
        given_name, family = chance.choice(GIVEN[:5]), chance.choice(["smith", "garcia", "ng", "bauer", "lopez"])
        birth = f"19{chance.randint(50, 99)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}"
        record = {"kind": "person", "given_name": given_name, "family_name": family, "birth_date": birth}
        base += [
            plain.features({**record, "addresses": [{"city": chance.choice(["London", "Bonn"])}]})
        ] * chance.randint(1, 2)
    return FellegiSunterMatcher(calibrate(default_model("person"), [f[VALUES:] for f in base]))


MATCHERS = [FellegiSunterMatcher(), fitted()]


@st.composite
def record_sets(draw: st.DrawFn, decided: bool = True) -> tuple[FellegiSunterMatcher, list[Member], list[Decision]]:
    matcher = draw(st.sampled_from(MATCHERS))
    features = [matcher.features(c) for c in draw(st.lists(customers(), min_size=1, max_size=8))]
    features += [features[i] for i in draw(st.lists(st.integers(0, len(features) - 1), max_size=3))]
    members = [Member(100 + i, (1 + i % 2, 1, str(i), ""), f) for i, f in enumerate(features)]
    pairs = st.tuples(st.sampled_from(members), st.sampled_from(members), st.booleans())
    chosen = draw(st.lists(pairs, max_size=3)) if decided else []
    return matcher, members, [Decision(a.key, b.key, same) for a, b, same in chosen if a.key != b.key]


def partition(
    matcher: FellegiSunterMatcher, members: list[Member], decisions: list[Decision]
) -> set[frozenset[RecordKey]]:
    key = {m.id: m.key for m in members}
    return {frozenset(key[i] for i in group) for group in matcher.cluster(members, decisions)}


@pytest.mark.slow
@given(record_sets(), st.randoms(use_true_random=False), st.permutations(range(100)))
def test_neither_order_nor_numbers_matter(found: Any, shuffler: random.Random, numbers: list[int]) -> None:
    matcher, members, decisions = found
    expected = partition(matcher, members, decisions)
    renamed = [Member(numbers[i], m.key, m.features) for i, m in enumerate(members)]
    shuffler.shuffle(renamed)
    turned = [Decision(d.right, d.left, d.same) for d in decisions]
    shuffler.shuffle(turned)
    assert partition(matcher, renamed, turned) == expected


@given(record_sets())
def test_every_record_is_in_one_group_sorted_by_seniority(found: Any) -> None:
    matcher, members, decisions = found
    key = {m.id: m.key for m in members}
    groups = [[seniority(key[i]) for i in group] for group in matcher.cluster(members, decisions)]
    assert sorted(k for group in groups for k in group) == sorted(map(seniority, key.values()))
    assert groups == sorted(sorted(group) for group in groups)


@given(record_sets())
def test_a_steward_keeps_records_apart(found: Any) -> None:
    matcher, members, decisions = found
    groups = partition(matcher, members, decisions)
    assert not any({d.left, d.right} <= group for d in decisions if not d.same for group in groups)


@given(record_sets(), st.data())
def test_a_steward_joins_records(found: Any, data: st.DataObject) -> None:
    matcher, members, _ = found
    pairs = st.tuples(st.sampled_from(members), st.sampled_from(members))
    joined = [Decision(a.key, b.key, True) for a, b in data.draw(st.lists(pairs, max_size=3)) if a.key != b.key]
    groups = partition(matcher, members, joined)
    assert all(any({d.left, d.right} <= group for group in groups) for d in joined)


@given(record_sets(decided=False))
def test_no_customer_holds_two_taxpayers(found: Any) -> None:
    matcher, members, _ = found
    tax = {m.key: set(m.features[1]) for m in members}
    for group in partition(matcher, members, []):
        assert len(set().union(*(tax[key] for key in group))) <= 1


@given(record_sets(decided=False), st.data())
def test_one_more_copy_joins_its_twin(found: Any, data: st.DataObject) -> None:
    matcher, members, _ = found
    twin = data.draw(st.sampled_from(members))
    if matcher.compare(twin.features, twin.features) is not None:
        after = partition(matcher, [*members, Member(999, (9, 9, "copy", ""), twin.features)], [])
        assert any({twin.key, (9, 9, "copy", "")} <= group for group in after)


@given(st.sampled_from(MATCHERS), customers(), customers())
def test_comparing_is_symmetric_and_adds_up(
    matcher: FellegiSunterMatcher, one: dict[str, Any], other: dict[str, Any]
) -> None:
    left, right = matcher.features(one), matcher.features(other)
    evidence, turned = matcher.compare(left, right), matcher.compare(right, left)
    assert (evidence is None) == (turned is None)
    if evidence is not None and turned is not None:
        assert evidence.weight == turned.weight
    explained = matcher.explain(left, right)
    if evidence is not None and explained["veto"] is None:
        assert explained["weight"] == pytest.approx(evidence.weight, abs=1e-9)


@given(st.sampled_from(MATCHERS), customers(), customers())
def test_two_records_are_one_customer_exactly_when_they_compare_so(
    matcher: FellegiSunterMatcher, one: dict[str, Any], other: dict[str, Any]
) -> None:
    left, right = matcher.features(one), matcher.features(other)
    evidence = matcher.compare(left, right)
    groups = matcher.cluster([Member(1, (1, 1, "1", ""), left), Member(2, (1, 1, "2", ""), right)], [])
    assert (len(groups) == 1) == (evidence is not None and evidence.weight >= -1)


@given(st.sampled_from(MATCHERS), customers())
def test_features_survive_being_stored_and_keys_are_signed_64_bit(
    matcher: FellegiSunterMatcher, customer: dict[str, Any]
) -> None:
    features = matcher.features(customer)
    stored: Features = tuple(orjson.loads(orjson.dumps(features)))
    assert matcher.keys(stored) == matcher.keys(features)
    assert matcher.compare(stored, features) == matcher.compare(features, features)
    keys = matcher.keys(features)
    assert len(set(keys)) == len(keys)
    assert all(-(2**63) <= key < 2**63 for key in keys)


@settings(max_examples=20)
@given(st.lists(customers(), min_size=2, max_size=40), st.randoms(use_true_random=False))
def test_calibrating_depends_on_the_records_and_not_on_their_order(
    found: list[dict[str, Any]], shuffler: random.Random
) -> None:
    plain = FellegiSunterMatcher()
    values = [plain.features(c)[VALUES:] for c in found if c["kind"] == "person"]
    expected = calibrate(default_model("person"), values).to_json()
    shuffler.shuffle(values)
    assert calibrate(default_model("person"), values).to_json() == expected


@pytest.mark.slow
@given(record_sets(decided=False))
@settings(max_examples=150, deadline=None)
def test_strangers_told_apart_in_bulk_are_exactly_the_pairs_without_evidence(
    drawn: tuple[FellegiSunterMatcher, list[Member], list[Decision]],
) -> None:
    matcher, members, _ = drawn
    sides = [member.features for member in members]
    pairs = [(a, b) for a in range(len(sides)) for b in range(len(sides)) if a != b]
    promising = matcher.promising(sides, [a for a, _ in pairs], [b for _, b in pairs])
    for (a, b), hopeful in zip(pairs, promising, strict=True):
        found = matcher.compare(sides[a], sides[b])
        assert hopeful or found is None
        if hopeful and found is None:
            assert abs(matcher._weight(sides[a], sides[b]) - matcher.review_from) < 1e-5
