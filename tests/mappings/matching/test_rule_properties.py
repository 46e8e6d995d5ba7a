"""What must hold for every set of records: the partition is a function of records and decisions, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.contract import Decision, Features, Member, RecordKey, seniority
from mappings.matching.evidence import veto
from mappings.matching.rules import RuleMatcher

MATCHER = RuleMatcher()

PERSON_NAMES = [
    "张伟",
    "Zhang Wei",
    "Wei Zhang",
    "章薇",
    "John Smith",
    "J. Smith",
    "Jane Smith",
    "John A. Smith",
    "Smith",
    "N/A",
]
COMPANY_NAMES = [
    "深圳市腾讯计算机系统有限公司",
    "腾讯科技（深圳）有限公司",
    "Shenzhen Tengxun Computer Co., Ltd.",
    "Acme GmbH",
    "ACME Trading Ltd",
    "Acme Logistics Inc",
]
EMAILS = ["a1@firm.cn", "b2@firm.cn", "info@firm.cn", "A.1+x@gmail.com", "a1@gmail.com", "noemail@x.cn"]
PHONES = ["+8613912345671", "+442079460951", "+8613800138000"]
TAX = ["91440300708461136T", "91110000802100433B"]


def lists_of(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True)


@st.composite
def customers(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["person", "person", "organisation"]))
    names = PERSON_NAMES if kind == "person" else COMPANY_NAMES
    customer: dict[str, Any] = {"kind": kind}
    if name := draw(st.sampled_from([*names, None])):
        customer["name"] = name
    flags = draw(st.lists(st.booleans(), min_size=4, max_size=4))
    customer["emails"] = [{"value": v, "verified": flags[0]} for v in draw(lists_of(EMAILS))]
    customer["phones"] = [{"value": v, "verified": flags[1]} for v in draw(lists_of(PHONES))]
    if draw(st.integers(0, 3)) == 0:
        customer["identifiers"] = [{"scheme": "cn.uscc", "value": draw(st.sampled_from(TAX)), "valid": flags[2]}]
    if kind == "person" and flags[3] and name:
        customer["birth_date"] = draw(st.sampled_from(["1980-04-03", "1980-03-04", "1975-12-24"]))
        customer["given_name"] = draw(st.sampled_from(["John", "Jane", "Wei"]))
    return customer


@st.composite
def record_sets(draw: st.DrawFn, decided: bool = True) -> tuple[list[Member], list[Decision]]:
    features = [MATCHER.features(c) for c in draw(st.lists(customers(), min_size=1, max_size=9))]
    repeats = draw(st.lists(st.integers(0, len(features) - 1), max_size=3))
    features += [features[i] for i in repeats]
    members = [Member(100 + i, (1 + i % 2, 1, str(i), ""), f) for i, f in enumerate(features)]
    pairs = st.tuples(st.sampled_from(members), st.sampled_from(members), st.booleans())
    chosen = draw(st.lists(pairs, max_size=4)) if decided else []
    return members, [Decision(a.key, b.key, same) for a, b, same in chosen if a.key != b.key]


def partition(members: list[Member], decisions: list[Decision]) -> set[frozenset[RecordKey]]:
    key = {m.id: m.key for m in members}
    return {frozenset(key[i] for i in group) for group in MATCHER.cluster(members, decisions)}


@given(record_sets(), st.randoms(use_true_random=False))
def test_neither_the_order_of_records_nor_of_decisions_matters(found: Any, shuffler: random.Random) -> None:
    members, decisions = found
    expected = MATCHER.cluster(members, decisions)
    shuffler.shuffle(members)
    turned = [Decision(d.right, d.left, d.same) if shuffler.random() < 0.5 else d for d in decisions]
    shuffler.shuffle(turned)
    assert MATCHER.cluster(members, turned) == expected


@given(record_sets(), st.permutations(range(100)))
def test_the_engines_numbers_do_not_matter(found: Any, numbers: list[int]) -> None:
    members, decisions = found
    renamed = [Member(numbers[i], m.key, m.features) for i, m in enumerate(members)]
    assert partition(renamed, decisions) == partition(members, decisions)


@given(record_sets())
def test_every_record_is_in_one_group_and_groups_are_sorted_by_seniority(found: Any) -> None:
    members, decisions = found
    key = {m.id: m.key for m in members}
    groups = [[seniority(key[i]) for i in group] for group in MATCHER.cluster(members, decisions)]
    assert sorted(k for group in groups for k in group) == sorted(map(seniority, key.values()))
    assert all(group == sorted(group) for group in groups)
    assert groups == sorted(groups)


@given(record_sets())
def test_a_steward_keeps_records_apart_whatever_they_share(found: Any) -> None:
    members, decisions = found
    groups = partition(members, decisions)
    for decision in decisions:
        if not decision.same:
            assert not any({decision.left, decision.right} <= group for group in groups)


@given(record_sets(), st.data())
def test_a_steward_joins_records_whatever_separates_them(found: Any, data: st.DataObject) -> None:
    members, _ = found
    pairs = st.tuples(st.sampled_from(members), st.sampled_from(members))
    joined = [Decision(a.key, b.key, True) for a, b in data.draw(st.lists(pairs, max_size=4)) if a.key != b.key]
    groups = partition(members, joined)
    for decision in joined:
        assert any({decision.left, decision.right} <= group for group in groups)


@given(record_sets(decided=False))
def test_no_customer_holds_two_records_that_a_veto_separates(found: Any) -> None:
    members, _ = found
    features = {m.key: m.features for m in members}
    for group in partition(members, []):
        assert not any(veto(features[a], features[b]) for a in group for b in group)


@given(record_sets(decided=False), st.data())
def test_one_more_copy_of_a_record_joins_its_twin_and_changes_nothing_else(found: Any, data: st.DataObject) -> None:
    members, _ = found
    before = partition(members, [])
    twin = data.draw(st.sampled_from(members))
    copy = Member(999, (9, 9, "copy", ""), twin.features)
    after = partition([*members, copy], [])
    assert {group - {copy.key} for group in after} - {frozenset()} == before
    if MATCHER.compare(twin.features, twin.features) is not None:
        assert any({twin.key, copy.key} <= group for group in after)


@given(customers(), customers())
def test_comparing_is_symmetric_and_explained(one: dict[str, Any], other: dict[str, Any]) -> None:
    left, right = MATCHER.features(one), MATCHER.features(other)
    evidence = MATCHER.compare(left, right)
    assert evidence == MATCHER.compare(right, left)
    explained = MATCHER.explain(left, right)
    assert explained["rule"] == (evidence.rule if evidence else None)


@given(customers(), customers())
def test_two_records_are_one_customer_exactly_when_they_compare_so(one: dict[str, Any], other: dict[str, Any]) -> None:
    left, right = MATCHER.features(one), MATCHER.features(other)
    evidence = MATCHER.compare(left, right)
    groups = MATCHER.cluster([Member(1, (1, 1, "1", ""), left), Member(2, (1, 1, "2", ""), right)], [])
    assert (len(groups) == 1) == (evidence is not None and evidence.weight > 0)


@given(customers(), customers())
def test_records_with_evidence_share_a_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    left, right = MATCHER.features(one), MATCHER.features(other)
    if MATCHER.compare(left, right) is not None:
        assert set(MATCHER.keys(left)) & set(MATCHER.keys(right))


@pytest.mark.slow
@settings(max_examples=200)
@given(record_sets())
def test_solving_components_apart_or_together_gives_the_same_customers(found: Any) -> None:
    members, decisions = found
    apart: set[frozenset[RecordKey]] = set()
    for component in components(members, decisions):
        keys = {m.key for m in component}
        apart |= partition(component, [d for d in decisions if d.left in keys and d.right in keys])
    assert apart == partition(members, decisions)


def components(members: list[Member], decisions: list[Decision]) -> list[list[Member]]:
    """Connected by evidence or by a must-link, as the engine finds them."""
    linked = {frozenset((d.left, d.right)) for d in decisions if d.same}
    rest, found = list(members), []
    while rest:
        component = [rest.pop()]
        for member in component:
            near = [m for m in rest if connected(member, m) or frozenset((member.key, m.key)) in linked]
            component += near
            rest = [m for m in rest if m not in near]
        found.append(component)
    return found


def connected(one: Member, other: Member) -> bool:
    evidence = MATCHER.compare(one.features, other.features)
    return evidence is not None and evidence.weight >= -1


@given(customers())
def test_features_survive_being_stored_as_json(customer: dict[str, Any]) -> None:
    features = MATCHER.features(customer)
    stored: Features = tuple(orjson.loads(orjson.dumps(features)))
    assert MATCHER.keys(stored) == MATCHER.keys(features)
    assert MATCHER.compare(stored, features) == MATCHER.compare(features, features)
    assert all(isinstance(part, str | list) for part in features)


@given(customers())
def test_keys_are_distinct_signed_64_bit_numbers(customer: dict[str, Any]) -> None:
    keys = MATCHER.keys(MATCHER.features(customer))
    assert len(set(keys)) == len(keys)
    assert all(-(2**63) <= key < 2**63 for key in keys)
