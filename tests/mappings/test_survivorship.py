"""Which value survives: rule by rule, and what must hold for every set of sources."""

from __future__ import annotations

import random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.customer import Customer
from mappings.errors import SpecError
from mappings.survivorship import EXTREMES, FIELDS, Rule, RunnerUp, Source, SurvivorshipRules, explain, golden, merged

RULES = SurvivorshipRules()


def source(number: int, changed: str | None = None, priority: int = 1, **fields: Any) -> Source:
    customer: dict[str, Any] = {"kind": "person", **fields}
    if changed:
        customer["source_changed_at"] = changed
    return Source((number, 1, str(number), ""), customer, priority)


def value(field: str, rule: str, *sources: Source) -> Any:
    return golden(sources, SurvivorshipRules(fields={field: rule}))[field]  # type: ignore[dict-item]


def test_the_most_recent_change_wins_whatever_its_time_zone() -> None:
    older = source(1, "2024-05-01T10:00:00+08:00", owner="Li")
    newer = source(2, "2024-05-01T03:00:00Z", owner="Wang")
    assert value("owner", "most_recent", older, newer) == "Wang"


def test_records_without_a_stamp_come_last_and_then_priority_and_seniority_decide() -> None:
    unstamped = source(1, owner="none")
    stamped = source(2, "2020-01-01T00:00:00Z", owner="some")
    assert value("owner", "most_recent", unstamped, stamped) == "some"
    assert value("owner", "most_recent", source(1, priority=2, owner="b"), source(2, priority=1, owner="a")) == "a"
    assert value("owner", "most_recent", source(2, owner="junior"), source(1, owner="senior")) == "senior"


def test_a_field_that_the_best_source_lacks_comes_from_the_next() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", owner="Li")
    older = source(2, "2023-01-01T00:00:00Z", owner="Wang", website="https://a.cn")
    assert golden([newest, older], RULES)["website"] == "https://a.cn"


def test_source_priority_beats_recency() -> None:
    erp = source(1, "2020-01-01T00:00:00Z", 1, status="blocked")
    shop = source(2, "2024-01-01T00:00:00Z", 5, status="active")
    assert value("status", "source_priority", erp, shop) == "blocked"


def test_the_most_complete_record_wins() -> None:
    full = source(1, "2020-01-01T00:00:00Z", owner="Li", website="w", language="zh")
    assert value("owner", "most_complete", full, source(2, "2024-01-01T00:00:00Z", owner="Wang")) == "Li"


def test_the_most_frequent_value_wins_regardless_of_case() -> None:
    sources = [source(1, owner="Li Na"), source(2, owner="wang"), source(3, "2024-01-01T00:00:00Z", owner="Wang")]
    assert value("owner", "most_frequent", *sources) == "Wang"


def test_the_longest_value_wins() -> None:
    assert value("owner", "longest", source(1, "2024-01-01T00:00:00Z", owner="Li"), source(2, owner="Li Na")) == "Li Na"


def test_a_validated_record_wins() -> None:
    number = {"scheme": "cn.uscc", "value": "91440300708461136T", "valid": True}
    checked = source(1, "2020-01-01T00:00:00Z", owner="checked", identifiers=[number])
    assert value("owner", "validated_first", checked, source(2, "2024-01-01T00:00:00Z", owner="newer")) == "checked"


def test_names_are_taken_together_and_never_mixed() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", name="Wei Zhang")
    older = source(2, "2023-01-01T00:00:00Z", name="Wei Li", given_name="Wei", family_name="Li")
    assert golden([newest, older], RULES) == {
        "kind": "person",
        "name": "Wei Zhang",
        "source_changed_at": newest.customer["source_changed_at"],
    }


def test_gaps_of_a_name_are_filled_by_a_source_with_the_same_name() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", name="Wei Zhang")
    older = source(
        2, "2023-01-01T00:00:00Z", name="WEI ZHANG", given_name="Wei", family_name="Zhang", native_name="张伟"
    )
    result = golden([newest, older], RULES)
    assert (result["name"], result["family_name"], result["native_name"]) == ("Wei Zhang", "Zhang", "张伟")


def test_a_credit_limit_never_gets_another_sources_currency() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", credit_limit="5000")
    older = source(2, "2023-01-01T00:00:00Z", credit_limit="700", currency="USD")
    assert "currency" not in golden([newest, older], RULES)


