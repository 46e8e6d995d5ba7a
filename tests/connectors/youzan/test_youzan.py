"""The Youzan connector against a simulator of the platform, and with bodies as the descriptions show them."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson
import pytest
import responses

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Hint, Inbound, Mode, Read, Write
from connectors.documents import validate
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.youzan.answers import Judge
from connectors.youzan.client import YouzanLogin
from connectors.youzan.config import YouzanConfig
from connectors.youzan.connector import YouzanConnector
from connectors.youzan.customers import Customers
from mappings.compile import compile_mapping
from mappings.matching.evidence import features_of, pair_evidence
from mappings.spec import load_spec
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, registered
from tests.connectors.youzan.youzan_simulator import LIMITED, YouzanShop, business, gateway, success

_messages = itertools.count(1)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits make us wait a hundredth of what they do."""
    monkeypatch.setattr(Judge.__init__, "__defaults__", (0.03, 0.48))


class YouzanSource(VendorSource):
    vendor = "youzan"
    server: YouzanShop

    def settings(self) -> dict[str, Any]:
        login = {"client_id": YouzanShop.CLIENT, "client_secret": YouzanShop.KEY, "kdt_id": YouzanShop.SHOP}
        return {"base_url": self.server.url, **login}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"client_secret": "wrong-secret-5"}, "client_secret"

    def body(self, number: int) -> dict[str, Any]:
        mobile = {} if number == 3 else {"mobile": str(13_900_000_000 + number)}
        return {"name": f"新{number}", "gender": 1, **mobile}

    def conflict(self) -> Write:
        return Write({"name": "x"}, "conflict", key=sorted(self.server.rows)[0], expected="2020-01-01T00:00:00Z")

    def webhook(self, key: str) -> Inbound:
        told = quote(json.dumps({"yz_open_id": key}))
        return pushed(message(told, msg_id=f"m-{next(_messages)}"))


class YouzanSuite(VendorSuite):
    throttled = LIMITED

    def revoke(self, source: VendorSource) -> Any:
        source.server.tokens.clear()  # type: ignore[attr-defined]
        return super().revoke(source)


class TestConformance(YouzanSuite):
    @pytest.fixture
    def source(self) -> Iterator[YouzanSource]:
        with YouzanShop() as server:
            yield YouzanSource(server)


class TestInWindows(YouzanSuite):
    """A question shows five customers at most."""

    @pytest.fixture
    def source(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[YouzanSource]:
        monkeypatch.setattr(Customers.__init__, "__defaults__", (5,))
        with YouzanShop() as server:
            server.cap = 5
            yield YouzanSource(server)


@pytest.fixture
def shop() -> Iterator[YouzanShop]:
    with YouzanShop() as server:
        yield server


@pytest.fixture
def connector(shop: YouzanShop) -> Iterator[Connector[Any]]:
    made = YouzanSource(shop).connect()
    yield made
    made.close()


@pytest.fixture
def many(shop: YouzanShop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connector[Any]]:
    """A connector to a shop that shows five customers for one question."""
    monkeypatch.setattr(Customers.__init__, "__defaults__", (5,))
    shop.cap = 5
    made = YouzanSource(shop).connect()
    yield made
    made.close()


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("customers", **more)) for record in page.records]


def keys(connector: Connector[Any], **more: Any) -> set[str]:
    return {record.key for record in read(connector, **more)}


def called(shop: YouzanShop, api: str) -> list[dict[str, Any]]:
    return [call.json() for call in shop.calls if api in call.path]


