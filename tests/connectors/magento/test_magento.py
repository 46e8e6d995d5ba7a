"""The Magento manifest against a simulator of the shop, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses

from connectors.conformance import Copy, Unsupported
from connectors.contract import Connector, Context, Mode, Read, Write
from connectors.errors import (
    BadCredentials,
    EndlessPages,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.rest.rules import filled
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.magento.magento_simulator import Magento, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered


class MagentoSource(VendorSource):
    vendor = "magento"
    server: Magento

    def settings(self) -> dict[str, Any]:
        return {"base_url": self.server.url, "access_token": Magento.KEY}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"access_token": "wrong-token-000"}, "access_token"

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@shop.example", "firstname": "Written", "lastname": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"email": self.server.rows[other]["email"]}, "conflict", key=one)


class GuestSource(MagentoSource):
    stream = "guests"

    def body(self, number: int) -> dict[str, Any]:
        raise Unsupported("orders are not written")


class MagentoSuite(VendorSuite):
    throttled = Answer(429, b"Too Many Requests", {"Content-Type": "text/plain"})

    def test_an_incremental_read_leaves_out_what_is_old(self, source: VendorSource, copy: Copy, stream: Any) -> None:
        newest = sorted(source.keys())[-1]  # thirteen hours are read again, and the others are an hour apart
        source.update(newest)
        copy.full()
        assert copy.incremental().changed == {newest}


class TestCustomers(MagentoSuite):
    @pytest.fixture
    def source(self) -> Iterator[MagentoSource]:
        with Magento() as server:
            yield MagentoSource(server)


class TestGuests(MagentoSuite):
    @pytest.fixture
    def source(self) -> Iterator[GuestSource]:
        with Magento(plural="orders") as server:
            yield GuestSource(server)


@pytest.fixture
def shop() -> Iterator[Magento]:
    with Magento() as server:
        yield server


@pytest.fixture
def connector(shop: Magento) -> Iterator[Connector[Any]]:
    made = MagentoSource(shop).connect()
    yield made
    made.close()


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("customers", **more)) for record in page.records]


class TestReading:
    def test_the_last_page_that_comes_again_and_again_is_never_asked_for(
        self, shop: Magento, connector: Connector[Any]
    ) -> None:
        assert len(read(connector, page_size=4)) == 8
        assert not [call for call in shop.calls if "searchCriteria[currentPage]" in call.query]

    def test_a_shop_that_ignores_the_key_is_found_out(self, shop: Magento, connector: Connector[Any]) -> None:
        shop.ignores_key = True
        with pytest.raises(EndlessPages):
            read(connector, page_size=4)

    @pytest.mark.parametrize("hours", [-12, -5, 0, 8, 14])
    def test_nothing_is_lost_in_whatever_zone_the_shop_reads_its_filter(self, shop: Magento, hours: int) -> None:
        source = MagentoSource(shop)
        copy = Copy(source.connect(), source)
        copy.full()
        shop.zone_of_filters = timedelta(hours=-hours)
        shop.update("2")
        assert "2" in copy.incremental().changed

    def test_a_backfill_sends_only_the_bounds_it_has(self, shop: Magento, connector: Connector[Any]) -> None:
        until = connector.context.now() - timedelta(days=29)
        assert len(read(connector, mode=Mode.INCREMENTAL, until=until)) == 8
        assert not [name for name in shop.calls[0].query if "filter_groups][1]" in name]
        shop.calls.clear()
        since = connector.context.now() - timedelta(minutes=1)
        assert not read(connector, mode=Mode.INCREMENTAL, since=since)
        assert not [name for name in shop.calls[0].query if "filter_groups][2]" in name]

    def test_an_address_that_moves_no_stamp_is_found_by_the_next_full_read(self, shop: Magento) -> None:
        source = MagentoSource(shop)
        source.update("8")  # thirteen hours are read again, and the others are an hour apart
        copy = Copy(source.connect(), source).full()
        shop.rows["1"]["addresses"][0]["city"] = "York"
        assert copy.incremental().bodies["1"]["addresses"][0]["city"] == "Leeds"
        assert copy.full().bodies["1"]["addresses"][0]["city"] == "York"

    def test_maintenance_is_a_passing_fault(self, shop: Magento, connector: Connector[Any]) -> None:
        page = Answer(503, b"<html>Service Temporarily Unavailable</html>", {"Content-Type": "text/html"})
        shop.habits.fail_next = [page]
        assert len(read(connector)) == 8
        shop.habits.fail_next = [page] * 4
        with pytest.raises(RetryLater):
            read(connector)

    def test_a_missing_right_is_named(self, shop: Magento, connector: Connector[Any]) -> None:
        shop.habits.no_permission = True
        with pytest.raises(PermissionMissing, match="Magento_Customer::customer"):
            read(connector)

    def test_orders_of_customers_are_no_guests_even_where_the_shop_ignores_that_filter(self) -> None:
        with Magento(plural="orders") as shop:
            shop.rows["1"] |= {"customer_id": 25}
            source = GuestSource(shop)
            mapper = compile_mapping(load_spec(source.folder / "mapping-guests.yaml"))
            mapped = {key: mapper(body) for key, body in bodies(source).items()}
        assert not mapped["1"]
        assert all(mapped[key] for key in mapped if key != "1")


class TestWriting:
    def test_an_update_keeps_the_addresses_that_it_does_not_write(
        self, shop: Magento, connector: Connector[Any]
    ) -> None:
        before = shop.rows["2"]["addresses"]
        (result,) = connector.write("customers", [Write({"lastname": "New"}, "w1", key="2")])
        assert result.error is None
        assert shop.rows["2"]["lastname"] == "New"
        assert shop.rows["2"]["addresses"] == before
        assert shop.rows["2"]["firstname"] == "Ann"

    def test_nothing_is_sent_where_nothing_differs(self, shop: Magento, connector: Connector[Any]) -> None:
        (result,) = connector.write("customers", [Write({"lastname": "Lee 2"}, "w1", key="2")])
        assert (result.key, result.error) == ("2", None)
        assert [call.method for call in shop.calls] == ["GET"]

    def test_a_customer_changed_since_we_saw_him_is_a_conflict(self, shop: Magento, connector: Connector[Any]) -> None:
        seen = {record.key: record.changed_at for record in read(connector)}["2"]
        fine = Write({"lastname": "A"}, "w1", key="2", expected=seen)
        assert connector.write("customers", [fine])[0].error is None
        (result,) = connector.write("customers", [Write({"lastname": "B"}, "w2", key="2", expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert shop.rows["2"]["lastname"] == "A"

    def test_another_website_may_have_the_same_email(self, shop: Magento, connector: Connector[Any]) -> None:
        shop.rows["1"]["website_id"] = 2
        body = {"email": shop.rows["1"]["email"], "firstname": "A", "lastname": "B"}
        (result,) = connector.write("customers", [Write(body, "w1")])
        assert result.created
        assert result.key not in (None, "1")

    def test_what_a_new_customer_lacks_is_named_and_its_neighbours_are_written(
        self, shop: Magento, connector: Connector[Any]
    ) -> None:
        bad = Write({"email": "n@x.example", "lastname": "N"}, "w1")
        gone = Write({"lastname": "N"}, "w2", key="999")
        nobody = Write({"firstname": "N"}, "w3")
        good = Write({"lastname": "Good"}, "w4", key="1")
        results = connector.write("customers", [bad, gone, nobody, good])
        assert [type(result.error) for result in results] == [
            RecordRejected,
            RecordRejected,
            RecordRejected,
            type(None),
        ]
        assert '"firstname" is required' in str(results[0].error)
        assert "999" in str(results[1].error)
        assert "email" in str(results[2].error)

    def test_a_race_for_the_same_email_is_a_conflict(self, shop: Magento, connector: Connector[Any]) -> None:
        shop.habits.fail_next = [Answer(200, {"items": [], "total_count": 0})]
        body = {"email": shop.rows["1"]["email"], "firstname": "A", "lastname": "B"}
        (result,) = connector.write("customers", [Write(body, "w1")])
        assert isinstance(result.error, WriteConflict)

    def test_an_email_in_use_at_an_update_overwrites_nothing(self, shop: Magento, connector: Connector[Any]) -> None:
        before = dict(shop.rows["1"])
        (result,) = connector.write("customers", [Write({"email": shop.rows["2"]["email"]}, "w1", key="1")])
        assert isinstance(result.error, WriteConflict)
        assert shop.rows["1"] == before


EXAMPLE = json.loads("""{"items":[{"id":7,"group_id":1,"created_at":"2025-12-01 00:00:00","updated_at":
"2026-01-02 03:04:05","created_in":"Default Store View","email":"ann@x.example","firstname":"Ann","lastname":"Lee",
"taxvat":"GB980780684","store_id":1,"website_id":1,"default_billing":"3","addresses":[{"id":3,"customer_id":7,"region":
{"region_code":null,"region":null,"region_id":0},"country_id":"GB","street":["1 Rd"],"company":"Acme","telephone":
"+44 113 4960000","postcode":"LS1","city":"Leeds","firstname":"Ann","lastname":"Lee","vat_id":"GB980780684",
"default_billing":true}],"disable_auto_group_change":0,"extension_attributes":{"is_subscribed":true},
"custom_attributes":[{"attribute_code":"erp_id","value":"C1"}]}],"search_criteria":{"page_size":100,"current_page":1},
"total_count":1}""")
CUSTOMERS = "https://93.184.216.34/rest/all/V1/customers/search"


def documented() -> Connector[Any]:
    connector = registered("magento").load()
    config = {"base_url": "https://93.184.216.34", "access_token": "secret-token"}
    return connector(connector.config_model(**config), Context("shop"))


def mapped(customer: dict[str, Any]) -> Any:
    return compile_mapping(load_spec(registered("magento").folder / "mapping.yaml"))(customer)


@responses.activate
def test_the_documented_customer_is_a_company_with_its_buyer() -> None:
    responses.get(CUSTOMERS, json=EXAMPLE)
    responses.get(CUSTOMERS, json={"items": [], "total_count": 0})
    (record,) = read(documented())
    assert (record.key, record.changed_at) == ("7", "2026-01-02T03:04:05.000000Z")
    company, buyer = mapped(json.loads(record.body))
    assert (company.customer["kind"], company.customer["name"]) == ("organisation", "Acme")
    assert company.customer["addresses"] == [
        {"label": "billing", "country": "GB", "city": "Leeds", "street": "1 Rd", "postcode": "LS1"}
    ]
    assert company.customer["identifiers"][0] == {"scheme": "eu.vat", "value": "GB980780684"}
    assert company.customer["external_ids"] == {"erp": "C1"}
    assert company.customer["consents"][0]["granted"] is True
    assert (buyer.customer["given_name"], buyer.customer["family_name"]) == ("Ann", "Lee")


def test_lists_for_objects_and_numbers_as_texts_are_mapped_too() -> None:
    odd = {"id": "7", "email": "a@x.example", "firstname": "A", "lastname": "B", "addresses": [], "region": [],
           "extension_attributes": [], "updated_at": "2026-01-02 03:04:05"}  # fmt: skip
    (person,) = mapped(odd)
    assert person.customer["emails"] == [{"value": "a@x.example"}]


@responses.activate
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "The consumer isn't authorized to access %resources.", BadCredentials),
        (403, "The consumer isn't authorized to access %resources.", PermissionMissing),
        (400, "Invalid attribute name: %resources", StreamBroken),
    ],
)
def test_documented_refusals_are_told_with_their_values(status: int, message: str, kind: type[Exception]) -> None:
    body = {"message": message, "parameters": {"resources": "Magento_Customer::customer"}}
    responses.get(CUSTOMERS, json=body, status=status)
    with pytest.raises(kind, match="Magento_Customer::customer") as caught:
        read(documented())
    assert "access_token" in str(caught.value) or status != 401
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values", "told"),
    [
        ("%fieldName is required", {"fieldName": "email"}, "email is required"),
        ("%1 of %2", ["a", 7], "a of 7"),
        ("%unknown and 100%", {"x": "y"}, "%unknown and 100%"),
        ("%a", {"a": "%b", "b": "c"}, "%b"),
        ("%a", None, "%a"),
    ],
)
def test_places_of_a_message_are_filled_once(text: str, values: Any, told: str) -> None:
    assert filled(text, values) == told


def test_a_refusal_of_the_simulator_looks_like_the_documented_one() -> None:
    body = json.loads(refusal(400, '"%fieldName" is required. Enter and try again.', fieldName="firstname").content)
    assert set(body) == {"message", "parameters", "trace"}