def test_contacts_are_united_once_each_with_their_gaps_filled_and_flags_raised() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", emails=[{"value": "a.b@gmail.com"}, {"value": "x@firm.cn"}])
    older = source(2, "2023-01-01T00:00:00Z", emails=[{"value": "ab@gmail.com", "label": "work", "verified": True}])
    united = golden([older, newest], RULES)["emails"]
    assert united == [{"value": "a.b@gmail.com", "label": "work", "verified": True}, {"value": "x@firm.cn"}]


def test_validated_entries_come_first_where_the_rule_says_so() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", phones=[{"value": "+8613912345671"}])
    older = source(2, "2023-01-01T00:00:00Z", phones=[{"value": "+8613912345672", "verified": True}])
    rules = SurvivorshipRules(fields={"phones": "validated_first"})
    assert [p["value"][-1] for p in golden([newest, older], rules)["phones"]] == ["2", "1"]


def test_the_later_word_on_a_consent_counts_and_a_withdrawal_wins_ties() -> None:
    given_ = {"channel": "email", "purpose": "marketing", "granted": True, "at": "2024-01-01T00:00:00Z"}
    withdrawn = {**given_, "granted": False, "at": "2024-06-01T00:00:00Z"}
    one = source(1, "2025-01-01T00:00:00Z", consents=[given_])
    assert golden([one, source(2, consents=[withdrawn])], RULES)["consents"] == [withdrawn]
    tie = {**withdrawn, "at": given_["at"]}
    assert golden([one, source(2, consents=[tie])], RULES)["consents"] == [tie]


def test_maps_are_united_key_by_key() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", external_ids={"crm": "1"})
    older = source(2, "2023-01-01T00:00:00Z", external_ids={"crm": "2", "erp": "9"})
    assert golden([newest, older], RULES)["external_ids"] == {"crm": "1", "erp": "9"}


def test_stamps_are_the_earliest_creation_and_the_latest_change() -> None:
    one = source(1, "2024-01-01T00:00:00Z", source_created_at="2019-01-01T00:00:00Z")
    two = source(2, "2023-01-01T00:00:00Z", source_created_at="2018-01-01T00:00:00Z")
    result = golden([one, two], RULES)
    assert (result["source_created_at"], result["source_changed_at"]) == (
        "2018-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z",
    )


def test_a_steward_pins_a_value_or_empties_a_field() -> None:
    sources = [source(1, owner="Li", website="w"), source(2, owner="Wang")]
    result = golden(sources, RULES, {"owner": "Chen", "website": None})
    assert result["owner"] == "Chen"
    assert "website" not in result
    choice = explain(sources, RULES, {"owner": "Chen"})["owner"]
    assert (choice.rule, choice.source, choice.runner_up) == ("pinned", None, RunnerUp("Li", (1, 1, "1", "")))


def test_explanation_names_source_rule_and_runner_up() -> None:
    newest = source(1, "2024-01-01T00:00:00Z", owner="Li", emails=[{"value": "x@firm.cn"}])
    older = source(2, "2023-01-01T00:00:00Z", owner="Wang", emails=[{"value": "x@firm.cn"}])
    explained = explain([older, newest], RULES)
    assert explained["owner"] == ("Li", newest.key, "most_recent", RunnerUp("Wang", older.key), ())
    assert explained["emails"].sources == ((newest.key, older.key),)
    assert explained["source_changed_at"].rule == "latest"


@pytest.mark.parametrize(
    "fields", [{"owners": "longest"}, {"owner": "newest"}, {"given_name": "longest"}, {"source_changed_at": "longest"}]
)
def test_unknown_fields_and_rules_are_refused_with_what_is_known(fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"known|have one"):
        SurvivorshipRules(fields=fields)


STAMPS = ["2024-01-01T00:00:00Z", "2024-01-01T08:00:00+08:00", "2023-06-01T00:00:00", "nonsense"]
TEXTS = st.sampled_from(["a", "B", "b", "long text", "张伟"])


@st.composite
def sources(draw: st.DrawFn) -> list[Source]:
    count = draw(st.integers(1, 5))
    return [
        Source((draw(st.integers(1, 2)), 1, str(number), ""), draw(canonical()), draw(st.integers(1, 2)))
        for number in range(count)
    ]