class TestReading:
    def test_the_token_goes_into_the_query_and_nowhere_else(self, shop: YouzanShop, connector: Any) -> None:
        connector.check()
        call = shop.calls[-1]
        assert call.query["access_token"] in shop.tokens
        assert "Authorization" not in call.headers

    def test_a_token_that_ends_amid_a_read_is_renewed(self, shop: YouzanShop, connector: Any) -> None:
        copy = Copy(connector, YouzanSource(shop))

        def end() -> None:
            shop.tokens = dict.fromkeys(shop.tokens, 0.0)

        assert set(copy.full(end).bodies) == set(shop.rows)

    def test_one_who_is_gone_amid_the_read_hides_no_other(self, shop: YouzanShop, connector: Any) -> None:
        copy = Copy(connector, YouzanSource(shop))
        copy.full(lambda: shop.delete("AbC0008"))
        assert set(shop.rows) <= set(copy.bodies)

    @pytest.mark.parametrize("milliseconds", [True, False])
    @pytest.mark.parametrize("scale", [1, 1000])
    @pytest.mark.parametrize("belong", [True, False])
    def test_a_large_shop_is_read_whole_whatever_the_unit_of_time(
        self, shop: YouzanShop, many: Connector[Any], scale: int, milliseconds: bool, belong: bool
    ) -> None:
        shop.scale, shop.rows_in_milliseconds, shop.bounds_belong = scale, milliseconds, belong
        pages = list(many.read(Read("customers")))
        assert {record.key for page in pages for record in page.records} == set(shop.rows)
        assert not [rejected for page in pages for rejected in page.rejected]
        assert {key for part in many.ids("customers") for key in part} == set(shop.rows)

    def test_a_platform_that_ignores_the_time_is_found_out(self, shop: YouzanShop, many: Connector[Any]) -> None:
        shop.scale = 0
        with pytest.raises(StreamBroken, match="does not heed the time"):
            read(many)

    def test_more_in_one_second_than_are_shown_is_an_error_and_no_end(
        self, shop: YouzanShop, many: Connector[Any]
    ) -> None:
        for row in shop.rows.values():
            row["created_at"] = 1_767_323_045
        with pytest.raises(StreamBroken, match="share the one value"):
            read(many)

    def test_customers_outside_of_all_windows_are_missed_aloud(self, shop: YouzanShop, many: Connector[Any]) -> None:
        shop.cap = 10_000
        shop.rows["AbC0001"]["created_at"] = 0
        pages = list(many.read(Read("customers")))
        (missing,) = [rejected for page in pages for rejected in page.rejected]
        assert not missing.identified, "so nothing is deleted after this read"

    def test_a_position_of_another_kind_leads_to_a_full_read(self, many: Connector[Any]) -> None:
        with pytest.raises(CursorExpired):
            read(many, cursor={"scan": {"low": "yesterday"}}, resumed=True)

    def test_an_answer_without_a_list_is_no_empty_shop(self, shop: YouzanShop, connector: Any) -> None:
        connector.check()
        shop.habits.fail_next = [success({"total": 3})]
        with pytest.raises(StreamBroken, match="no list"):
            read(connector)

    def test_a_shop_without_customers_is_empty(self) -> None:
        with YouzanShop(rows=0) as empty:
            made = YouzanSource(empty).connect()
            made.check()
            assert read(made) == []


class TestSingleCustomers:
    @pytest.mark.parametrize("flat", [True, False])
    def test_they_are_as_a_read_shows_them(self, shop: YouzanShop, connector: Any, flat: bool) -> None:
        shop.flat_detail = flat
        shop.tie(["AbC0003", "AbC0004"])
        page = connector.fetch("customers", ["AbC0003", "AbC0001"])
        whole = {record.key: record for record in read(connector)}
        assert {record.key: record for record in page.records} == {k: whole[k] for k in ("AbC0001", "AbC0003")}

    def test_those_whose_account_was_closed_are_gone(self, shop: YouzanShop, connector: Any) -> None:
        shop.delete("AbC0002")
        assert list(connector.fetch("customers", ["AbC0002"]).deleted) == ["AbC0002"]

    def test_one_whose_moment_is_not_told_is_left_to_the_next_read(self, shop: YouzanShop, connector: Any) -> None:
        connector.check()
        shop.habits.fail_next = [success({"yz_open_id": "AbC0001", "name": "x"})]
        page = connector.fetch("customers", ["AbC0001"])
        assert (page.records, list(page.deleted)) == ([], [])


