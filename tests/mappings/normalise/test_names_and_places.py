"""Names of persons and organisations, scripts, addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.normalise.addresses import country_code, latin_address, normalise_postcode, split_chinese_address
from mappings.normalise.divisions import divisions, latin_places, leading_city, leading_province
from mappings.normalise.names import latin_person_name, person_tokens, split_person_name, surname_pinyin
from mappings.normalise.organisations import brand_key, organisation_tokens, split_organisation_name
from mappings.normalise.scripts import fold, fold_german, has_cjk, has_han, latin_text, pinyin, simplify
from mappings.normalise.surnames import SYLLABLES, syllables


@pytest.mark.parametrize(
    ("text", "given_name", "family_name"),
    [
        ("张伟", "伟", "张"),
        ("欧阳娜娜", "娜娜", "欧阳"),
        ("曾国藩 先生", "国藩", "曾"),
        ("阿卜杜拉·买买提", "阿卜杜拉", "买买提"),
        ("John Smith", "John", "Smith"),
        ("Smith, John", "John", "Smith"),
        ("Dr. Vincent van Gogh", "Vincent", "van Gogh"),
        ("Mr John A. Smith Jr.", "John A.", "Smith"),
        ("ZHANG Wei", "Wei", "ZHANG"),
        ("Zhang Xiaoming", "Xiaoming", "Zhang"),
        ("Xiaoming Zhang", "Xiaoming", "Zhang"),
        ("García Márquez, Gabriel", "Gabriel", "García Márquez"),
        ("Martin Luther King, Jr.", "Martin Luther", "King"),
    ],
)
def test_a_name_is_split_into_given_and_family(text: str, given_name: str, family_name: str) -> None:
    assert split_person_name(text) == (given_name, family_name)


@pytest.mark.parametrize("text", ["Madonna", "N/A", "", "张", "深圳市腾讯计算机系统有限公司", "x" * 400, ", "])
def test_what_does_not_show_its_parts_is_not_split(text: str) -> None:
    assert split_person_name(text) is None


@pytest.mark.parametrize(
    "texts",
    [
        ("张伟", "張偉", "Zhang Wei", "Wei Zhang", "ZHANG, Wei", "张伟先生"),
        ("王小明", "Wang Xiao Ming", "XIAOMING Wang", "Wang, Xiaoming"),
        ("欧阳娜娜", "Ouyang Nana", "Nana OUYANG"),
        ("吕布", "Lü Bu", "Lv Bu", "LYU BU"),
        ("单雄信", "Shan Xiongxin"),
        ("Jürgen Müller", "MULLER Jurgen", "Herr Jürgen Müller"),
        ("Pat O'Brien", "OBrien, Pat", "Pat O’Brien"),
    ],
)
def test_one_person_has_one_set_of_words_in_every_script_and_order(texts: tuple[str, ...]) -> None:
    assert len({person_tokens(text) for text in texts}) == 1


def test_surnames_are_read_as_surnames() -> None:
    surnames = {"单": "shan", "曾": "zeng", "仇": "qiu", "尉迟": "yuchi", "万俟": "moqi", "張": "zhang"}
    assert {s: surname_pinyin(s) for s in surnames} == surnames
    assert latin_person_name("仇英") == "Qiu Ying"
    assert latin_person_name("John") is None


PLAIN = sorted(s for s in SYLLABLES if "v" not in s and "yu" not in s)


@given(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=4))
def test_pinyin_is_cut_into_syllables_that_spell_it(parts: list[str]) -> None:
    cut = syllables("".join(parts))
    assert "".join(cut) == "".join(parts)
    assert set(cut) <= SYLLABLES


@pytest.mark.parametrize("word", ["smith", "xyz", "", "zhangx", "a" * 30])
def test_other_words_are_no_pinyin(word: str) -> None:
    assert syllables(word) == ()


def test_characters_that_nobody_can_read_are_no_words() -> None:
    assert person_tokens("王\U0002dafb") == ("wang",)
    assert person_tokens("\U0002dafb\U0002dafb") == ()
    assert latin_person_name("王\U0002dafb") is None


@given(st.text(max_size=40))
def test_person_names_of_any_kind_are_survived(text: str) -> None:
    tokens = person_tokens(text)
    assert list(tokens) == sorted(tokens)
    assert all(token.isascii() and token.isalnum() for token in tokens)
    split_person_name(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("深圳市腾讯计算机系统有限公司", ("深圳市", "腾讯", "计算机系统", "有限公司")),
        ("深圳市騰訊計算機系統有限公司", ("深圳市", "腾讯", "计算机系统", "有限公司")),
        ("腾讯科技（深圳）有限公司", ("深圳", "腾讯", "科技", "有限公司")),
        ("北京小米科技有限责任公司", ("北京", "小米", "科技", "有限责任公司")),
        ("上海市浦东新区张江贸易有限公司", ("上海市浦东新区", "张江", "贸易", "有限公司")),
        ("广东省深圳市华为技术有限公司北京分公司", ("广东省深圳市", "华为", "技术", "有限公司北京分公司")),
        ("義烏市雙童吸管廠", ("义乌市", "双童吸管", "", "厂")),
        ("Acme GmbH & Co. KG", ("", "acme", "", "gmbh co kg")),
        ("ACME G.m.b.H.", ("", "acme", "", "gmbh")),
        ("Shenzhen Tengxun Computer System Co., Ltd.", ("shenzhen", "tengxun", "computer system", "co ltd")),
        ("A.P. Moller - Maersk A/S", ("", "ap moller maersk", "", "as")),
        ("The Boeing Company", ("", "boeing", "", "company")),
        ("Siemens AG", ("", "siemens", "", "ag")),
        ("公司", ("", "公司", "", "")),
    ],
)
def test_an_organisations_name_is_taken_apart(text: str, parts: tuple[str, str, str, str]) -> None:
    assert split_organisation_name(text) == parts


def test_a_brand_is_the_same_in_both_scripts() -> None:
    assert brand_key("深圳市腾讯计算机系统有限公司") == brand_key("Shenzhen Tengxun Co., Ltd.") == "tengxun"
    assert brand_key("N/A") == ""
    assert organisation_tokens("Acme Trading GmbH") == ("acme", "trading")


@given(st.text(max_size=60))
def test_an_organisation_with_a_name_has_a_brand(text: str) -> None:
    parts = split_organisation_name(text)
    if parts is not None:
        assert parts.brand


def test_scripts_are_told_apart_and_folded() -> None:
    assert has_han("a张")
    assert not has_han("カタカナ")
    assert has_cjk("カタカナ")
    assert simplify("騰訊計算機") == "腾讯计算机"
    assert pinyin("张a伟") == ["zhang", "wei"]
    assert fold("Łódź, Straße — ＡＢＣ１") == "lodz strasse abc1"
    assert (fold("Müller"), fold_german("Müller")) == ("muller", "mueller")
    assert latin_text("深圳1号") == "Shen Zhen 1 Hao"


@given(st.text(max_size=60))
def test_folded_text_is_plain_ascii_and_folds_to_itself(text: str) -> None:
    folded = fold(text)
    assert folded.isascii()
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("广东省深圳市南山区科技园路1号 518057", ("广东省", "深圳市", "南山区", "科技园路1号", "518057")),
        ("上海市浦东新区世纪大道100号", ("上海市", "上海市", "浦东新区", "世纪大道100号", "")),
        ("深圳南山区高新南一道", ("广东省", "深圳市", "南山区", "高新南一道", "")),
        ("浙江省義烏市稠州北路", ("浙江省", "义乌市", "", "稠州北路", "")),
        ("江苏省苏州市昆山市玉山镇", ("江苏省", "苏州市", "昆山市", "玉山镇", "")),
        ("中国广东省广州市天河区天河路", ("广东省", "广州市", "天河区", "天河路", "")),
        ("上海市南京路1号", ("上海市", "上海市", "", "南京路1号", "")),
        ("臺北市信義區", ("", "台北市", "信义区", "", "")),
    ],
)
def test_a_chinese_address_is_taken_apart(text: str, parts: tuple[str, ...]) -> None:
    assert split_chinese_address(text) == parts


def test_an_address_without_chinese_is_not_taken_apart_but_has_a_latin_form() -> None:
    assert split_chinese_address("1 High Street") is None
    assert latin_address("深圳市 1 号") == "Shen Zhen Shi 1 Hao"
    assert latin_address("   ") is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("China", "CN"), ("中华人民共和国", "CN"), ("P.R. China", "CN"), ("法國", "FR"), ("Deutschland", "DE"),
     ("uk", "GB"), ("U.S.A.", "US"),
     ("Côte d’Ivoire", "CI"), ("中国台湾", "TW"), ("de", "DE"), ("XX", None), ("Atlantis", None), ("", None)],
)  # fmt: skip
def test_countries_are_known_by_name_and_code(text: str, code: str | None) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [("518057", "CN", "518057"), ("51805", "CN", None), ("n19gu", "GB", "N1 9GU"), ("k1a0b1", "CA", "K1A 0B1"),
     ("1000001", "JP", "100-0001"), ("9411 ab", "NL", "9411 AB"), ("12345-6789", "US", "12345-6789"),
     (" a 1 ", "ZZ", "A 1"), ("", None, None)],
)  # fmt: skip
def test_postcodes_follow_their_country(text: str, country: str | None, expected: str | None) -> None:
    assert normalise_postcode(text, country) == expected


def test_the_table_of_divisions_is_whole_and_current() -> None:
    known = divisions()
    assert {"广东省", "新疆维吾尔自治区", "北京市", "香港特别行政区"} <= set(known.provinces)
    assert leading_province("广东深圳") == ("广东省", 2)
    assert leading_province("内蒙古包头") == ("内蒙古自治区", 3)
    assert leading_city("襄阳市") == ("襄阳市", 3)
    assert leading_city("襄樊市") == ("", 0)
    assert leading_city("朝阳市", "辽宁省").name == "朝阳市"
    assert "shenzhen" in latin_places()