@st.composite
def canonical(draw: st.DrawFn) -> dict[str, Any]:
    flag = st.fixed_dictionaries({}, optional={"verified": st.booleans(), "label": TEXTS})
    emails = st.builds(lambda e, more: {"value": e, **more}, st.sampled_from(["a@x.cn", "A@x.cn", "b@x.cn"]), flag)
    phones = st.builds(lambda p, more: {"value": p, **more}, st.sampled_from(["+861", "+862"]), flag)
    consents = st.fixed_dictionaries(
        {"channel": st.sampled_from(["email", "sms"]), "granted": st.booleans()},
        optional={"at": st.sampled_from(STAMPS[:3])},
    )
    optional = {
        **{name: TEXTS for name in ("name", "given_name", "family_name", "owner", "website", "language")},
        "currency": st.sampled_from(["EUR", "USD"]),
        "credit_limit": st.sampled_from(["1", "2"]),
        "emails": st.lists(emails, min_size=1, max_size=3),
        "phones": st.lists(phones, min_size=1, max_size=3),
        "tags": st.lists(TEXTS, min_size=1, max_size=3),
        "consents": st.lists(consents, min_size=1, max_size=2),
        "external_ids": st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=2),
        "source_created_at": st.sampled_from(STAMPS[:3]),
        "source_changed_at": st.sampled_from(STAMPS),
    }
    return {"kind": "person", **draw(st.fixed_dictionaries({}, optional=optional))}


def rule_sets() -> st.SearchStrategy[SurvivorshipRules]:
    rule = st.sampled_from(get_args(Rule))
    fields = st.dictionaries(st.sampled_from(SurvivorshipRules.ruled_fields()), rule, max_size=4)
    return st.builds(SurvivorshipRules, rule, fields)


@pytest.mark.slow
@given(sources(), rule_sets(), st.randoms(use_true_random=False))
def test_the_order_of_the_sources_does_not_matter(
    members: list[Source], rules: SurvivorshipRules, shuffler: random.Random
) -> None:
    expected, explained = golden(members, rules), explain(members, rules)
    shuffler.shuffle(members)
    assert golden(members, rules) == expected
    assert list(golden(members, rules)) == list(expected)
    assert explain(members, rules) == explained


@pytest.mark.slow
@given(sources(), rule_sets())
def test_the_short_path_for_one_source_equals_the_general_one(members: list[Source], rules: SurvivorshipRules) -> None:
    assert golden(members[:1], rules) == merged(members[:1], rules) == members[0].customer


@pytest.mark.slow
@given(sources(), rule_sets(), st.dictionaries(st.sampled_from(["owner", "website"]), TEXTS | st.none(), max_size=2))
def test_the_explanation_tells_what_the_golden_record_holds(
    members: list[Source], rules: SurvivorshipRules, pins: dict[str, Any]
) -> None:
    values, by_key = golden(members, rules, pins), {m.key: m.customer for m in members}
    explained = explain(members, rules, pins)
    assert {name: choice.value for name, choice in explained.items()} == values
    for name, choice in explained.items():
        if choice.source is not None:
            assert by_key[choice.source][name] == choice.value
        if choice.rule == "united":
            assert len(choice.sources) == len(choice.value)
        if choice.runner_up is not None:
            assert by_key[choice.runner_up.source][name] == choice.runner_up.value != choice.value


@pytest.mark.slow
@given(sources(), rule_sets())
def test_no_value_is_invented_and_no_field_with_a_value_is_lost(
    members: list[Source], rules: SurvivorshipRules
) -> None:
    result = golden(members, rules)
    together = {"given_name", "family_name", "name", "currency", "credit_limit"}
    assert {n for m in members for n in m.customer} - together == set(result) - together
    for name, found in result.items():
        if name in FIELDS and not isinstance(found, list | dict) and name not in EXTREMES:
            assert any(m.customer.get(name) == found for m in members)


@pytest.mark.slow
@given(sources(), rule_sets())
def test_the_result_is_a_canonical_customer(members: list[Source], rules: SurvivorshipRules) -> None:
    usable = [Source(m.key, {**m.customer, "name": "x", "source_changed_at": STAMPS[0]}, m.priority) for m in members]
    Customer.model_validate(golden(usable, rules))


@pytest.mark.slow
@given(sources(), rule_sets())
def test_a_second_copy_of_the_same_record_changes_no_list(members: list[Source], rules: SurvivorshipRules) -> None:
    twin = members[0]._replace(key=(9, 9, "copy", ""))
    before, after = golden(members, rules), golden([*members, twin], rules)
    for name in ("emails", "phones", "tags"):
        assert {str(e) for e in after.get(name, ())} == {str(e) for e in before.get(name, ())}