class TestWriting:
    def test_only_what_differs_is_sent(self, shop: YouzanShop, connector: Any) -> None:
        connector.write(
            "customers", [Write({"name": "李四1", "gender": 1, "mobile": "13800000001"}, "1", key="AbC0001")]
        )
        assert not called(shop, "customer.update")
        connector.write("customers", [Write({"name": "李四1", "gender": 2}, "2", key="AbC0001")])
        (sent,) = called(shop, "customer.update")
        assert sent["customer_update"] == {"gender": 2}
        assert sent["account"] == {"account_type": "YzOpenId", "account_id": "AbC0001"}

    def test_somebody_with_that_mobile_number_is_brought_up_to_date(self, shop: YouzanShop, connector: Any) -> None:
        (result,) = connector.write("customers", [Write({"mobile": "13800000002", "name": "王五"}, "1")])
        assert (result.key, result.created) == ("AbC0002", False)
        assert shop.rows["AbC0002"]["name"] == "王五"

    @pytest.mark.parametrize("code", [143001027, 141502109])
    def test_both_codes_of_one_who_is_there_already(self, shop: YouzanShop, connector: Any, code: int) -> None:
        connector.check()
        shop.habits.fail_next = [business(code, "已存在")]
        (result,) = connector.write("customers", [Write({"mobile": "13800000002", "name": "李四2"}, "1")])
        assert result.key == "AbC0002"

    @pytest.mark.parametrize(
        "body",
        [{"name": "x"}, {"name": "x", "mobile": "1380000"}, {"mobile": "+8613800000000"}, {"mobile": "138****0000"}],
    )
    def test_one_without_a_mobile_number_is_refused_before_anything_is_sent(
        self, shop: YouzanShop, connector: Any, body: dict[str, Any]
    ) -> None:
        (result,) = connector.write("customers", [Write(body, "1")])
        assert isinstance(result.error, RecordRejected)
        assert result.error.path == "mobile"
        assert not shop.calls

    def test_a_foreign_number_may_be_of_another_length(self, shop: YouzanShop, connector: Any) -> None:
        (result,) = connector.write("customers", [Write({"mobile": "7911123456", "country_code": "+44"}, "1")])
        assert result.created
        assert called(shop, "customer.create")[0]["country_code"] == "+44"

    def test_the_mobile_number_of_a_customer_is_not_changed(self, shop: YouzanShop, connector: Any) -> None:
        write = Write({"mobile": "13900000000", "name": "x"}, "1", key="AbC0001")
        (result,) = connector.write("customers", [write])
        assert isinstance(result.error, RecordRejected)
        assert shop.rows["AbC0001"]["name"] != "x"

    def test_a_masked_number_is_not_taken_for_another_one(self, shop: YouzanShop, connector: Any) -> None:
        shop.rows["AbC0001"]["mobile"] = "138****0001"
        (result,) = connector.write("customers", [Write({"mobile": "13800000001", "name": "x"}, "1", key="AbC0001")])
        assert result.error is None

    def test_faults_of_one_record_leave_its_neighbours_alone(self, shop: YouzanShop, connector: Any) -> None:
        results = connector.write(
            "customers",
            [
                Write({"mobile": "13900000001", "name": 7}, "1"),
                Write({"name": "x"}, "2", key="nobody"),
                Write({"name": "y"}, "3", key="AbC0001"),
            ],
        )
        assert [isinstance(result.error, RecordRejected) for result in results] == [True, True, False]
        assert "5001" in str(results[0].error)

    def test_a_success_that_holds_a_failure_is_one(self, shop: YouzanShop, connector: Any) -> None:
        shop.odd_success = True
        (result,) = connector.write("customers", [Write({"name": "x"}, "1", key="AbC0001")])
        assert isinstance(result.error, RecordRejected)

    def test_one_who_is_gone_between_look_and_write_is_refused(self, shop: YouzanShop, connector: Any) -> None:
        there = success(dict(shop.rows["AbC0001"]))
        shop.delete("AbC0001")
        connector.check()
        shop.habits.fail_next = [there]
        (result,) = connector.write("customers", [Write({"name": "x"}, "1", key="AbC0001")])
        assert isinstance(result.error, RecordRejected)

    def test_a_customer_changed_since_we_saw_him_is_a_conflict(self, shop: YouzanShop, connector: Any) -> None:
        seen = datetime.fromtimestamp(shop.rows["AbC0001"]["updated_at"], UTC).isoformat()
        fine = Write({"name": "a"}, "1", key="AbC0001", expected=seen)
        assert connector.write("customers", [fine])[0].error is None
        (result,) = connector.write("customers", [Write({"name": "b"}, "2", key="AbC0001", expected=seen)])
        assert isinstance(result.error, WriteConflict)


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "kind", "word"),
        [
            (gateway(4001, "path"), BadConfiguration, "4001"),
            (gateway(4005, "unknown"), BadConfiguration, "4005"),
            (gateway(4007, "ip"), BadConfiguration, "4007"),
            (gateway(4009, "openid"), StreamBroken, "4009"),
            (gateway(4201, "closed"), PermissionMissing, "authorise"),
            (gateway(4202, "expired"), BadCredentials, "client_secret"),
            (gateway(4203, "unknown"), BadCredentials, "client_secret"),
            (gateway(4204, "package"), PermissionMissing, "permission"),
            (gateway(5001, "types"), StreamBroken, "5001"),
            (gateway(5002, "business"), StreamBroken, "5002"),
            (business(141500101, "invalid params"), StreamBroken, "invalid params"),
            (business(142710032, "too deep"), StreamBroken, "142710032"),
            (Answer(200, {"code": "200", "success": "false", "data": {}}), StreamBroken, "refused"),
            (Answer(200, {"hello": "world"}), StreamBroken, "refused"),
            (Answer(500, {"message": "x"}), RetryLater, "500"),
        ],
    )
    def test_refusals_say_what_is_wrong(
        self, shop: YouzanShop, connector: Any, answer: Answer, kind: type[Exception], word: str
    ) -> None:
        connector.check()
        shop.habits.before = lambda request: shop.habits.fail_next.append(answer) if "/api/" in request.path else None
        with pytest.raises(kind, match=word):
            read(connector)

    @pytest.mark.parametrize("code", [500100004, 123000042, 141500203])
    def test_every_signal_of_a_limit_makes_us_wait(self, shop: YouzanShop, connector: Any, code: int) -> None:
        connector.check()
        shop.habits.fail_next = [business(code, "限流")] * 2
        assert keys(connector) == set(shop.rows)

    def test_a_limit_that_stays_is_handed_to_the_engine(self, shop: YouzanShop, connector: Any) -> None:
        connector.check()
        shop.habits.fail_next = [LIMITED] * 4
        with pytest.raises(WaitUntil, match="limits our calls") as caught:
            read(connector)
        assert "balance" in str(caught.value.remedy), "arrears look like a limit, too"

    def test_the_end_of_a_token_is_understood_in_any_unit(self) -> None:
        login = YouzanLogin(_config("https://x.example"), clock=lambda: 1_767_323_045.0)
        ends = [login._end(value) for value in (1_767_409_445_000, 1_767_409_445, 86_400)]
        assert ends == [1_767_409_445.0] * 3
        assert [login._end(value) for value in (None, "soon", 0, True)] == [None] * 4


