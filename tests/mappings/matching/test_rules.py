"""Matching by rules, case by case."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mappings.contract import Decision, Member
from mappings.matching.rules import RuleMatcher

MATCHER = RuleMatcher()
USCC, OTHER_USCC = "91440300708461136T", "91110000802100433B"


def person(name: str = "", *, email: str = "", phone: str = "", **more: Any) -> dict[str, Any]:
    return record("person", name, email, phone, more)


def company(name: str = "", *, email: str = "", phone: str = "", **more: Any) -> dict[str, Any]:
    return record("organisation", name, email, phone, more)


def record(kind: str, name: str, email: str, phone: str, more: dict[str, Any]) -> dict[str, Any]:
    customer: dict[str, Any] = {"kind": kind, **more}
    if name:
        customer["name"] = name
    if email:
        customer["emails"] = [{"value": email}]
    if phone:
        customer["phones"] = [{"value": phone}]
    return customer


def uscc(value: str, valid: bool = True) -> list[dict[str, Any]]:
    return [{"scheme": "cn.uscc", "value": value, "valid": valid}]


def rule(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    evidence = MATCHER.compare(MATCHER.features(one), MATCHER.features(other))
    return evidence.rule if evidence else None


def clusters(*customers: dict[str, Any], decisions: tuple[tuple[int, int, bool], ...] = ()) -> list[list[int]]:
    members = [Member(i, (1, 1, str(i), ""), MATCHER.features(c)) for i, c in enumerate(customers)]
    words = [Decision(members[a].key, members[b].key, same) for a, b, same in decisions]
    return MATCHER.cluster(members, words)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("张伟", "Zhang Wei"),
        ("张伟", "Wei Zhang"),
        ("張偉", "ZHANG, Wei"),
        ("张伟先生", "Mr. Zhang Wei"),
        ("王小明", "Xiaoming Wang"),
        ("王小明", "Wang Xiao Ming"),
        ("欧阳娜娜", "Ouyang Nana"),
        ("单雄信", "Shan Xiongxin"),
        ("曾国藩", "Guofan Zeng"),
        ("吕布", "LYU Bu"),
        ("Jürgen Müller", "JURGEN MULLER"),
        ("Smith, John", "Dr John Smith"),
    ],
)
def test_one_mailbox_and_one_name_in_any_script_or_order_is_one_person(left: str, right: str) -> None:
    assert rule(person(left, email="zw@firm.cn"), person(right, email="ZW@firm.cn")) == "email and name"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("John Smith", "J. Smith", True),
        ("John Smith", "John A. Smith", True),
        ("John Smith", "Jane Smith", False),
        ("John Smith", "Smith", False),
        ("张伟", "章薇", False),
        ("王晓", "王晓明", False),
        ("Zhang Wei", "Zhang W", False),
    ],
)
def test_similar_names_agree_only_when_nothing_is_left_unexplained(left: str, right: str, same: bool) -> None:
    found = rule(person(left, email="home@firm.cn"), person(right, email="home@firm.cn"))
    assert found == ("email and similar name" if same else None)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("深圳市腾讯计算机系统有限公司", "深圳腾讯计算机系统有限公司", True),
        ("深圳市騰訊計算機系統有限公司", "深圳市腾讯计算机系统有限公司", True),
        ("深圳市腾讯计算机系统有限公司", "Shenzhen Tengxun Computer Co., Ltd.", True),
        ("深圳市腾讯计算机系统有限公司", "腾讯", True),
        ("深圳市腾讯计算机系统有限公司", "Tencent", False),
        ("深圳市腾讯计算机系统有限公司", "腾讯科技（深圳）有限公司", False),
        ("深圳华强贸易有限公司", "北京华强贸易有限公司", False),
        ("Acme GmbH & Co. KG", "ACME", True),
        ("Acme Trading Ltd", "Acme Logistics Ltd", False),
    ],
)
def test_companies_behind_one_phone_agree_by_brand_trade_and_region(left: str, right: str, same: bool) -> None:
    assert (rule(company(left, phone="+8675586013388"), company(right, phone="+8675586013388")) is not None) == same


def test_a_valid_official_number_is_enough_and_one_without_check_digit_is_not() -> None:
    one, other = company("腾讯", identifiers=uscc(USCC)), company("Tencent", identifiers=uscc(USCC))
    assert rule(one, other) == "identifier"
    loose = uscc("440301708461136", valid=False)
    assert rule(company("腾讯", identifiers=loose), company("阿里", identifiers=loose)) is None
    assert rule(company("腾讯", identifiers=loose), company("腾讯", identifiers=loose)) == "unchecked number and name"


def test_a_person_and_a_company_are_never_one_customer() -> None:
    assert rule(person("Acme", email="a1@firm.cn"), company("Acme", email="a1@firm.cn")) is None


def test_a_confirmed_contact_weighs_more() -> None:
    plain = person("John Smith", phone="+447700900123")
    confirmed = {**plain, "phones": [{"value": "+447700900123", "verified": True}]}
    assert rule(plain, plain) == "phone and name"
    assert rule(plain, confirmed) == "verified phone and name"


@pytest.mark.parametrize("email", ["noemail@firm.cn", "test@firm.cn", "x@none.com"])
def test_placeholder_mailboxes_prove_nothing(email: str) -> None:
    assert rule(person("张伟", email=email), person("张伟", email=email)) is None


@pytest.mark.parametrize("phone", ["+8613800138000", "11111111111", "123456789", "+4911111111111"])
def test_placeholder_phones_prove_nothing(phone: str) -> None:
    assert rule(person("张伟", phone=phone), person("张伟", phone=phone)) is None


def test_two_extensions_of_one_switchboard_are_two_phones() -> None:
    desk = {"value": "+8675586013388", "extension": "8001"}
    other = {**desk, "extension": "8002"}
    one, two = person("张伟", phones=[desk]), person("张伟", phones=[other])
    assert rule(one, one) == "phone and name"
    assert rule(one, two) is None


def test_different_tax_numbers_forbid_what_a_contact_suggests() -> None:
    one = company("Acme Ltd", email="a1@acme.com", identifiers=uscc(USCC))
    other = company("Acme Ltd", email="a1@acme.com", identifiers=uscc(OTHER_USCC))
    assert rule(one, other) == "different tax numbers"
    assert clusters(one, other) == [[0], [1]]


def test_tax_numbers_of_two_countries_do_not_contradict_each_other() -> None:
    numbers = [{"scheme": "eu.vat", "value": v, "valid": True} for v in ("DE136695976", "FR61954506077")]
    one, other = (company("Acme", email="a1@acme.com", identifiers=[n]) for n in numbers)
    assert rule(one, other) == "email and name"


def test_a_third_record_never_joins_two_taxpayers() -> None:
    one = company("Acme Ltd", email="a1@acme.com", identifiers=uscc(USCC))
    between = company("Acme Ltd", email="a1@acme.com")
    other = company("Acme Ltd", email="a1@acme.com", identifiers=uscc(OTHER_USCC))
    assert clusters(one, between, other) == [[0, 1], [2]]
    assert clusters(other, between, one) == [[0, 1], [2]]


def test_father_and_son_with_one_mailbox_stay_two_when_their_birth_dates_differ() -> None:
    father = person("Wei Zhang", email="home@qq.com", given_name="Wei", birth_date="1950-02-01")
    son = person("Wei Zhang", email="home@qq.com", given_name="Lei", birth_date="1981-11-23")
    assert rule(father, son) == "different given name and date of birth"
    typo = {**father, "birth_date": "1950-01-02"}
    assert rule(father, typo) == "email and name"


def test_a_nameless_subscriber_joins_the_only_owner_of_the_mailbox() -> None:
    assert clusters(person(email="zw@firm.cn"), person("张伟", email="zw@firm.cn")) == [[0, 1]]


def test_a_nameless_subscriber_of_a_mailbox_with_two_owners_stays_alone() -> None:
    couple = [person("张伟", email="home@qq.com"), person("李娜", email="home@qq.com")]
    subscriber = person(email="home@qq.com")
    assert clusters(subscriber, *couple, subscriber) == [[0, 3], [1], [2]]


def test_an_owner_that_a_veto_excludes_does_not_make_a_mailbox_ambiguous() -> None:
    father = person("张伟", email="home@qq.com", given_name="Wei", birth_date="1950-02-01")
    son = person("张磊", email="home@qq.com", given_name="Lei", birth_date="1981-11-23")
    subscriber = person(email="home@qq.com", given_name="Lei", birth_date="1981-11-23")
    assert clusters(father, son, subscriber) == [[0], [1, 2]]


def test_a_nameless_record_of_a_shared_mailbox_joins_nobody() -> None:
    assert clusters(person(email="info@firm.cn"), person("张伟", email="info@firm.cn")) == [[0], [1]]


def test_similar_names_do_not_chain_strangers() -> None:
    household = [person(n, phone="+447700900123") for n in ("John Smith", "J. Smith", "Jane Smith")]
    assert clusters(*household) == [[0, 1], [2]]


def test_gmail_spellings_reach_one_mailbox_and_others_do_not() -> None:
    assert (
        rule(person("Jo Doe", email="j.doe+shop@gmail.com"), person("Jo Doe", email="jdoe@googlemail.com")) is not None
    )
    assert rule(person("Jo Doe", email="j.doe@firm.cn"), person("Jo Doe", email="jdoe@firm.cn")) is None


def test_two_hundred_companies_behind_one_switchboard_share_no_key() -> None:
    keys = [MATCHER.keys(MATCHER.features(company(f"Brand{i} Ltd", phone="+8675586013388"))) for i in range(200)]
    assert len({key for found in keys for key in found}) == 200


def test_a_must_link_does_not_make_strangers_with_a_like_sounding_name_agree() -> None:
    namesake = person("章薇", phone="+8613912345671")
    joined = person("张伟")
    others = [person("张伟", phone="+8613912345671")] * 2
    assert clusters(namesake, joined, *others, decisions=((0, 1, True),)) == [[0, 1], [2, 3]]


def test_an_excluded_record_leaves_the_others_together() -> None:
    same = [person("张伟", email="zw@firm.cn")] * 4
    assert clusters(*same, decisions=((0, 2, False),)) == [[0, 1, 3], [2]]


def test_of_contradicting_decisions_the_separating_one_holds() -> None:
    trio = [person(n) for n in ("张伟", "李娜", "王芳")]
    decided = ((0, 1, True), (1, 2, True), (0, 2, False))
    assert clusters(*trio, decisions=decided) == [[0, 1], [2]]


def test_explanation_names_rule_values_and_veto() -> None:
    one = MATCHER.features(company("Acme Ltd", email="a1@acme.com", identifiers=uscc(USCC)))
    other = MATCHER.features(company("ACME", email="a1@acme.com", identifiers=uscc(OTHER_USCC)))
    assert MATCHER.explain(one, other) == {
        "rule": "different tax numbers",
        "weight": -100.0,
        "same_kind": True,
        "names": {"left": ["acme||"], "right": ["acme||"], "agreement": "exact"},
        "shared_identifiers": [],
        "shared_contacts": ["e:a1@acme.com"],
        "veto": "different tax numbers",
    }


def equal_records(count: int) -> list[dict[str, Any]]:
    return [person("张伟", email="zw@firm.cn")] * count


def one_phone_many_mailboxes(count: int) -> list[dict[str, Any]]:
    return [person("John Smith", email=f"js{i}@firm.cn", phone="+447700900123") for i in range(count)]


def one_phone_many_taxpayers(count: int) -> list[dict[str, Any]]:
    private = [{"scheme": "us.ein", "value": f"{i:09}", "valid": True} for i in range(count)]
    return [company("Acme", phone="+447700900123", identifiers=[n]) for n in private]


def one_phone_many_birthdays(count: int) -> list[dict[str, Any]]:
    dates = [f"{1900 + i % 100}-{1 + i // 100 % 12:02}-{1 + i // 1200 % 28:02}" for i in range(count)]
    return [person("John Smith", phone="+447700900123", given_name="John", birth_date=d) for d in dates]


def one_phone_many_names(count: int) -> list[dict[str, Any]]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"{letters[i % 26]}{letters[i // 26 % 26]}{letters[i // 676 % 26]}o Smith" for i in range(count)]
    return [person(name, phone="+447700900123") for name in names]


@pytest.mark.parametrize(
    ("make", "count", "groups"),
    [
        (equal_records, 50_000, 1),
        (one_phone_many_mailboxes, 20_000, 1),
        (one_phone_many_taxpayers, 10_000, 10_000),
        (one_phone_many_birthdays, 10_000, 1),
        (one_phone_many_names, 2_000, 2_000),
    ],
)
def test_a_big_block_takes_near_linear_time(make: Any, count: int, groups: int) -> None:
    members = [Member(i, (1, 1, str(i), ""), MATCHER.features(c)) for i, c in enumerate(make(count))]
    started = time.perf_counter()
    assert len(MATCHER.cluster(members, [])) == groups
    assert time.perf_counter() - started < 10
