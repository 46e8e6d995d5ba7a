"""The Douyin shop connector against a simulator of the platform, and with bodies as the documentation shows them."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import responses

from connectors.auth import HmacSignature, Outgoing
from connectors.auth.base import Wire
from connectors.conformance import Copy
from connectors.contract import Connector, Context, Hint, Inbound, Mode, Read
from connectors.documents import validate
from connectors.douyin_shop.answers import Judge
from connectors.douyin_shop.config import DouyinShopConfig
from connectors.douyin_shop.connector import DouyinShopConnector, buyers, without_ciphers
from connectors.douyin_shop.login import RECIPE, ordered
from connectors.errors import (
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
)
from connectors.pauses import GrowingPause
from mappings.compile import compile_mapping
from mappings.matching.evidence import features_of, pair_evidence
from mappings.spec import load_spec
from tests.connectors.douyin_shop.douyin_simulator import LIMITED, DouyinShop, refusal
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, registered

_messages = itertools.count(1)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits make us wait a hundredth of what they do."""
    monkeypatch.setattr(Judge.__init__, "__defaults__", (0.01, 0.64))


class DouyinSource(VendorSource):
    vendor = "douyin_shop"
    stream = "buyers"
    server: DouyinShop

    def settings(self) -> dict[str, Any]:
        login = {"app_key": DouyinShop.APP_KEY, "app_secret": DouyinShop.KEY, "shop_id": DouyinShop.SHOP_ID}
        return {"base_url": self.server.url, **login}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"app_secret": "wrong-secret-77"}, "app_secret"

    def webhook(self, key: str) -> Inbound:
        order = {"order_id": self.server.rows[key]["order_id"]} if key in self.server.rows else {}
        message = {"tag": "101", "msg_id": f"m-{next(_messages)}", "data": json.dumps(order)}
        return pushed(json.dumps([message]).encode())


class TestConformance(VendorSuite):
    throttled = LIMITED

    @pytest.fixture
    def source(self) -> Iterator[DouyinSource]:
        with DouyinShop() as server:
            yield DouyinSource(server)

    def revoke(self, source: VendorSource) -> Any:
        source.server.tokens.clear()  # type: ignore[attr-defined]
        return super().revoke(source)


@pytest.fixture
def shop() -> Iterator[DouyinShop]:
    with DouyinShop() as server:
        yield server


@pytest.fixture
def connector(shop: DouyinShop) -> Iterator[Connector[Any]]:
    made = DouyinSource(shop).connect()
    yield made
    made.close()


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("buyers", **more)) for record in page.records]


def keys(connector: Connector[Any], **more: Any) -> set[str]:
    return {record.key for record in read(connector, **more)}


def listed(shop: DouyinShop) -> list[dict[str, Any]]:
    return [call.json() for call in shop.calls if call.path == "/order/searchList"]


