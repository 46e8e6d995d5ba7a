"""The WooCommerce manifest against a simulator of the shop, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import BadCredentials, PermissionMissing, RecordRejected, WaitUntil
from connectors.registry import load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies
from tests.connectors.woocommerce.woo_simulator import WooCommerce, refusal

SECRET = "woo-hook-secret"


class WooSource(VendorSource):
    vendor = "woocommerce"
    server: WooCommerce

    def settings(self) -> dict[str, Any]:
        key, _, secret = WooCommerce.KEY.partition(":")
        login = {"consumer_key": key, "consumer_secret": secret}
        return {"base_url": self.server.url, **login, "webhook_secret": SECRET}

    def webhook(self, key: str) -> Inbound:
        return self.server.hook(key, SECRET)

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"consumer_secret": "cs_wrong_0000"}, "consumer_secret"

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@shop.example", "first_name": "Written", "last_name": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"email": self.server.rows[other]["email"]}, "conflict", key=one)


class GuestSource(WooSource):
    stream = "guests"


class WooSuite(VendorSuite):
    throttled = Answer(429, b"Too Many Requests", {"Content-Type": "text/plain"})


class TestCustomers(WooSuite):
    @pytest.fixture
    def source(self) -> Iterator[WooSource]:
        with WooCommerce() as server:
            yield WooSource(server)


class TestGuests(WooSuite):
    @pytest.fixture
    def source(self) -> Iterator[GuestSource]:
        with WooCommerce(plural="orders") as server:
            yield GuestSource(server)


@pytest.fixture
def shop() -> Iterator[WooCommerce]:
    with WooCommerce() as server:
        yield server


@pytest.fixture
def connector(shop: WooCommerce) -> Iterator[Connector[Any]]:
    made = WooSource(shop).connect()
    yield made
    made.close()


def read(connector: Connector[Any], stream: str = "customers") -> list[Any]:
    return [record for page in connector.read(Read(stream, Mode.FULL)) for record in page.records]


def test_users_of_every_role_are_read(shop: WooCommerce, connector: Connector[Any]) -> None:
    shop.rows["2"]["role"] = "subscriber"
    assert {record.key for record in read(connector)} == set(shop.rows)


def test_a_stamp_without_zone_is_utc_and_a_customer_never_modified_has_that_of_his_creation(
    shop: WooCommerce, connector: Connector[Any]
) -> None:
    found = {record.key: record.changed_at for record in read(connector)}
    assert found["1"] == shop.rows["1"]["date_modified_gmt"] + ".000000Z"
    assert found["3"] == shop.rows["3"]["date_created_gmt"] + ".000000Z"


def test_no_customer_is_passed_by_when_another_is_deleted_during_the_read(shop: WooCommerce) -> None:
    source = WooSource(shop)
    copy = Copy(source.connect(), source)
    copy.full(lambda: shop.delete("1"))
    assert source.keys() <= set(copy.bodies)


def test_a_php_notice_before_the_json_is_a_passing_fault(shop: WooCommerce, connector: Connector[Any]) -> None:
    notice = b"<br />\n<b>Notice</b>: Undefined index<br />\n" + json.dumps(list(shop.rows.values())).encode()
    shop.habits.fail_next = [Answer(200, notice, {"Content-Type": "text/html"})]
    assert len(read(connector)) == len(shop.rows)


def test_a_byte_order_mark_does_no_harm(shop: WooCommerce, connector: Connector[Any]) -> None:
    marked = b"\xef\xbb\xbf" + json.dumps(list(shop.rows.values())).encode()
    shop.habits.fail_next = [Answer(200, marked)]
    assert len(read(connector)) == len(shop.rows)


def test_a_firewall_that_answers_403_with_a_page_makes_us_wait(shop: WooCommerce, connector: Connector[Any]) -> None:
    shop.habits.fail_next = [Answer(403, b"<html>Blocked</html>", {"Content-Type": "text/html"})]
    with pytest.raises(WaitUntil):
        read(connector)


def test_a_key_that_may_only_read_says_so_when_it_writes(shop: WooCommerce, connector: Connector[Any]) -> None:
    found = Answer(200, [])
    shop.habits.fail_next = [found, refusal(401, "woocommerce_rest_cannot_create", "Sorry, you are not allowed.")]
    with pytest.raises(PermissionMissing, match="not allowed"):
        connector.write("customers", [Write({"email": "x@shop.example"}, "w1")])


def test_a_race_for_the_same_email_is_a_conflict(shop: WooCommerce, connector: Connector[Any]) -> None:
    shop.habits.fail_next = [Answer(200, [])]  # the look-up saw nobody, and then somebody registered
    taken = shop.rows["1"]["email"]
    (result,) = connector.write("customers", [Write({"email": taken}, "w1")])
    assert type(result.error).__name__ == "WriteConflict"


def test_a_customer_gone_meanwhile_rejects_that_write_alone(shop: WooCommerce, connector: Connector[Any]) -> None:
    gone, fine = connector.write(
        "customers", [Write({"first_name": "A"}, "w1", key="999"), Write({"first_name": "B"}, "w2", key="1")]
    )
    assert isinstance(gone.error, RecordRejected)
    assert fine.error is None
    assert shop.rows["1"]["first_name"] == "B"
    assert shop.rows["1"]["last_name"] == "Lee 1"


def test_a_record_without_email_is_refused_before_anything_is_sent(
    shop: WooCommerce, connector: Connector[Any]
) -> None:
    (result,) = connector.write("customers", [Write({"first_name": "Nobody"}, "w1")])
    assert "email" in str(result.error)
    assert not shop.calls


def test_orders_of_customers_are_no_guests_even_where_the_shop_ignores_that_filter() -> None:
    with WooCommerce(plural="orders") as shop:
        shop.ignores_guest_filter = True  # that `customer=0` means guests is not documented
        shop.rows["1"]["customer_id"] = 25
        source = GuestSource(shop)
        mapper = compile_mapping(load_spec(source.folder / "mapping-guests.yaml"))
        mapped = {key: mapper(body) for key, body in bodies(source).items()}
        assert not mapped["1"]
        assert all(mapped[key] for key in mapped if key != "1")


def test_nothing_is_lost_where_modified_after_includes_its_own_second(shop: WooCommerce) -> None:
    with WooCommerce(plural="orders") as orders:
        source = GuestSource(orders)
        connector = source.connect()
        copy = Copy(connector, source)
        copy.full()
        same = orders.rows["8"]["date_modified_gmt"]
        key = orders.add(date_created_gmt=same, date_modified_gmt=same)
        copy.incremental()
        assert key in copy.changed
        asked = [call.query["modified_after"] for call in orders.calls if "modified_after" in call.query]
        assert asked[0] < same


def test_many_customers_are_written_by_one_call_and_each_has_its_result(
    shop: WooCommerce, connector: Connector[Any]
) -> None:
    taken = shop.rows["2"]["email"]
    batch = [
        Write({"first_name": "A"}, "w0", key="1"),
        Write({"email": "new@shop.example"}, "w1"),
        Write({"email": taken, "first_name": "B"}, "w2"),
        Write({"email": taken}, "w3", key="3"),
        Write({"first_name": "C"}, "w4", key="999"),
        Write({"email": "newer@shop.example"}, "w5"),
        Write({"first_name": "Nobody"}, "w6"),
    ]
    results = connector.write("customers", batch)
    assert [result.key for result in results] == ["1", "9", "2", "3", "999", "10", None]
    assert [result.created for result in results] == [False, True, False, False, False, True, False]
    kinds = [type(result.error).__name__ for result in results]
    assert kinds == ["NoneType"] * 3 + ["WriteConflict", "RecordRejected", "NoneType", "RecordRejected"]
    assert [call.path.rpartition("/")[2] for call in shop.calls if call.method != "GET"] == ["batch", "batch"]
    assert (shop.rows["1"]["first_name"], shop.rows["2"]["first_name"]) == ("A", "B")
    again = connector.write("customers", batch)
    assert [result.key for result in again] == [result.key for result in results]


def test_the_unsigned_ping_of_a_saved_webhook_is_answered(connector: Connector[Any]) -> None:
    assert connector.challenge(Inbound("POST", "/api/hooks/shop", {}, {}, b"webhook_id=11")) == b""


def test_a_deleted_customer_comes_with_its_number_alone(shop: WooCommerce, connector: Connector[Any]) -> None:
    shop.delete("2")
    (hint,) = connector.verify(shop.hook("2", SECRET))
    assert (hint.stream, hint.key) == ("customers", "2")
    assert list(connector.fetch("customers", ["2"]).deleted) == ["2"]


def test_an_order_of_a_known_customer_is_no_guest() -> None:
    with WooCommerce(plural="orders") as shop:
        shop.rows["1"]["customer_id"] = 25
        connector = GuestSource(shop).connect()
        assert connector.verify(shop.hook("1", SECRET)) == []
        assert [hint.stream for hint in connector.verify(shop.hook("2", SECRET))] == ["guests"]
        connector.close()


EXAMPLE = {
    "id": 25, "date_created_gmt": "2026-01-01T10:00:00", "date_modified_gmt": "2026-01-02T03:04:05",
    "email": "ann@x.example", "first_name": "Ann", "last_name": "Lee", "role": "customer", "username": "ann",
    "billing": {"first_name": "Ann", "last_name": "Lee", "company": "Acme", "address_1": "1 Rd", "address_2": "",
                "city": "Leeds", "state": "", "postcode": "LS1", "country": "GB", "email": "ann@x.example",
                "phone": "+44 113 4960000"},
    "shipping": {}, "is_paying_customer": True,
    "meta_data": [{"id": 1, "key": "ext_id", "value": "C1"}, {"id": 2, "key": "vat_number", "value": "GB980780684"}],
}  # fmt: skip
ERRORS = {
    "woocommerce_rest_cannot_view": (PermissionMissing, "Sorry, you cannot list resources."),
    "woocommerce_rest_authentication_error": (BadCredentials, "Consumer key is invalid."),
}


def documented() -> Connector[Any]:
    connector = load_registry().get("woocommerce").load()
    config = {"base_url": "https://93.184.216.34", "consumer_key": "ck_1", "consumer_secret": "cs_1"}
    return connector(connector.config_model(**config), Context("shop"))


@responses.activate
@pytest.mark.parametrize("code", list(ERRORS))
def test_documented_refusals(code: str) -> None:
    kind, message = ERRORS[code]
    answer = {"code": code, "message": message, "data": {"status": 401}}
    for stream in ("customers", "orders"):
        responses.get(f"https://93.184.216.34/wp-json/wc/v3/{stream}", json=answer, status=401)
    with pytest.raises(kind, match=message):
        documented().check()


@responses.activate
def test_the_documented_customer_is_mapped_to_a_company_with_its_buyer() -> None:
    customers = "https://93.184.216.34/wp-json/wc/v3/customers"
    responses.get(customers, json=[EXAMPLE])
    responses.get(customers, json=[])
    (record,) = read(documented())
    assert (record.key, record.changed_at) == ("25", "2026-01-02T03:04:05.000000Z")
    folder = load_registry().get("woocommerce").folder
    company, buyer = compile_mapping(load_spec(folder / "mapping.yaml"))(json.loads(record.body))
    assert (company.customer["kind"], company.customer["name"]) == ("organisation", "Acme")
    assert company.customer["identifiers"][0]["scheme"] == "eu.vat"
    assert company.customer["addresses"][0]["postcode"] == "LS1"
    assert (buyer.customer["family_name"], buyer.customer["organisation"]["source_id"]) == ("Lee", "#")