class TestMaskedData:
    def mapped(self, **row: Any) -> Any:
        base = {"yz_open_id": "AbC1", "customer_number": "00ff", "show_name": "李*", "created_at": 1767323045}
        (mapped,) = compile_mapping(load_spec(registered("youzan").folder / "mapping.yaml"))({**base, **row})
        return mapped.customer

    def test_masked_names_and_numbers_are_not_mapped(self) -> None:
        customer = self.mapped(name="李*", mobile="138****0000")
        assert not {"name", "phones"} & set(customer)
        assert customer["identifiers"][0]["value"] == "00FF"

    def test_two_customers_with_the_same_masks_are_not_united(self) -> None:
        one, other = (self.mapped(mobile="138****0000", customer_number=number) for number in ("9f01", "9f02"))
        assert pair_evidence(features_of(one), features_of(other)) is None

    def test_plain_ones_are(self) -> None:
        customer = self.mapped(name="李四", mobile="13800000000")
        assert customer["name"] == "李四"
        assert customer["phones"][0]["value"] == "+8613800000000"

    def test_ids_that_differ_in_case_only_are_two_customers(self, shop: YouzanShop, connector: Any) -> None:
        shop.rows["AbC0002"]["yz_open_id"] = "aBc0001"
        bodies = [orjson.loads(record.body) for record in read(connector)]
        assert len({body["customer_number"].upper() for body in bodies}) == 8


def pushed(body: bytes, kind: str = "SCRM_CUSTOMER_EVENT", secret: str = YouzanShop.KEY) -> Inbound:
    sign = hashlib.md5(YouzanShop.CLIENT.encode() + body + secret.encode()).hexdigest()
    return Inbound("POST", "/hook", {"event-sign": sign, "Event-Type": kind}, {}, body)


def message(msg: Any, **more: Any) -> bytes:
    head = {
        "client_id": YouzanShop.CLIENT,
        "kdt_id": 4711,
        "type": "SCRM_CUSTOMER_EVENT",
        "msg_id": "m-1",
        "version": 1,
    }
    return json.dumps(head | {"msg": msg} | more).encode()


NAMED = '{"yz_open_id":"AbC0001"}'


