"""Telephone numbers without a country code are read as dialled where their address is, not where we are."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.registry import load_registry
from mappings.compile import MappingDefaults, compile_mapping
from mappings.spec import load_spec

LEEDS = {"country": "GB", "city": "Leeds", "phone": "0113 496 0000", "first_name": "Ann", "last_name": "Lee"}
RECORDS: list[tuple[str, str, dict[str, Any]]] = [
    ("shopify", "mapping.yaml",
     {"displayName": "Ann", "addresses": [{"countryCodeV2": "GB", "city": "Leeds", "phone": "0113 496 0000"}]}),
    ("woocommerce", "mapping.yaml", {"email": "a@x.example", "billing": LEEDS}),
    ("woocommerce", "mapping-guests.yaml", {"customer_id": 0, "billing": LEEDS | {"email": "a@x.example"}}),
    ("magento", "mapping.yaml",
     {"firstname": "Ann", "addresses": [{"country_id": "GB", "telephone": "0113 496 0000"}]}),
    ("medusa", "mapping.yaml",
     {"first_name": "Ann", "phone": "0113 496 0000", "addresses": [{"country_code": "gb", "city": "Leeds"}]}),
    ("mailchimp", "mapping.yaml",
     {"email_address": "a@x.example", "merge_fields": {"PHONE": "0113 496 0000", "ADDRESS": {"country": "GB"}}}),
    ("mautic", "mapping.yaml",
     {"fields": {"all": {"email": "a@x.example", "phone": "0113 496 0000", "country": "United Kingdom"}}}),
    ("msgraph", "mapping.yaml",
     {"displayName": "Ann", "mobilePhone": "0113 496 0000", "businessAddress": {"countryOrRegion": "United Kingdom"}}),
]  # fmt: skip


@pytest.mark.parametrize(("vendor", "mapping", "record"), RECORDS)
def test_a_number_is_read_as_dialled_at_its_address(vendor: str, mapping: str, record: dict[str, Any]) -> None:
    spec = load_spec(load_registry().get(vendor).folder / mapping)
    mapped = compile_mapping(spec, defaults=MappingDefaults(region="CN"))(record)
    assert [phone["value"] for phone in mapped[0].customer["phones"]] == ["+441134960000"]


def test_an_address_that_is_an_empty_text_does_no_harm() -> None:
    spec = load_spec(load_registry().get("mailchimp").folder / "mapping.yaml")
    member = {"email_address": "a@x.example", "merge_fields": {"PHONE": "13800138000", "ADDRESS": ""}}
    (mapped,) = compile_mapping(spec, defaults=MappingDefaults(region="CN"))(member)
    assert mapped.customer["phones"] == [{"value": "+8613800138000"}]
