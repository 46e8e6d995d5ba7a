"""Emails, identifiers, dates and placeholders."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.customer import Email, Identifier
from mappings.normalise.dates import normalise_birth_date
from mappings.normalise.emails import fold_email, is_free_mail, normalise_email, split_emails
from mappings.normalise.identifiers import is_valid_uscc, normalise_identifier, tax_authority
from mappings.normalise.placeholders import (
    is_placeholder_email,
    is_placeholder_identifier,
    is_placeholder_phone,
    is_placeholder_text,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zhang.Wei@Firm.CN", "zhang.wei@firm.cn"),
        ('"Zhang, Wei" <zw@firm.cn>', "zw@firm.cn"),
        ("mailto:zw@firm.cn", "zw@firm.cn"),
        ("<zw@firm.cn>;", "zw@firm.cn"),
        ("ｚｗ＠ｑｑ．ｃｏｍ", "zw@qq.com"),
        ("zw@qq。com", "zw@qq.com"),
        ("info@münchen.de", "info@xn--mnchen-3ya.de"),
        ("张伟@例子.中国", "张伟@xn--fsqu00a.xn--fiqs8s"),
        ("zw@firm", None),
        ("zw@127.0.0.1", None),
        ("@firm.cn", None),
        ("a b@firm.cn", None),
        ("a..b@firm.cn", None),
        ("x" * 65 + "@firm.cn", None),
        ("zw@" + "a" * 300 + ".cn", None),
        ("", None),
        ("无", None),
    ],
)
def test_an_address_is_found_in_what_people_write(text: str, expected: str | None) -> None:
    assert normalise_email(text) == expected


def test_several_addresses_in_one_field_are_told_apart() -> None:
    assert split_emails("a@x.cn; B@x.cn，a@x.cn") == ["a@x.cn", "b@x.cn"]
    assert split_emails("none") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("j.doe+shop@gmail.com", "jdoe@googlemail.com"),
        ("jo+news@outlook.com", "jo@outlook.com"),
        ("jo-news@yahoo.com", "jo@yahoo.com"),
        ("jo@pm.me", "jo+x@protonmail.com"),
    ],
)
def test_spellings_of_one_mailbox_fold_to_one(one: str, other: str) -> None:
    assert fold_email(one) == fold_email(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("j.doe@firm.cn", "jdoe@firm.cn"), ("jo+a@firm.cn", "jo@firm.cn"), ("+a@gmail.com", "+b@gmail.com")],
)
def test_elsewhere_every_character_counts(one: str, other: str) -> None:
    assert fold_email(one) != fold_email(other)


def test_free_mail_is_told_from_a_companys_domain() -> None:
    assert is_free_mail("qq.com")
    assert not is_free_mail("tencent.com")


@pytest.mark.slow
@given(st.text(max_size=80) | st.emails())
def test_a_normalised_address_fits_the_canonical_model_and_stays(text: str) -> None:
    address = normalise_email(text)
    if address is not None:
        Email(value=address)
        assert normalise_email(address) == address
        assert fold_email(fold_email(address)) == fold_email(address)


@pytest.mark.parametrize(
    ("scheme", "text", "value", "valid"),
    [
        ("cn.uscc", "9144 0300 7084 6113 6T", "91440300708461136T", True),
        ("cn.uscc", "９１４４０３００７０８４６１１３６ｔ", "91440300708461136T", True),
        ("cn.uscc", "914403007084611361", "914403007084611361", False),
        ("cn.uscc", "440301708461136", "440301708461136", False),
        ("eu.vat", "de 136 695 976", "DE136695976", True),
        ("de.vat", "136695976", "DE136695976", True),
        ("eu.vat", "FR61 954 506 077", "FR61954506077", True),
        ("eu.vat", "DE136695975", "DE136695975", False),
        ("gb.vat", "GB 980 7806 84", "GB980780684", True),
        ("us.ein", "04-2103594", "042103594", True),
        ("lei", "529900T8BM49AURSDO55", "529900T8BM49AURSDO55", True),
        ("gln", "4006381333931", "4006381333931", True),
        ("gln", "4006381333932", "4006381333932", False),
        ("cn.ric", "11010519491231002x", "11010519491231002X", True),
        ("duns", "15-048-3782", "150483782", False),
        ("sap.kunnr", "0000100042", "0000100042", False),
        ("os.system", "4711", "4711", False),
        ("cn.__doc__", "4711", "4711", False),
    ],
)
def test_numbers_are_checked_by_their_scheme(scheme: str, text: str, value: str, valid: bool) -> None:
    assert normalise_identifier(scheme, text) == (value, valid)


@pytest.mark.parametrize("text", ["", "  ", "000000000", "123456789", "XXXXXX", "1" * 200, "无"])
def test_fillers_are_no_numbers(text: str) -> None:
    assert normalise_identifier("eu.vat", text) is None


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_a_single_wrong_character_breaks_a_uscc(at: int, character: str) -> None:
    right = "91440300708461136T"
    wrong = right[:at] + character + right[at + 1 :]
    assert is_valid_uscc(wrong) == (wrong == right)


@given(
    st.sampled_from(["cn.uscc", "eu.vat", "de.vat", "us.ein", "lei", "gln", "cn.ric", "fr.siren", "x.y"]),
    st.text(max_size=200),
)
def test_any_text_is_survived_and_the_result_fits_the_canonical_model(scheme: str, text: str) -> None:
    found = normalise_identifier(scheme, text)
    if found is not None:
        Identifier(scheme=scheme, value=found.value, valid=found.valid)
        assert normalise_identifier(scheme, found.value) == found


@pytest.mark.parametrize("text", ["00O\u0308", "00O-\u0308", "00o \u0308"])
def test_a_letter_and_its_accent_are_one_whatever_stood_between_them(text: str) -> None:
    found = normalise_identifier("x.y", text)
    assert found is not None
    assert found.value == "00\u00d6"


def test_taxpayers_are_compared_within_one_authority() -> None:
    assert tax_authority("eu.vat", "DE136695976") == tax_authority("de.vat", "DE136695976")
    assert tax_authority("eu.vat", "EL094259216") == tax_authority("gr.vat", "EL094259216")
    assert tax_authority("eu.vat", "FR61954506077") != tax_authority("eu.vat", "DE136695976")
    assert tax_authority("lei", "529900T8BM49AURSDO55") is None


@pytest.mark.parametrize(
    "text",
    ["1980-04-03", "1980/4/3", "19800403", "1980年4月3日", "1980.04.03", "3.4.1980", "3 Apr 1980", "April 3, 1980",
     "3rd April 1980", "1980-04-03T00:00:00Z", "１９８０－０４－０３"],
)  # fmt: skip
def test_a_birth_date_is_read_in_many_forms(text: str) -> None:
    assert normalise_birth_date(text) == date(1980, 4, 3)


def test_a_date_that_can_be_read_two_ways_needs_to_be_told_how() -> None:
    assert normalise_birth_date("03/04/1980") is None
    assert normalise_birth_date("03/04/1980", "day_first") == date(1980, 4, 3)
    assert normalise_birth_date("03/04/1980", "month_first") == date(1980, 3, 4)
    assert normalise_birth_date("23/04/1980") == date(1980, 4, 23)
    assert normalise_birth_date("04/23/1980") == date(1980, 4, 23)


@pytest.mark.parametrize(
    "text",
    ["1980-02-30", "000-04-23", "0000-00-00", "1900-01-01", "1799-05-05", "1980", "n/a", "", "5 Foo 1980", "9" * 100],
)
def test_impossible_dates_and_nobodys_are_refused(text: str) -> None:
    assert normalise_birth_date(text) is None


def test_a_date_after_the_latest_allowed_is_refused() -> None:
    assert normalise_birth_date("2030-01-01", latest=date(2026, 1, 1)) is None


@given(st.dates(date(1902, 1, 1), date(2026, 1, 1)), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d %B %Y"]))
def test_every_date_written_is_read_back(day: date, form: str) -> None:
    assert normalise_birth_date(day.strftime(form)) == day


@pytest.mark.parametrize("text", ["N/A", "无", "未知", "暂无", "test", " --- ", "(none)", "xxx", "???", "", "  ", "0"])
def test_texts_that_say_unknown(text: str) -> None:
    assert is_placeholder_text(text)


@pytest.mark.parametrize("text", ["无锡", "张三", "Nan Wu", "Noel", "Xu", "ABC"])
def test_names_that_look_a_little_like_placeholders(text: str) -> None:
    assert not is_placeholder_text(text)


@pytest.mark.parametrize(
    "address", ["noemail@firm.cn", "test@firm.cn", "aaa@firm.cn", "jo@none.com", "jo@x.invalid", "test+1@a.cn"]
)
def test_mailboxes_that_are_nobodys(address: str) -> None:
    assert is_placeholder_email(address)


@pytest.mark.parametrize("address", ["zw@firm.cn", "tester.jo@firm.cn", "nora@firm.cn"])
def test_mailboxes_that_are_somebodys(address: str) -> None:
    assert not is_placeholder_email(address)


@pytest.mark.parametrize(
    "number",
    [
        "+8613800138000",
        "13800138000",
        "11111111111",
        "+8611111111111",
        "123456789",
        "0000000",
        "+4901234567",
        "987654321",
        "110",
    ],
)
def test_numbers_that_are_nobodys(number: str) -> None:
    assert is_placeholder_phone(number)


@pytest.mark.parametrize(
    "number", ["+8613912345671", "+493012345678", "+12024561111", "+447700900123", "+8675586013388"]
)
def test_numbers_that_are_somebodys(number: str) -> None:
    assert not is_placeholder_phone(number)


@pytest.mark.parametrize("value", ["0", "AA", "000000", "DE000000000", "123456789"])
def test_identifiers_that_are_nobodys(value: str) -> None:
    assert is_placeholder_identifier(value)
