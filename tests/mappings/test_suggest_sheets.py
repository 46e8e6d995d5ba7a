"""Drafts for made-up files, in English, Chinese and German: what each column means is found."""

from __future__ import annotations

import pytest

from mappings.compile import Mapper, MappingDefaults, compile_mapping
from mappings.guessing import KEEP, Phrase, guess
from mappings.paths import quoted
from mappings.preview import check
from mappings.spec import load_spec
from mappings.suggest import suggest_mapping
from tests.mappings.sheets import SHEETS, Sheet

named = pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)


@named
def test_every_column_is_taken_for_what_it_is(sheet: Sheet) -> None:
    found = {one.path: one.target if one.confidence >= KEEP else None for one in guess(sheet.rows)}
    assert found == {quoted(column): target for column, target in sheet.meant.items()}


@named
def test_the_draft_maps_both_rows_without_a_correction(sheet: Sheet) -> None:
    checked = check(suggest_mapping(sheet.rows))
    assert checked.mapper is not None, checked.error
    mapper = compile_mapping(
        load_spec(suggest_mapping(sheet.rows), name="draft"), defaults=MappingDefaults(region="CN")
    )
    for row in sheet.rows:
        first, *_others = mapper(row)
        assert first.customer["name"]


def test_a_person_beside_an_organisation_becomes_a_contact_of_it() -> None:
    (sheet,) = (one for one in SHEETS if one.name == "exhibition contacts in both languages")
    mapper = check(suggest_mapping(sheet.rows)).mapper
    assert mapper is not None
    company, contact = mapper(sheet.rows[0])
    assert (company.customer["kind"], company.customer["name"]) == ("organisation", "Blue Sea Trading")
    assert (contact.customer["kind"], contact.customer["name"]) == ("person", "Wang Xiaoming")
    assert contact.customer["organisation"]["role"] == "Manager"


def test_a_file_of_contacts_alone_holds_persons() -> None:
    mapper = check(suggest_mapping([{"联系人": "王小明", "手机": "13800138001"}])).mapper
    assert mapper is not None
    (mapped,) = mapper({"联系人": "王小明", "手机": "13800138001"})
    assert (mapped.customer["kind"], mapped.customer["name"]) == ("person", "王小明")


def test_a_time_that_no_name_explains_is_not_taken_for_the_change_stamp() -> None:
    (one,) = guess([{"字段7": "2025-01-02 03:04:05"}])
    assert one.target is None


@pytest.mark.parametrize(
    ("column", "value", "scheme"),
    [
        ("tax_no", "DE136695976", "eu.vat"),
        ("统一编号", "04595257", "tw.ubn"),
        ("税号", "91330100MA27XKTY07", "cn.uscc"),
        ("vat", "see memo", "eu.vat"),
    ],
)
def test_the_scheme_of_a_number_is_told_by_name_or_value(column: str, value: str, scheme: str) -> None:
    assert f"{{scheme: {scheme}, " in suggest_mapping([{column: value, "name": "x"}])


def test_the_comments_are_in_the_language_asked_for() -> None:
    def shout(phrase: Phrase) -> str:
        return str(phrase).upper()

    text = suggest_mapping([{"客户名称": "甲有限公司", "x": "1"}], tell=shout)
    assert "# 100%: KNOWN NAME, 100% OF ITS VALUES FIT" in text
    assert "# NOT USED: X" in text
    assert check(text).error is None


def test_street_and_number_are_one_text_in_the_order_of_the_columns() -> None:
    rows = [{"name": "Ann", "street_number": "12", "address_1": "High Street", "city": "Leeds"}]
    (mapped,) = mapper_of(rows)(rows[0])
    assert mapped.customer["addresses"] == [{"street": "12 High Street", "city": "Leeds"}]
    rows = [{"Name": "Ann", "Straße": "Hauptstraße", "Hausnummer": "3a"}]
    (mapped,) = mapper_of(rows)(rows[0])
    assert mapped.customer["addresses"] == [{"street": "Hauptstraße 3a"}]


def test_days_and_months_are_told_apart_by_the_whole_column() -> None:
    british = [{"name": "Ann", "dob": "03/04/1980"}, {"name": "Bob", "dob": "23/04/1980"}]
    assert mapper_of(british)(british[0])[0].customer["birth_date"] == "1980-04-03"
    american = [{"name": "Ann", "dob": "03/04/1980"}, {"name": "Bob", "dob": "04/23/1980"}]
    mapper = mapper_of(american)
    assert mapper(american[0])[0].customer["birth_date"] == "1980-03-04"
    assert "birth_date" not in mapper({"name": "Cid", "dob": "23/04/1980"})[0].customer
    unclear = [{"name": "Ann", "dob": "03/04/1980"}]
    assert "birth_date" not in mapper_of(unclear)(unclear[0])[0].customer


@pytest.mark.parametrize(
    ("column", "scheme"),
    [("soc_sec_id", "file.socsecid"), ("身份证号码", "cn.ric"), ("NHS No", "gb.nhs"), ("Tax ID", "cn.uscc")],
)
def test_a_persons_number_has_a_scheme_of_its_own(column: str, scheme: str) -> None:
    (one,) = [one for one in guess([{column: "8413769"}]) if one.target == "identifiers"]
    assert one.scheme == scheme


def mapper_of(rows: list[dict[str, str]]) -> Mapper:
    return compile_mapping(load_spec(suggest_mapping(rows), name="draft"), defaults=MappingDefaults(region="CN"))