@pytest.mark.parametrize("gone", [gateway(4009, "openid不存在"), business(144100001, "客户已注销")])
def test_a_customer_whom_the_gateway_or_the_shop_does_not_know_is_gone(
    shop: YouzanShop, connector: Connector[Any], gone: Answer
) -> None:
    connector.check()
    shop.habits.fail_next = [gone]
    page = connector.fetch("customers", ["AbC0001"])
    assert (list(page.deleted), list(page.records)) == (["AbC0001"], [])


class TestMessages:
    @pytest.mark.parametrize(
        "coded", [quote('{"yz_open_id":"AbC0001"}'), {"yz_open_id": "AbC0001"}, '{"yz_open_id":"AbC0001"}']
    )
    def test_one_about_a_customer_is_a_hint(self, connector: Connector[Any], coded: Any) -> None:
        assert list(connector.verify(pushed(message(coded)))) == [Hint("customers", "AbC0001", "m-1")]

    def test_one_that_names_nobody_is_a_hint_without_a_key(self, connector: Connector[Any]) -> None:
        hints = connector.verify(pushed(message("%7Bbroken"), kind="OPEN_PUSH_SCRM_MEMBER_MERGE"))
        assert list(hints) == [Hint("customers", None, "m-1")]

    @pytest.mark.parametrize("more", [{"test": True}, {"kdt_id": 9, "root_kdt_id": 8}])
    def test_tests_and_other_shops_are_none(self, connector: Connector[Any], more: dict[str, Any]) -> None:
        assert not connector.verify(pushed(message({"yz_open_id": "a"}, **more)))

    def test_one_of_a_branch_is_one_of_the_head_office_too(self, connector: Connector[Any]) -> None:
        assert connector.verify(pushed(message({"yz_open_id": "a"}, kdt_id=9, root_kdt_id=4711)))

    def test_other_types_are_none(self, connector: Connector[Any]) -> None:
        assert not connector.verify(pushed(message({}), kind="trade_TradePaid"))

    def test_forged_ones_are_refused(self, connector: Connector[Any]) -> None:
        with pytest.raises(BadCredentials, match="signature"):
            connector.verify(pushed(message({}), secret="another"))

    def test_the_platform_reads_the_answer_it_wants(self) -> None:
        assert json.loads(YouzanConnector.acknowledgement) == {"code": 0, "msg": "success"}


def _config(base_url: str) -> YouzanConfig:
    given = {"base_url": base_url, "client_id": "1", "client_secret": "secret-s", "kdt_id": "1"}
    return validate(YouzanConfig, given)


EXAMPLE = json.loads("""{"trace_id":"yz7-1","code":200,"success":true,"message":"successful","data":{"total":1,
"page_no":1,"page_size":20,"record_list":[{"yz_open_id":"AbC0001","show_name":"李四","mobile":"13800000000",
"is_member":1,"created_at":1767323045,"points":10,"trade_count":2}]}}""")


@responses.activate
def test_the_described_customer_is_mapped() -> None:
    expires = int((time.time() + 604_800) * 1000)
    token = {"success": True, "code": 200, "data": {"access_token": "t", "expires": expires}, "message": None}
    responses.post("https://93.184.216.34/auth/token", json=token)
    responses.post("https://93.184.216.34/api/youzan.scrm.customer.list/1.0.0", json=EXAMPLE)
    made = YouzanConnector(_config("https://93.184.216.34"), Context("shop"))
    (record,) = read(made, mode=Mode.FULL)
    assert record.key == "AbC0001"
    (mapped,) = compile_mapping(load_spec(registered("youzan").folder / "mapping.yaml"))(json.loads(record.body))
    assert mapped.customer["name"] == "李四"
    assert mapped.customer["external_ids"] == {"youzan": "AbC0001"}
    assert datetime.fromisoformat(mapped.customer["source_created_at"]) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@responses.activate
@pytest.mark.parametrize("code", [1000, 1004, 1005, 1103, 1105])
def test_refused_logins_tell_the_reason_and_name_the_settings(code: int) -> None:
    body = {"success": False, "code": code, "data": None, "message": "client 不存在"}
    responses.post("https://93.184.216.34/auth/token", json=body)
    made = YouzanConnector(_config("https://93.184.216.34"), Context("shop"))
    with pytest.raises(BadCredentials, match="client 不存在") as caught:
        made.check()
    assert "kdt_id" in str(caught.value)
    assert "secret-s" not in str(caught.value)
