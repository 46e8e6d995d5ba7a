"""What tells relatives of one name and branches of one company apart, and what makes two writings of a name one."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.matching.cautious import cautious_model
from mappings.matching.columns import ORGANISATION_COLUMNS, PERSON_COLUMNS, organisation_values, person_values
from mappings.matching.model import compile_model
from mappings.matching.probabilistic import FellegiSunterMatcher
from mappings.normalise.names import addressed_surname, generation_of, split_joined_pinyin, split_person_name
from mappings.normalise.nicknames import root_name
from mappings.normalise.organisations import branch_of, split_organisation_name

OTHER = {"kind": "organisation", "name": "Jones Motors (Leeds)"}
CAUTIOUS = FellegiSunterMatcher(
    cautious_model("person"), cautious_model("organisation"), accept_from=2.0, review_from=-4.0
)


def named(name: str) -> dict[str, Any]:
    return dict(zip(PERSON_COLUMNS, person_values({"kind": "person", "name": name}), strict=True))


def weight(kind: str, one: str, other: str, **shared: Any) -> float:
    left, right = (CAUTIOUS.features({"kind": kind, "name": name, **shared}) for name in (one, other))
    return CAUTIOUS.pair_weight(left, right)


MAILBOX = {"emails": [{"value": "ann.smith@example.com"}]}


@pytest.mark.parametrize("name", ["A. Smith", "Smith, A", "A B. Smith", "Ann L. Smith", "Ann Smith"])
def test_a_name_and_its_initial_with_one_mailbox_are_one_customer(name: str) -> None:
    assert weight("person", name, "Ann Smith", **MAILBOX) >= CAUTIOUS.merge_at


def test_another_given_name_with_the_same_mailbox_is_not() -> None:
    assert weight("person", "Bob Smith", "Ann Smith", **MAILBOX) < CAUTIOUS.merge_at


@pytest.mark.parametrize(
    ("text", "given", "family"),
    [
        ("A. Smith", "A.", "Smith"),
        ("J.R. Smith", "J.R.", "Smith"),
        ("SMITH Ann", "Ann", "SMITH"),
        ("LI Wei", "Wei", "LI"),
    ],
)
def test_an_initial_is_no_family_name_in_capitals(text: str, given: str, family: str) -> None:
    assert split_person_name(text) == (given, family)


def test_middle_initials_stand_apart_from_the_given_name() -> None:
    found = named("Mary L. Oakton")
    assert (found["given_latin"], found["middle"], found["family_latin"]) == ("mary", "l", "oakton")
    assert named("R M Baring")["given_latin"] == "r"
    assert named("Mary Ann Oakton")["given_latin"] == "mary ann"


def test_the_syllables_of_a_chinese_name_are_one_word() -> None:
    assert named("Wang Xiao Ming")["given_latin"] == named("王小明")["given_latin"] == "xiaoming"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WANGXIAOMING", ("xiaoming", "wang")),
        ("GUOJIN", ("jin", "guo")),
        ("Wangxiaoming", ("xiaoming", "wang")),
        ("OUYANGNANA", ("nana", "ouyang")),
        ("Lina", None),
        ("SMITH", None),
        ("Wang Wei", None),
        ("", None),
    ],
)
def test_pinyin_in_one_word_is_a_whole_name(text: str, expected: tuple[str, str] | None) -> None:
    assert split_joined_pinyin(text) == expected


def test_a_surname_with_a_form_of_address_is_a_surname() -> None:
    assert [addressed_surname(text) for text in ("王女士", "歐陽先生", "王小明先生", "先生", "Ann")] == [
        "王", "歐陽", "", "", "",
    ]  # fmt: skip
    for text in ("王女士", "王总", "小王", "老王", "王工", "王姐", "王先生-装修", "王总（采购）"):
        assert (named(text)["family"], named(text)["given"]) == ("王", None), text
    assert (named("欧阳先生")["family"], named("欧阳先生")["given"]) == ("欧阳", None)


@pytest.mark.parametrize(
    "text",
    ["王小明-老客户", "王小明（微信）", "A王小明", "王小明VIP", "王小明 13800001111", "王小明 装修", "王小明丨平安保险",
     "王小明～微商", "客户-王小明", "王小明/李红", "王 小明", "王 小 明", "王小明先生"],
)  # fmt: skip
def test_what_people_note_beside_a_name_is_no_part_of_it(text: str) -> None:
    assert split_person_name(text) == ("小明", "王")


@pytest.mark.parametrize(
    ("text", "parts"),
    [("諸葛 孔明", ("孔明", "諸葛")), ("阿卜杜拉·买买提", ("阿卜杜拉", "买买提")), ("张伟𠮷", ("伟𠮷", "张")),
     ("老客户", None), ("-", None), ("客户-", None)],
)  # fmt: skip
def test_names_that_only_look_annotated_stay(text: str, parts: tuple[str, str] | None) -> None:
    assert split_person_name(text) == parts


@pytest.mark.parametrize(("text", "expected"), [("John Smith Jr.", "2"), ("Smith, John Sr", "1"), ("John II", "2"),
                                                ("J. Sr. Smith III", "1"), ("Jr", ""), ("John Smith", "")])  # fmt: skip
def test_generations(text: str, expected: str) -> None:
    assert generation_of(text) == expected


def test_father_and_son_of_one_name_and_address_are_two() -> None:
    home = {"addresses": [{"street": "1 High St", "postcode": "12345", "city": "Leeds"}]}
    same = weight("person", "John Smith Jr", "John Smith, Jr.", **home)
    assert weight("person", "John Smith Sr", "John Smith Jr", **home) < same - 5
    family = {"kind": "person", "given_name": "John", "family_name": "Smith Jr"}
    assert dict(zip(PERSON_COLUMNS, person_values(family), strict=True))["family"] == "smith"


def test_nicknames_stand_for_the_full_name() -> None:
    assert [root_name(name) for name in ("bob", "robert james", "bill", "xiaoming")] == [
        "robert", "robert", "william", "xiaoming",
    ]  # fmt: skip
    assert weight("person", "Bob Carez", "Robert Carez", **MAILBOX) >= CAUTIOUS.merge_at


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("杭州德天大科技有限公司", ""),
        ("杭州德天大科技有限公司苏州分公司", "苏州分公司"),
        ("杭州德天大科技有限公司苏州市分公司", "苏州分公司"),
        ("润盛泰贸易成都分公司", "成都分公司"),
        ("德天大科技", None),
        ("Smith Foods Ltd", ""),
        ("Smith Foods", None),
        ("Smith Foods (Leeds)", "leeds"),
        ("Smith Foods #007", "7"),
        ("Smith Foods Store 12 Ltd", "12"),
        ("Smith (Holdings)", None),
        ("Smith Foods (formerly Jones)", None),
        ("无", None),
    ],
)
def test_branches_are_read_from_names(name: str, branch: str | None) -> None:
    assert branch_of(name) == branch


def test_a_branch_is_no_part_of_the_comparable_name() -> None:
    for name in ("杭州德天大科技有限公司苏州分公司", "德天大科技苏州分公司"):
        parts = split_organisation_name(name)
        assert parts is not None
        assert (parts.brand, parts.trade) == ("德天大", "科技")
    assert split_organisation_name("Smith Foods (Leeds)") == split_organisation_name("Smith Foods #7")


def test_two_branches_behind_one_switchboard_are_two_customers() -> None:
    contact = {"phones": [{"value": "+86102134567"}], "emails": [{"value": "info@detianda.com"}]}
    head, one, other = (f"杭州德天大科技有限公司{tail}" for tail in ("", "苏州分公司", "成都分公司"))
    assert weight("organisation", one, one, **contact) >= CAUTIOUS.merge_at
    assert weight("organisation", one, other, **contact) < weight("organisation", head, one, **contact) - 8
    assert weight("organisation", head, one, **contact) < weight("organisation", head, head, **contact) - 5


def test_subsidiaries_say_another_city_or_another_trade() -> None:
    contact = {"phones": [{"value": "+86102134567"}], "emails": [{"value": "info@longmei.cn"}]}
    name = "隆美文化传媒（西安）有限公司"
    same = weight("organisation", name, "西安市隆美文化传媒有限公司", **contact)
    assert same >= CAUTIOUS.merge_at
    assert weight("organisation", name, "深圳市隆美文化传媒有限公司", **contact) < same - 3
    assert weight("organisation", name, "西安市隆美生物科技有限公司", **contact) < same - 3
    assert weight("organisation", name, "隆美文化传媒有限公司", **contact) >= CAUTIOUS.merge_at


@pytest.mark.parametrize(
    ("name", "seat", "trade"),
    [
        ("深圳市腾讯计算机系统有限公司", "shenzhen", "jisuanjixitong"),
        ("腾讯科技（深圳）有限公司", "shenzhen", "keji"),
        ("Shenzhen Tengxun Technology Co., Ltd.", "shenzhen", None),
        ("中国石油天然气集团公司", None, None),
        ("Siemens (China) Ltd", None, None),
        ("腾讯", None, None),
    ],
)
def test_a_name_says_its_city_and_its_trade(name: str, seat: str | None, trade: str | None) -> None:
    found = dict(zip(ORGANISATION_COLUMNS, organisation_values({"kind": "organisation", "name": name}), strict=True))
    assert (found["seat"], found["trade"]) == (seat, trade)


def test_a_version_of_before_a_column_was_added_goes_on_without_it() -> None:
    model = cautious_model("organisation")
    settings = dict(model.settings)
    settings["comparisons"] = [c for c in settings["comparisons"] if c["output_column_name"] != "trade"]
    matcher = FellegiSunterMatcher(None, compile_model("organisation", ORGANISATION_COLUMNS[:-1], settings))
    features = matcher.features({"kind": "organisation", "name": "Smith Foods (Leeds)"})
    assert len(features) == 3 + len(ORGANISATION_COLUMNS) - 1
    assert matcher.pair_weight(features, features) > matcher.pair_weight(features, matcher.features(OTHER))