class TestReading:
    def test_the_check_tells_the_shop(self, connector: Connector[Any]) -> None:
        assert str(connector.check()) == "Logged in to the Douyin shop 示例店铺."

    def test_a_buyer_is_as_his_last_order_shows_him(self, shop: DouyinShop, connector: Connector[Any]) -> None:
        buyer = next(iter(shop.rows))
        shop.order(buyer, connector.context.now() - timedelta(days=1), buyer_words="last")
        shop.order(buyer, connector.context.now() - timedelta(days=2), buyer_words="last but one")
        found = {record.key: orjson.loads(record.body) for record in read(connector, page_size=3)}
        assert found[buyer]["buyer_words"] == "last"
        assert set(found) == set(shop.rows)

    def test_no_page_is_asked_for_by_a_number_that_could_shift(self, shop: DouyinShop, connector: Any) -> None:
        shop.deepest = 3
        assert keys(connector, page_size=3) == set(shop.rows)

    def test_orders_that_change_during_the_read_hide_no_others(self, shop: DouyinShop, connector: Any) -> None:
        copy = Copy(connector, DouyinSource(shop))
        first = next(iter(shop.rows))
        copy.full(lambda: shop.update(first))
        assert set(copy.bodies) == set(shop.rows)

    def test_more_orders_in_one_second_than_a_page_holds_are_all_read(self, shop: DouyinShop, connector: Any) -> None:
        shop.tie(list(shop.rows))
        assert keys(connector, page_size=3) == set(shop.rows)
        assert {body["page"] for body in listed(shop)} == {0, 1, 2}

    def test_one_of_them_that_changes_between_the_pages_hides_no_other(self, shop: DouyinShop, connector: Any) -> None:
        same = connector.context.now() - timedelta(days=3)
        for key in shop.rows:
            shop.update(key, same)
        pages = connector.read(Read("buyers", page_size=3))
        found = [next(page for page in pages if page.records)]
        shop.update(next(iter(shop.rows)), connector.context.now() + timedelta(days=1))
        assert {r.key for page in [*found, *pages] for r in page.records} == set(shop.rows)

    @pytest.mark.parametrize("included", [True, False])
    def test_the_end_of_a_window_may_be_included_or_not(self, shop: DouyinShop, connector: Any, included: bool) -> None:
        shop.end_is_included = included
        assert keys(connector) == set(shop.rows)

    def test_an_order_that_does_not_hold_is_noticed(self, shop: DouyinShop, connector: Any) -> None:
        shop.descending = True
        assert keys(connector, page_size=3) == set(shop.rows)

    def test_a_platform_that_ignores_the_time_is_found_out(self, shop: DouyinShop, connector: Any) -> None:
        shop.ignores_time = True
        since = connector.context.now() - timedelta(days=2)
        with pytest.raises(StreamBroken, match="outside of the time"):
            read(connector, mode=Mode.INCREMENTAL, since=since)

    def test_a_platform_that_looks_at_short_times_only_is_asked_for_these(
        self, shop: DouyinShop, connector: Any
    ) -> None:
        shop.longest = 100 * 86_400
        pages = list(connector.read(Read("buyers", page_size=3)))
        assert {record.key for page in pages for record in page.records} == set(shop.rows)
        for page in pages:
            rest = connector.read(Read("buyers", Mode.FULL, page.cursor, resumed=True))
            done = pages[: pages.index(page) + 1]
            assert {r.key for part in (*done, *rest) for r in part.records} == set(shop.rows)
            if len(shop.calls) > 400:
                break

    def test_a_platform_that_refuses_every_time_says_why(self, shop: DouyinShop, connector: Any) -> None:
        shop.longest = 0
        with pytest.raises(StreamBroken, match="查询时间跨度过大"):
            read(connector)

    def test_a_limit_of_depth_that_is_lower_than_told_is_an_error_and_no_end(self, shop: DouyinShop) -> None:
        shop.tie(list(shop.rows))
        shop.deepest = 3
        with pytest.raises(StreamBroken, match="超过最大查询数量"):
            read(DouyinSource(shop).connect(), page_size=3)

    def test_a_backfill_reads_its_range(self, shop: DouyinShop, connector: Any) -> None:
        stamps = sorted(row["update_time"] for row in shop.rows.values())
        since, until = (datetime.fromtimestamp(stamps[i], UTC) for i in (2, 4))
        wanted = {key for key, row in shop.rows.items() if stamps[2] <= row["update_time"] <= stamps[4]}
        assert keys(connector, mode=Mode.INCREMENTAL, since=since, until=until) == wanted

    def test_the_older_form_of_answers_is_understood(self, shop: DouyinShop, connector: Any) -> None:
        shop.old_form = True
        assert keys(connector) == set(shop.rows)

    def test_a_shop_without_orders_is_empty(self) -> None:
        with DouyinShop(rows=0) as empty:
            made = DouyinSource(empty).connect()
            made.check()
            assert read(made) == []
            assert made.discover()[0].fields == ()

    def test_an_order_without_a_buyer_is_kept_with_its_reason(self, shop: DouyinShop, connector: Any) -> None:
        first = next(iter(shop.rows))
        shop.rows[first]["doudian_open_id"] = ""
        pages = list(connector.read(Read("buyers")))
        (bad,) = [rejected for page in pages for rejected in page.rejected]
        assert not bad.identified
        assert isinstance(bad.reason, RecordRejected)
        assert b"encrypt" not in bad.body
        assert {r.key for page in pages for r in page.records} == set(shop.rows) - {first}

    def test_a_token_that_ends_amid_a_read_is_renewed(self, shop: DouyinShop, connector: Any) -> None:
        copy = Copy(connector, DouyinSource(shop))
        assert set(copy.full(shop.tokens.clear).bodies) == set(shop.rows)

    def test_an_answer_without_a_list_is_no_empty_shop(self, shop: DouyinShop, connector: Any) -> None:
        connector.check()
        shop.habits.fail_next = [Answer(200, {"code": 10000, "data": {"total": 3}})]
        with pytest.raises(StreamBroken, match="no list"):
            read(connector)

    def test_stamps_in_milliseconds_or_as_text_are_understood(self) -> None:
        rows = [
            {"doudian_open_id": "a", "update_time": 1767323045000},
            {"doudian_open_id": "b", "update_time": "1767323045"},
        ]
        records, _ = buyers(rows)
        assert {record.changed_at for record in records} == {"2026-01-02T03:04:05.000000Z"}


