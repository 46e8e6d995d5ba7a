"""A first draft of a mapping for records nobody has described."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.errors import RecordInvalid
from mappings.guessing import guess
from mappings.preview import check
from mappings.suggest import suggest_mapping

CHINESE = [
    {
        "客户编码": f"C{n}",
        "客户名称": f"甲{n}有限公司",
        "手机号": f"1381234567{n}",
        "邮箱": f"a{n}@x.cn",
        "税号": "91440300708461136T",
        "送货地址": "深圳市",
        "信用额度": "100",
        "修改时间": "2026-01-02 03:04:05",
        "备注": "x",
    }
    for n in range(9)
]
ENGLISH = [
    {
        "Customer ID": n,
        "First Name": "Ann",
        "Last-Name": "Lee",
        "E-Mail Address": f"a{n}@x.com",
        "Mobile": "+1 415 555 2671",
        "address": {"city": "Berlin", "zip": "10115", "country": "DE"},
        "Last Modified": "2026-01-02T03:04:05Z",
        "score": 3,
    }
    for n in range(9)
]


def targets(records: list[dict[str, Any]]) -> dict[str, str | None]:
    return {one.path: one.target for one in guess(records) if one.confidence >= 0.5}


def test_chinese_headers_are_understood() -> None:
    assert targets(CHINESE) == {
        "客户编码": "external_ids",
        "客户名称": "name",
        "手机号": "phones",
        "邮箱": "emails",
        "税号": "identifiers",
        "送货地址": "addresses.text",
        "信用额度": "credit_limit",
        "修改时间": "source_changed_at",
    }


def test_english_headers_are_understood_whatever_their_case_and_separators() -> None:
    found = targets(ENGLISH)
    assert found["First Name"] == "given_name"
    assert found["Last-Name"] == "family_name"
    assert found["E-Mail Address"] == "emails"
    assert found["Mobile"] == "phones"
    assert found["address.country"] == "addresses.country"
    assert found["Last Modified"] == "source_changed_at"
    assert "score" not in found


def test_values_tell_what_names_do_not() -> None:
    records = [{"cf_1": f"a{n}@x.cn", "cf_2": f"1391234567{n}", "cf_3": "91440300708461136T"} for n in range(5)]
    assert targets(records) == {"cf_1": "emails", "cf_2": "phones", "cf_3": "identifiers"}


def test_of_two_fields_for_one_target_the_likelier_is_taken() -> None:
    found = {one.path: one.target for one in guess([{"公司名称及备注": "x", "客户名称": "y"}])}
    assert found["客户名称"] == "name"
    assert found["公司名称及备注"] is None


def test_values_that_do_not_fit_the_name_lower_the_confidence() -> None:
    fitting, misfit = guess([{"email": "a@x.cn"}])[0], guess([{"email": "see memo"}])[0]
    assert fitting.confidence > 0.9
    assert misfit.confidence < 0.5


@pytest.mark.parametrize(("records", "kind"), [(CHINESE, "organisation"), (ENGLISH, "person")])
def test_the_draft_is_a_mapping_that_maps_the_records_it_was_made_from(
    records: list[dict[str, Any]], kind: str
) -> None:
    text = suggest_mapping(records)
    checked = check(text)
    assert checked.mapper is not None, checked.error
    (mapped,) = checked.mapper(records[3])
    assert mapped.customer["kind"] == kind
    assert mapped.customer["emails"]
    assert mapped.customer["addresses"]
    assert "# not used:" in text


@pytest.mark.parametrize("records", [[], [{}], [{"x": 1}], [{"": ""}]])
def test_a_draft_for_nothing_is_still_a_valid_file(records: list[dict[str, Any]]) -> None:
    assert check(suggest_mapping(records)).error is None


def test_a_house_number_alone_makes_no_address() -> None:
    drafted = suggest_mapping([{"NR": None, "Name": "Anna"}])
    assert "addresses" not in drafted
    assert check(drafted).mapper is not None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=30), st.one_of(st.none(), st.text(max_size=30), st.integers(), st.floats())),
        max_size=5,
    )
)
def test_any_records_give_a_valid_file_that_maps_or_refuses_them(records: list[dict[str, Any]]) -> None:
    checked = check(suggest_mapping(records))
    assert checked.mapper is not None, checked.error
    for record in records:
        with contextlib.suppress(RecordInvalid):
            checked.mapper(record)
