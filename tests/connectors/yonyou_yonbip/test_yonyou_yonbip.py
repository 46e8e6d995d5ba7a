"""The YonBIP connector against a small open platform, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import responses
from pydantic import SecretStr

from connectors.conformance import ConformanceSuite, Copy
from connectors.contract import Context, Hint, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    EndlessPages,
    PermissionMissing,
    StreamBroken,
)
from connectors.yonyou_yonbip.config import YonBipConfig
from connectors.yonyou_yonbip.connector import YonBipConnector
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies
from tests.connectors.yonyou_yonbip.yonbip_simulator import FIRST_ID, YonBip, good, told
from tests.connectors.yonyou_yonbip.yonbip_source import ONE, PlainSource, YonBipSource, calls, read, refusing


class TestCustomers(VendorSuite):
    throttled = told("310046", "API级限流")

    @pytest.fixture
    def source(self) -> Iterator[YonBipSource]:
        with YonBip() as server:
            yield YonBipSource(server)

    def revoke(self, source: VendorSource) -> Any:
        source.server.tokens.clear()  # type: ignore[attr-defined]
        return super().revoke(source)


class TestWithoutDetails(ConformanceSuite):
    @pytest.fixture
    def source(self, server: YonBip) -> PlainSource:
        return PlainSource(server)


class TestLogin:
    def test_the_data_centre_is_looked_up_once_and_the_token_fetched_from_it(
        self, server: YonBip, connector: Any
    ) -> None:
        connector.check()
        read(connector)
        paths = [call.path for call in server.calls]
        assert paths[0].endswith("getGatewayAddress")
        assert len([path for path in paths if "getGatewayAddress" in path or "getAccessToken" in path]) == 2

    @pytest.mark.parametrize("plain", [False, True])
    def test_a_token_that_ends_amid_the_read_is_renewed(
        self, server: YonBip, source: YonBipSource, plain: bool
    ) -> None:
        server.lives, server.plain_refusal = 2, plain
        assert set(Copy(source.connect(), source).full().bodies) == source.keys()
        assert len(server.tokens) > 1

    def test_an_unknown_tenant_is_named(self, source: YonBipSource) -> None:
        connector = source.connect(source.settings() | {"tenant_id": "nobody"})
        with pytest.raises(BadConfiguration, match="租户不存在") as caught:
            connector.check()
        assert caught.value.setting == "tenant_id"

    def test_an_unknown_application_names_the_settings(self, source: YonBipSource) -> None:
        connector = source.connect(source.settings() | {"app_key": "unknown"})
        with pytest.raises(BadCredentials, match=r"appKey已停用.*app_secret, app_key"):
            connector.check()

    @pytest.mark.parametrize("address", ["http://10.0.0.1/x", "ftp://a.example", "https://u:p@a.example", "", "//x"])
    @responses.activate
    def test_secrets_go_only_where_the_look_up_itself_would(self, address: str) -> None:
        data = {"gatewayUrl": "https://93.184.216.34/gw", "tokenUrl": address}
        responses.get(
            "https://93.184.216.34/open-auth/dataCenter/getGatewayAddress", json={"code": "00000", "data": data}
        )
        with pytest.raises(BadConfiguration):
            documented(look_up=False).check()
        assert len(responses.calls) == 1


class TestReading:
    def test_ids_beyond_what_floats_hold_stay_exact(self, server: YonBip, connector: Any) -> None:
        record = read(connector)[0]
        assert record.key == ONE
        assert json.loads(record.body)["id"] == FIRST_ID + 1

    def test_stamps_without_zone_are_the_data_centres(self, server: YonBip, connector: Any) -> None:
        server.rows[ONE]["pubts"] = "2026-06-22 09:00:00"
        assert read(connector)[0].changed_at == "2026-06-22T01:00:00.000000Z"

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
    def test_a_wrong_zone_loses_nothing(self, server: YonBip, source: YonBipSource, zone: str) -> None:
        server.zone = ZoneInfo(zone)
        copy = Copy(source.connect(), source).full()
        for _ in range(2):
            key = server.add()
            copy.incremental()
            assert key in copy.bodies

    def test_contacts_come_with_their_customers_in_one_call_for_a_page(self, server: YonBip, connector: Any) -> None:
        body = json.loads(read(connector)[0].body)
        assert body["merchantContactInfos"][0]["fullName"]["simplifiedName"] == "张伟"
        assert len(calls(server, "newBatchDetail")) == 1

    def test_without_details_only_the_list_is_read(self, server: YonBip) -> None:
        assert len(read(PlainSource(server).connect())) == 8
        assert calls(server, "newBatchDetail") == []

    def test_prospects_are_asked_for_expressly(self, server: YonBip, source: YonBipSource) -> None:
        read(source.connect())
        read(source.connect(source.settings() | {"prospects": False}))
        assert {body["filterPotential"] for body in calls(server, "newlistrange")} == {False, True}

    def test_a_copy_for_another_organisation_is_a_record_of_its_own(self, server: YonBip, connector: Any) -> None:
        server.rows["copy"] = server.rows[ONE] | {"belongOrgId": "77", "createOrgId": "1500000000000000001"}
        keys = {record.key for record in read(connector)}
        assert {ONE, f"{ONE}|77"} <= keys
        assert len(keys) == 9

    def test_no_customer_is_passed_by_when_another_is_deleted_during_the_read(
        self, server: YonBip, source: YonBipSource
    ) -> None:
        copy = Copy(source.connect(), source).full(lambda: server.delete(ONE))
        assert source.keys() <= set(copy.bodies)

    def test_a_system_that_shows_fewer_rows_than_asked_for_loses_none(self, server: YonBip, connector: Any) -> None:
        server.most = 2
        assert {record.key for record in read(connector)} == set(server.rows)

    def test_an_empty_tenant_is_empty(self, server: YonBip, connector: Any) -> None:
        server.rows.clear()
        assert read(connector) == []

    def test_hinted_customers_are_read_again_and_those_gone_are_named(self, server: YonBip, connector: Any) -> None:
        page = connector.fetch("customers", [ONE, "42", "no number"])
        assert [record.key for record in page.records] == [ONE]
        assert list(page.deleted) == ["42", "no number"]
        assert "merchantContactInfos" in json.loads(page.records[0].body)


class TestFaults:
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (told("310037", "API未授权"), PermissionMissing),
            (told(310404, "未注册"), BadConfiguration),
            (Answer(404, {"code": "310404", "message": "未注册"}), BadConfiguration),
            (told("310015", "参数错误"), StreamBroken),
            (told(999, "服务异常"), StreamBroken),
            (told("310036", "非法token"), BadCredentials),
            (Answer(200, {"message": "不能为空!", "code": 0, "data": None}), StreamBroken),
            (good({}), StreamBroken),
            (good(None), StreamBroken),
            (good({"recordList": None, "recordCount": "8"}), StreamBroken),
            (Answer(200, b"[]"), StreamBroken),
        ],
    )
    def test_codes_with_status_200_are_never_taken_for_data(
        self, server: YonBip, connector: Any, answer: Answer, error: type[Exception]
    ) -> None:
        refusing(server, "newlistrange", answer)
        with pytest.raises(error):
            read(connector)

    @pytest.mark.parametrize("code", ["202", "310043", "310504"])
    def test_a_fault_that_passes_is_tried_again(self, server: YonBip, connector: Any, code: str) -> None:
        connector.check()
        server.habits.fail_next = [told(code, "稍后重试")]
        assert len(read(connector)) == 8

    def test_a_customer_whose_code_looks_like_an_error_is_a_customer(self, server: YonBip, connector: Any) -> None:
        server.rows[ONE]["code"] = "310036"
        assert len(read(connector)) == 8


class TestWhatIsNotPromised:
    """Statements about the system that could not be checked: where they are wrong, that is told and nothing is lost."""

    def test_a_filter_that_is_ignored_costs_time_and_no_data(self, server: YonBip, source: YonBipSource) -> None:
        copy = Copy(source.connect(), source).full()
        server.ignores_filter = True
        key = server.add()
        assert key in copy.incremental().changed

    @pytest.mark.parametrize("call", ["fetch", "update", "create"])
    def test_a_look_up_that_ignores_its_filter_is_noticed_before_anything_is_thought_gone(
        self, server: YonBip, connector: Any, call: str
    ) -> None:
        server.ignores_filter = True
        write = Write({"code": "N1", "name": {"simplifiedName": "x"}}, "w1", key=ONE if call == "update" else None)
        with pytest.raises(StreamBroken, match="other customers"):
            connector.fetch("customers", [ONE]) if call == "fetch" else connector.write("customers", [write])
        assert server.sent == []

    @pytest.mark.parametrize("details", ["object", "none"])
    def test_details_in_another_form_do_no_harm(self, server: YonBip, source: YonBipSource, details: str) -> None:
        server.details = details
        found = bodies(source)
        assert set(found) == source.keys()
        assert ("merchantContactInfos" in found[ONE]) == (details == "object")

    def test_details_that_are_not_understood_say_how_to_do_without(self, server: YonBip, connector: Any) -> None:
        server.details = "odd"
        with pytest.raises(StreamBroken) as caught:
            read(connector)
        assert "details: false" in caught.value.remedy

    def test_a_page_number_that_is_ignored_is_noticed(self, server: YonBip, connector: Any) -> None:
        rows = list(server.rows.values())[:3]
        refusing(server, "newlistrange", good({"recordList": rows, "recordCount": "8", "pageCount": "3"}))
        with pytest.raises(EndlessPages):
            read(connector, page_size=3)

    def test_an_event_of_an_unknown_form_hints_at_the_whole_stream(self, server: YonBip, connector: Any) -> None:
        (hint,) = connector.verify(server.pushed({"something": {"new": 1}, "eventId": "e1"}))
        assert hint == Hint("customers", None, "e1")


# --- bodies as the documentation shows them

HOST = "https://93.184.216.34"
MERCHANT = f"{HOST}/iuap-api-gateway/yonbip/digitalModel/merchant"
ROW = {
    "id": 1700194312096055299, "code": "C1", "name": {"simplifiedName": "甲公司"}, "creditCode": "9111X",
    "contactTel": "010-1", "email": "a@b.cn", "stopStatus": False,
    "createTime": "2026-06-21 00:00:00", "modifyTime": "2026-06-22 09:00:00",
}  # fmt: skip
COUNTS = {"pageIndex": "1", "pageSize": "500", "pageCount": "1", "recordCount": "1"}
PAGE = {"code": "200", "data": {**COUNTS, "recordList": [ROW]}}


def documented(*, look_up: bool = True) -> YonBipConnector:
    if look_up:
        data = {"gatewayUrl": f"{HOST}/iuap-api-gateway", "tokenUrl": f"{HOST}/iuap-api-auth"}
        responses.get(f"{HOST}/open-auth/dataCenter/getGatewayAddress", json={"code": "00000", "data": data})
        token = {"code": "00000", "message": "成功！", "data": {"access_token": "a+b/c=", "expire": 7200}}
        responses.get(f"{HOST}/iuap-api-auth/open-auth/selfAppAuth/base/v1/getAccessToken", json=token)
    login = {"tenant_id": "t", "app_key": "k", "app_secret": SecretStr("s-1")}
    return YonBipConnector(YonBipConfig(base_url=HOST, **login, details=False), Context("bip"))


@responses.activate
def test_the_documented_page_is_read_with_the_token_in_the_address() -> None:
    connector = documented()
    responses.post(f"{MERCHANT}/newlistrange", json=PAGE)
    (record,) = read(connector)
    assert (record.key, record.changed_at) == ("1700194312096055299", "2026-06-22T01:00:00.000000Z")
    assert "access_token=a%2Bb%2Fc%3D" in str(responses.calls[-1].request.url)


@responses.activate
@pytest.mark.parametrize("number", ["200", 200])
def test_a_good_code_may_be_a_text_or_a_number(number: Any) -> None:
    connector = documented()
    responses.post(f"{MERCHANT}/newlistrange", json=PAGE | {"code": number})
    assert len(read(connector)) == 1


def test_every_body_is_mapped_with_its_contact(source: YonBipSource) -> None:
    mapper = compile_mapping(load_spec(source.folder / "mapping.yaml"))
    mapped = {key: mapper(body) for key, body in bodies(source).items()}
    company, person = (one.customer for one in mapped[ONE])
    assert company["identifiers"] == [{"scheme": "cn.uscc", "value": "91350100M000100Y43", "valid": True}]
    assert (company["currency"], company["status"]) == ("CNY", "active")
    assert (person["name"], person["phones"][0]["value"]) == ("张伟", "+8613800000000")
    assert mapped[str(FIRST_ID + 3)][0].customer["status"] == "inactive"