class TestMaskedData:
    def mapped(self, **order: Any) -> Any:
        with DouyinShop(rows=1) as shop:
            row = next(iter(shop.rows.values()))
        (record,), _ = buyers([{**row, **order}])
        spec = load_spec(registered("douyin_shop").folder / "mapping.yaml")
        (mapped,) = compile_mapping(spec)(json.loads(record.body))
        return mapped.customer

    def test_no_masked_value_gets_into_the_customer(self) -> None:
        customer = self.mapped()
        assert "*" not in json.dumps(customer, ensure_ascii=False)
        assert not {"name", "phones", "emails", "given_name", "family_name"} & set(customer)
        assert customer["addresses"] == [
            {"label": "shipping", "country": "CN", "region": "上海市", "city": "上海市", "district": "浦东新区"}
        ]

    def test_two_buyers_with_the_same_masks_are_not_united(self) -> None:
        one, other = self.mapped(doudian_open_id="1@#aa=="), self.mapped(doudian_open_id="1@#AA==")
        assert one["identifiers"] != other["identifiers"], "ids that differ in case only are two buyers"
        assert pair_evidence(features_of(one), features_of(other)) is None

    @pytest.mark.parametrize("mask", ["李*", "李＊＊", "李x", "李•"])
    def test_a_mask_in_the_plain_field_is_not_taken_for_a_name(self, mask: str) -> None:
        assert "name" not in self.mapped(post_receiver=mask)

    def test_a_plain_name_is_taken_and_a_plain_phone_is_not(self) -> None:
        customer = self.mapped(post_receiver="李四", post_tel="13800000000")
        assert customer["name"] == "李四"
        assert "phones" not in customer

    def test_ciphers_are_not_stored_at_any_depth(self, shop: DouyinShop, connector: Any) -> None:
        assert not [record for record in read(connector) if b"encrypt" in record.body]
        assert without_ciphers([{"a": {"encrypt_x": 1, "y": [{"encrypt_z": 2}]}}]) == [{"a": {"y": [{}]}}]

    def test_a_new_cipher_for_the_same_data_is_no_change(self, shop: DouyinShop, connector: Any) -> None:
        before = {record.key: record.body for record in read(connector)}
        for row in shop.rows.values():
            row["encrypt_post_tel"] = "another"
        assert {record.key: record.body for record in read(connector)} == before


SUB_CODES = {
    "isv.access-token-expired": (40003, BadCredentials),
    "isv.signature-invalid": (40003, BadCredentials),
    "isv.app-permissions-insufficient": (30001, PermissionMissing),
    "dop.authorization-closed": (30001, PermissionMissing),
    "isv.invalid_ip": (30002, PermissionMissing),
    "dop.service-error": (20000, RetryLater),
    "isv.parameter-invalid": (40003, StreamBroken),
    "isv.business-part-failed": (10001, StreamBroken),
    "isv.never-heard-of": (99999, StreamBroken),
}


class TestErrors:
    @pytest.mark.parametrize("sub_code", list(SUB_CODES))
    def test_the_documented_codes(self, shop: DouyinShop, connector: Any, sub_code: str) -> None:
        code, kind = SUB_CODES[sub_code]
        connector.check()
        shop.habits.fail_next = [refusal(code, sub_code, "说明")] * 8
        with pytest.raises(kind, match=sub_code) as caught:
            read(connector)
        assert "2026010204" in str(caught.value), "the platform's support asks for the log id"

    def test_an_old_error_is_understood_too(self, shop: DouyinShop, connector: Any) -> None:
        connector.check()
        shop.habits.fail_next = [Answer(200, {"err_no": 30001, "message": "no permission", "data": None})]
        with pytest.raises(PermissionMissing, match="no permission"):
            read(connector)

    @pytest.mark.parametrize("bad", [refusal(70000, "", "流控"), refusal(40003, "isv.app-call-limited", "限流")])
    def test_whatever_speaks_of_a_limit_makes_us_wait(self, shop: DouyinShop, connector: Any, bad: Answer) -> None:
        connector.check()
        shop.habits.fail_next = [bad, bad]
        assert keys(connector) == set(shop.rows)

    def test_a_limit_that_stays_is_handed_to_the_engine(self, shop: DouyinShop, connector: Any) -> None:
        connector.check()
        shop.habits.fail_next = [LIMITED] * 4
        with pytest.raises(WaitUntil):
            read(connector)

    def test_the_login_of_a_shop_that_did_not_authorise_us_says_so(self, shop: DouyinShop) -> None:
        source = DouyinSource(shop)
        with pytest.raises(PermissionMissing) as caught:
            source.connect(source.settings() | {"shop_id": "1"}).check()
        assert "Authorise" in str(caught.value.remedy)

    def test_an_address_that_is_no_gateway_is_found_out(self, shop: DouyinShop, connector: Any) -> None:
        shop.habits.fail_next = [Answer(200, {"hello": "world"})]
        with pytest.raises(ConnectorError):
            connector.check()
        shop.habits.fail_next = [Answer(200, {"code": 10000, "data": {}})]
        with pytest.raises(StreamBroken, match="access token"):
            connector.check()


