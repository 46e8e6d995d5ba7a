"""The Kingdee connector against a small K/3 Cloud, and with bodies as the documentation shows them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
import responses
from pydantic import SecretStr

from connectors.conformance import ConformanceSuite, Copy
from connectors.contract import Context, Mode, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    EndlessPages,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WriteConflict,
)
from connectors.kingdee.config import KingdeeConfig
from connectors.kingdee.connector import KingdeeConnector
from connectors.kingdee.login import keyed_hash, unmasked
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.kingdee.kingdee_simulator import LOST, Kingdee, status
from tests.connectors.kingdee.kingdee_source import KingdeeSource, PasswordSource, SignatureSource, operations, read
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies


class TestWithAppSecret(VendorSuite):
    throttled = Answer(429, b"Too Many Requests", {"Content-Type": "text/plain"})

    @pytest.fixture
    def source(self) -> Iterator[KingdeeSource]:
        with Kingdee() as server:
            yield KingdeeSource(server)

    def revoke(self, source: VendorSource) -> Any:
        source.server.sessions.clear()  # type: ignore[attr-defined]
        source.server.PASSWORD = "another-password"  # type: ignore[attr-defined]
        return super().revoke(source)

    def restore(self, source: VendorSource, kept: Any) -> None:
        source.server.PASSWORD = Kingdee.PASSWORD  # type: ignore[attr-defined]
        super().restore(source, kept)


class TestWithPassword(ConformanceSuite):
    @pytest.fixture
    def source(self, server: Kingdee) -> KingdeeSource:
        return PasswordSource(server)


class TestWithSignature(ConformanceSuite):
    @pytest.fixture
    def source(self, server: Kingdee) -> KingdeeSource:
        return SignatureSource(server)


class TestLogin:
    def test_a_session_that_ends_amid_the_read_is_opened_anew(self, server: Kingdee, source: KingdeeSource) -> None:
        server.lives = 2
        copy = Copy(source.connect(), source).full()
        assert set(copy.bodies) == source.keys()
        assert operations(server).count("LoginByAppSecret") > 1

    def test_a_session_that_ends_before_a_save_is_opened_anew_and_the_customer_made_once(
        self, server: Kingdee, connector: Any
    ) -> None:
        server.lives = 1
        before = len(server.rows)
        (result,) = connector.write("customers", [Write({"FNumber": "N1", "FName": "新"}, "w1")])
        assert (result.error, result.created, len(server.rows)) == (None, True, before + 1)

    def test_a_refused_login_is_told_in_the_servers_words_and_names_the_settings(self, source: KingdeeSource) -> None:
        connector = source.connect(source.settings() | {"app_secret": "wrong-secret-0000"})
        with pytest.raises(BadCredentials, match=r"用户名或密码错误.*app_secret, app_id, user, acct_id"):
            connector.check()

    @pytest.mark.parametrize("kind", [KingdeeSource, SignatureSource])
    def test_a_wrong_data_centre_is_named_with_those_there_are(
        self, server: Kingdee, kind: type[KingdeeSource]
    ) -> None:
        source = kind(server)
        connector = source.connect(source.settings() | {"acct_id": "0000"})
        with pytest.raises(BadConfiguration, match=r"0000.*测试账套") as caught:
            connector.check()
        assert caught.value.setting == "acct_id"

    def test_without_a_list_of_data_centres_the_first_error_stands(
        self, server: Kingdee, source: KingdeeSource
    ) -> None:
        connector = source.connect(source.settings() | {"acct_id": "0000"})

        def no_list(request: Any) -> None:
            if "GetDataCenterList" in request.path:
                raise Answer(404, {"message": "no such service"})

        server.habits.before = no_list
        with pytest.raises(BadCredentials, match="acct_id"):
            connector.check()

    @pytest.mark.parametrize("result", [0, -1, -5, 7, None, "no"])
    def test_every_result_of_a_login_but_1_is_a_refusal(self, server: Kingdee, connector: Any, result: Any) -> None:
        server.habits.fail_next = [Answer(200, {"LoginResultType": result, "KDSVCSessionId": "s", "Message": "请检查"})]
        with pytest.raises(BadCredentials, match="请检查"):
            connector.check()

    def test_an_address_that_leads_elsewhere_is_told(self, source: KingdeeSource) -> None:
        connector = source.connect(source.settings() | {"base_url": source.server.url + "/elsewhere"})
        with pytest.raises(BadConfiguration) as caught:
            connector.check()
        assert "base_url" in caught.value.remedy

    def test_a_signature_is_never_renewed(self, server: Kingdee) -> None:
        connector = SignatureSource(server).connect()
        server.habits.fail_next = [Answer(200, [[status(LOST, 1)]])]
        with pytest.raises(BadCredentials, match="app_secret"):
            read(connector)
        assert len(server.calls) == 1

    def test_a_session_is_closed_with_the_connection_for_it_may_count_as_a_licence(
        self, server: Kingdee, source: KingdeeSource
    ) -> None:
        connector = source.connect()
        connector.check()
        assert len(server.sessions) == 1
        connector.close()
        assert server.sessions == {}
        connector.close()
        assert operations(server).count("LogOut") == 1
        assert connector.check()
        connector.close()

    def test_a_server_that_is_away_when_a_session_is_closed_does_no_harm(
        self, server: Kingdee, source: KingdeeSource
    ) -> None:
        connector = source.connect()
        connector.check()
        server.habits.fail_next = [Answer(503, b"")]
        connector.close()

    def test_signed_requests_have_no_session_to_close(self, server: Kingdee) -> None:
        connector = SignatureSource(server).connect()
        connector.check()
        connector.close()
        assert "LogOut" not in operations(server)

    def test_a_reply_wrapped_in_a_result_is_understood(self, server: Kingdee, connector: Any) -> None:
        session = {"LoginResultType": 1, "KDSVCSessionId": "wrapped-session"}
        server.sessions["wrapped-session"] = 100
        server.habits.fail_next = [Answer(200, {"Result": session})]
        assert len(read(connector)) == 8

    @pytest.mark.parametrize("missing", ["app_id", "app_secret"])
    def test_settings_that_a_login_needs_are_asked_for(self, source: KingdeeSource, missing: str) -> None:
        settings = {name: value for name, value in source.settings().items() if name != missing}
        with pytest.raises(BadConfiguration, match=missing):
            source.connect(settings)

    def test_the_hash_is_the_base64_of_the_hexadecimal_text(self) -> None:
        digest = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        quick = keyed_hash("The quick brown fox jumps over the lazy dog", "key")
        assert base64.b64decode(quick).decode() == digest

    @pytest.mark.parametrize("part", ["", "short", "x" * 33, "!" * 32])
    def test_an_application_id_without_a_hidden_secret_signs_with_none(self, part: str) -> None:
        assert unmasked(part) == ""

    def test_the_address_may_name_its_own_path(self) -> None:
        base = {"acct_id": "1", "user": "u", "login": "password", "password": SecretStr("x")}
        assert KingdeeConfig(base_url="https://a.example/K3Cloud/", **base).address == "https://a.example/K3Cloud/"
        assert KingdeeConfig(base_url="https://a.example", **base).address == "https://a.example/k3cloud/"


class TestReading:
    def test_stamps_without_a_zone_are_the_servers(self, server: Kingdee, connector: Any) -> None:
        server.rows["1001"]["FModifyDate"] = "2026-01-02T03:04:05.123"
        assert read(connector)[0].changed_at == "2026-01-01T19:04:05.123000Z"

    def test_fields_that_this_version_does_not_have_are_left_out(self, server: Kingdee, connector: Any) -> None:
        server.absent |= {"FSOCIALCRECODE", "FGroup.FNumber"}
        body = orjson.loads(read(connector)[0].body)
        assert "FSOCIALCRECODE" not in body
        assert body["FSELLER"] == {"FName": "张伟", "FNumber": "S1"}
        server.calls.clear()
        read(connector)
        assert len(server.calls) == 2, "the fields are tried once"

    def test_a_field_of_ones_own_that_there_is_not_is_named(self, source: KingdeeSource) -> None:
        connector = source.connect(source.settings() | {"extra_fields": ["F_NO_SUCH"]})
        with pytest.raises(BadConfiguration, match="F_NO_SUCH") as caught:
            connector.check()
        assert caught.value.setting == "extra_fields"

    def test_only_customers_of_the_chosen_organisations_are_read(self, server: Kingdee, source: KingdeeSource) -> None:
        server.rows["1002"]["FUseOrgId.FNumber"] = "200"
        connector = source.connect(source.settings() | {"organizations": ["200", "300"]})
        assert [record.key for record in read(connector)] == ["1002"]
        assert next(iter(connector.ids("customers"))) == ["1002"]

    def test_a_server_that_shows_fewer_rows_than_asked_for_loses_none(self, server: Kingdee, connector: Any) -> None:
        server.most = 2
        assert {record.key for record in read(connector)} == set(server.rows)

    def test_a_customer_never_modified_is_found_by_its_creation(self, server: Kingdee, source: KingdeeSource) -> None:
        copy = Copy(source.connect(), source).full()
        key = server.add()
        server.rows[key]["FModifyDate"] = None
        assert key in copy.incremental().changed

    @pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
    def test_a_wrong_zone_loses_nothing(self, server: Kingdee, source: KingdeeSource, zone: str) -> None:
        server.zone = ZoneInfo(zone)
        copy = Copy(source.connect(), source).full()
        for _ in range(3):
            key = server.add()
            copy.incremental()
            assert key in copy.bodies

    def test_quotes_in_what_is_looked_for_are_doubled(self, server: Kingdee, connector: Any) -> None:
        server.rows["1001"]["FNumber"] = "O'Neill"
        (result,) = connector.write("customers", [Write({"FNumber": "O'Neill", "FName": "x"}, "w1")])
        assert result.key == "1001"


class TestFaults:
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (status("字段名不存在", 9), StreamBroken),
            ([[status("参数为空", 8)]], StreamBroken),
            ([[status("表单不存在", 4)]], BadConfiguration),
            ([[status("没有【客户】的【查看】权限")]], PermissionMissing),
            ({"Result": {}}, StreamBroken),
            ({}, StreamBroken),
            ([[1, 2]], StreamBroken),
            (None, StreamBroken),
        ],
    )
    def test_errors_with_status_200_are_never_taken_for_rows(
        self, server: Kingdee, connector: Any, answer: Any, error: type[Exception]
    ) -> None:
        connector.check()
        server.habits.before = _always(Answer(200, json.dumps(answer).encode()))
        with pytest.raises(error):
            read(connector)

    def test_the_firewalls_dialog_is_told_with_a_remedy(self, server: Kingdee, connector: Any) -> None:
        blocked = [{"actionname": "showConfirm", "params": [{"msg": "请求参数存在可疑数据"}]}]
        connector.check()
        server.habits.before = _always(Answer(200, blocked))
        with pytest.raises(StreamBroken, match="可疑数据") as caught:
            read(connector)
        assert "administrator" in caught.value.remedy

    def test_an_error_in_plain_text_is_no_data(self, server: Kingdee, connector: Any) -> None:
        connector.check()
        server.habits.before = _always(Answer(200, "response_error:服务器内部错误".encode()))
        with pytest.raises(StreamBroken, match="服务器内部错误"):
            read(connector)

    @pytest.mark.parametrize("text", ["response_error:会话信息已丢失，请重新登录", "response_error: ctx == null"])
    def test_a_lost_session_in_plain_text_is_opened_anew(self, server: Kingdee, connector: Any, text: str) -> None:
        connector.check()
        server.habits.fail_next = [Answer(200, text.encode())]
        assert len(read(connector)) == 8

    def test_a_customer_named_like_an_error_is_a_customer(self, server: Kingdee, connector: Any) -> None:
        server.rows["1001"]["FName"] = f"response_error: {LOST}"
        assert len(read(connector)) == 8


class TestWhatIsNotPromised:
    """Statements about the system that could not be checked: where they are wrong, that is told and nothing is lost."""

    def test_a_filter_that_is_ignored_is_noticed(self, server: Kingdee, connector: Any) -> None:
        server.ignores_filter = True
        with pytest.raises(EndlessPages):
            read(connector, page_size=3)

    def test_a_field_of_an_entry_that_repeats_customers_is_noticed(self, server: Kingdee, connector: Any) -> None:
        connector.check()
        row = ["1001", *[None] * (len(connector.streams()["customers"]._fields) - 1)]
        server.habits.fail_next = [Answer(200, [row, row])]
        with pytest.raises(EndlessPages) as caught:
            read(connector)
        assert "extra_fields" in caught.value.remedy

    def test_an_audited_customer_that_may_not_be_changed_stays_as_it_is(self, server: Kingdee, connector: Any) -> None:
        server.audited_are_locked = True
        before = dict(server.rows["1001"])
        (result,) = connector.write("customers", [Write({"FName": "另一个"}, "w1", key="1001")])
        assert isinstance(result.error, RecordRejected)
        assert "反审核" in str(result.error)
        assert "audited" in result.error.remedy
        assert server.rows["1001"] == before

    def test_an_answer_to_a_save_that_tells_nothing_stops_the_batch(self, server: Kingdee, connector: Any) -> None:
        connector.check()

        def mute(request: Any) -> None:
            if ".Save." in request.path:
                raise Answer(200, {"ok": 1})

        server.habits.before = mute
        with pytest.raises(StreamBroken, match="Save"):
            connector.write("customers", [Write({"FNumber": "N1", "FName": "x"}, "w1")])

    def test_a_data_centre_refused_with_another_status_is_named(self, server: Kingdee) -> None:
        source = SignatureSource(server)
        connector = source.connect(source.settings() | {"acct_id": "0000"})
        server.habits.fail_next = [Answer(400, {"message": "bad request"})]
        with pytest.raises(BadConfiguration, match="0000"):
            connector.check()


def _always(answer: Answer) -> Any:
    def again(request: Any) -> None:
        if "DynamicFormService" in request.path:
            raise answer

    return again


# --- bodies as the documentation shows them

BASE = "https://93.184.216.34/k3cloud/Kingdee.BOS.WebApi.ServicesStub"


def documented(**more: Any) -> KingdeeConnector:
    settings = {"base_url": "https://93.184.216.34", "acct_id": "1", "user": "u", "login": "password"}
    config = KingdeeConfig(**settings, password=SecretStr("pass-1"), **more)
    responses.post(
        f"{BASE}.AuthService.ValidateUser.common.kdsvc",
        json={"LoginResultType": 1, "Message": None, "KDSVCSessionId": "sid-1", "Context": {"UserId": 1}},
    )
    return KingdeeConnector(config, Context("erp"))


@responses.activate
def test_the_documented_rows_are_read_with_the_session_as_a_cookie() -> None:
    connector = documented()
    fields = connector.streams()["customers"]._fields
    values = {"FCUSTID": 1001, "FNumber": "C001", "FName": "Acme Ltd", "FSOCIALCRECODE": "91310000X",
              "FModifyDate": "2026-01-02T03:04:05.123"}  # fmt: skip
    query = f"{BASE}.DynamicFormService.ExecuteBillQuery.common.kdsvc"
    responses.post(query, json=[[values.get(field) for field in fields]])
    responses.post(query, json=[])
    (record,) = read(connector)
    assert (record.key, record.changed_at) == ("1001", "2026-01-01T19:04:05.123000Z")
    assert responses.calls[-1].request.headers["Cookie"] == "kdservice-sessionid=sid-1"
    asked = json.loads(responses.calls[-1].request.body)["data"]
    assert (asked["FilterString"], asked["OrderString"]) == ("FCUSTID > 1001", "FCUSTID ASC")


@responses.activate
def test_the_documented_error_of_a_save_is_a_conflict() -> None:
    connector = documented()
    query, save = (f"{BASE}.DynamicFormService.{name}.common.kdsvc" for name in ("ExecuteBillQuery", "Save"))
    responses.post(query, json=[])
    responses.post(save, json={"Result": {"ResponseStatus": {
        "ErrorCode": 500, "IsSuccess": False, "SuccessEntitys": [], "SuccessMessages": [], "MsgCode": 11,
        "Errors": [{"FieldName": "FNumber", "Message": "编码已存在", "DIndex": 0}]}}})  # fmt: skip
    (result,) = connector.write("customers", [Write({"FNumber": "C001", "FName": "x"}, "w1")])
    assert isinstance(result.error, WriteConflict)
    assert "编码已存在" in str(result.error)


def test_every_body_is_mapped_with_status_and_currency(server: Kingdee, source: KingdeeSource) -> None:
    mapper = compile_mapping(load_spec(source.folder / "mapping.yaml"))
    mapped = {key: mapper(body)[0].customer for key, body in bodies(source).items()}
    assert mapped["1001"]["identifiers"] == [{"scheme": "cn.uscc", "value": "91350100M000100Y43", "valid": True}]
    assert mapped["1001"]["currency"] == "CNY"
    assert mapped["1001"]["external_ids"] == {"kingdee": "C001"}
    assert (mapped["1001"]["status"], mapped["1003"]["status"]) == ("active", "inactive")


def test_a_later_incremental_read_continues_where_the_last_one_ended(server: Kingdee, connector: Any) -> None:
    pages = list(connector.read(Read("customers", page_size=3)))
    server.calls.clear()
    list(connector.read(Read("customers", Mode.INCREMENTAL, pages[-1].cursor, page_size=3)))
    assert "FModifyDate >= '" in server.calls[-1].json()["data"]["FilterString"]
