"""Masking: nothing personal is left of a person, and every field of the model has its class."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.customer import Customer
from mappings.sensitivity import SENSITIVITY, is_personal
from sync.privacy.masking import HIDDEN, hidden, masked, masked_body, masked_name, masked_value

PERSON: dict[str, Any] = {
    "kind": "person",
    "name": "张伟",
    "given_name": "伟",
    "latin_name": "Zhang Wei",
    "birth_date": "1980-02-03",
    "identifiers": [{"scheme": "cn.id", "value": "110101198002031234", "valid": True}],
    "emails": [{"value": "zhang.wei@example.com", "label": "work"}],
    "phones": [{"value": "+8613800138000", "extension": "4711"}],
    "addresses": [{"country": "CN", "city": "北京", "street": "长安街 1 号", "text": "北京长安街 1 号"}],
    "website": "https://zhangwei.example",
    "owner": "Anna",
    "tags": ["vip"],
    "consents": [{"channel": "email", "purpose": "marketing", "granted": True}],
    "external_ids": {"crm": "Z-77"},
    "attributes": {"shoe_size": 42},
}
SECRETS = ("张伟", "Zhang Wei", "1980-02-03", "11010119800203123", "zhang.wei@", "1380013800", "4711", "长安街",
           "zhangwei", "Anna", "Z-77", "shoe_size")  # fmt: skip


def test_every_field_of_the_canonical_customer_has_its_class() -> None:
    assert set(SENSITIVITY) == set(Customer.model_fields)
    assert is_personal("person", "name")
    assert not is_personal("organisation", "name")
    assert is_personal("organisation", "a field of tomorrow")


def test_nothing_personal_is_left_of_a_person() -> None:
    seen = masked(PERSON)
    text = orjson.dumps(seen).decode()
    assert [secret for secret in SECRETS if secret in text] == []
    assert seen["emails"] == [{"value": "z***@example.com", "label": "work"}]
    assert seen["phones"] == [{"value": "***00"}]
    assert seen["addresses"] == [{"country": "CN", "city": "北京"}]
    assert seen["tags"] == ["vip"]
    assert seen["consents"] == PERSON["consents"]


def test_whoever_may_read_personal_data_sees_all() -> None:
    assert masked(PERSON, personal=True) == PERSON


def test_an_organisation_is_public_but_not_how_to_reach_it() -> None:
    company = {**PERSON, "kind": "organisation", "name": "Acme GmbH"}
    seen = masked(company)
    assert seen["name"] == "Acme GmbH"
    assert seen["addresses"] == PERSON["addresses"]
    assert seen["phones"] == [{"value": "***00"}]
    assert "birth_date" not in seen


def test_changed_fields_that_do_not_tell_the_kind_are_masked_by_the_customers() -> None:
    body = {"set": {"name": "Acme GmbH"}, "joined": [["erp", "customers", "1", ""]]}
    assert masked_body(body, "organisation")["set"] == {"name": "Acme GmbH"}
    assert masked_body(body, "person") == {"set": {"name": "A***"}, "joined": [["erp", "customers", "***", ""]]}


def test_ids_by_which_systems_know_a_person_are_masked_and_say_still_what_part_they_are() -> None:
    body = {"left": [["crm", "contacts", "zhang@example.com", "contact:13800138000"]], "unset": ["phones"]}
    assert masked_body(body, "person") == {"left": [["crm", "contacts", "***om", "contact:***00"]], "unset": ["phones"]}
    assert masked({"name": "Acme GmbH"}) == {"name": "A***"}


@pytest.mark.parametrize(
    ("kind", "name", "seen"),
    [("person", "张伟", "张***"), ("person", "a.b@example.com", "a***@example.com"), ("organisation", "Acme", "Acme"),
     ("person", None, None)],
)  # fmt: skip
def test_the_name_of_a_list_is_masked_even_where_it_is_a_contact(kind: str, name: str | None, seen: str | None) -> None:
    assert masked_name(kind, name) == seen


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_a_value_of_any_shape_is_masked_and_never_shown(value: Any) -> None:
    told = {field: masked_value("person", field, value) for field in ("emails", "addresses", "birth_date", "owner")}
    left = {"".join(one for one in repr(seen) if one not in "[]{}, '*") for seen in told.values()}
    assert left <= {"", "None"}


def test_a_document_keeps_its_shape_alone() -> None:
    document = {"a": ["secret", 12, None, True], "b": {"c": 1.5}}
    assert hidden(document) == {"a": [HIDDEN, HIDDEN, None, True], "b": {"c": HIDDEN}}
    deep: Any = "secret"
    for _ in range(200):
        deep = [deep]
    assert "secret" not in str(hidden(deep))