def test_pauses_double_and_begin_anew() -> None:
    pause, now = GrowingPause(3, 10), datetime(2026, 1, 1, tzinfo=UTC)
    assert [(pause.until(now) - now).total_seconds() for _ in range(4)] == [3, 6, 10, 10]
    pause.reset()
    assert (pause.until(now) - now).total_seconds() == 3


def test_the_signed_text_is_the_documented_one() -> None:
    outgoing = Outgoing("POST", "https://x.example/order/searchList", body=b'{"page":0}')
    validate_secret = validate(DouyinShopConfig, {"app_key": "k", "app_secret": "s", "shop_id": "1"}).app_secret
    wire: Wire = None  # type: ignore[assignment]
    HmacSignature(RECIPE, validate_secret, "k", clock=lambda: 1767323045).apply(outgoing, wire)
    text = b'sapp_keykmethodorder.searchListparam_json{"page":0}timestamp1767323045v2s'
    assert dict(outgoing.params)["sign"] == hmac.new(b"s", text, hashlib.sha256).hexdigest()


def test_parameters_are_sorted_at_every_level() -> None:
    assert json.dumps(ordered({"b": [{"d": 1, "c": 2}], "a": "<>&"})) == '{"a": "<>&", "b": [{"c": 2, "d": 1}]}'


def pushed(body: bytes, secret: str = DouyinShop.KEY, key: str = DouyinShop.APP_KEY) -> Inbound:
    sign = hashlib.md5(key.encode() + body + secret.encode()).hexdigest()
    return Inbound("POST", "/push", {"App-Id": key, "Event-Sign": sign}, {}, body)


class TestMessages:
    def test_each_message_is_a_hint(self, connector: Connector[Any]) -> None:
        body = b'[{"tag":"101","msg_id":"a","data":"{}"},{"tag":"100","msg_id":"b","data":"{}"}]'
        assert list(connector.verify(pushed(body))) == [Hint("buyers", None, "a"), Hint("buyers", None, "b")]

    def test_the_test_ping_is_none(self, connector: Connector[Any]) -> None:
        assert list(connector.verify(pushed(b'[{"tag":"0","msg_id":"a","data":"2026"}]'))) == []

    def test_one_signed_otherwise_is_refused(self, connector: Connector[Any]) -> None:
        """Whether some are signed with HMAC is not known: they would be refused, and the next read finds all."""
        with pytest.raises(BadCredentials, match="signature"):
            connector.verify(pushed(b"[]", secret="another"))

    def test_one_of_another_app_is_refused(self, connector: Connector[Any]) -> None:
        with pytest.raises(BadCredentials):
            connector.verify(pushed(b"[]", key="8"))


EXAMPLE = json.loads("""{"code":10000,"msg":"success","sub_code":"","sub_msg":"","data":{"page":0,"size":100,"total":1,
"shop_order_list":[{"order_id":"4700000000000000001","order_status":3,"update_time":1767323045,"create_time":1767300000,
"pay_amount":12900,"doudian_open_id":"1@#abcd==","encrypt_post_tel":"$abc$xyz$1$$","mask_post_tel":"1********00",
"mask_post_receiver":"李*","post_addr":{"province":{"id":"31","name":"上海市"},"encrypt_detail":"#x#y#1##"}}]},
"log_id":"2026010203"}""")


@responses.activate
def test_the_documented_order_is_a_buyer() -> None:
    gateway = "https://93.184.216.34"
    responses.post(f"{gateway}/token/create", json={"code": 10000, "data": {"access_token": "t", "expires_in": 600000}})
    responses.post(f"{gateway}/order/searchList", json=EXAMPLE)
    given = {"base_url": gateway, "app_key": "1", "app_secret": "s", "shop_id": "1"}
    made = DouyinShopConnector(validate(DouyinShopConfig, given), Context("shop"))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    (record,) = read(made, mode=Mode.INCREMENTAL, since=since, until=since + timedelta(days=9))
    assert (record.key, record.changed_at) == ("1@#abcd==", "2026-01-02T03:04:05.000000Z")
    (mapped,) = compile_mapping(load_spec(registered("douyin_shop").folder / "mapping.yaml"))(json.loads(record.body))
    assert mapped.customer["external_ids"] == {"douyin": "1@#abcd=="}
    assert mapped.customer["source_changed_at"].startswith("2026-01-02T03:04:05")
