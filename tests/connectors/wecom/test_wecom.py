"""The WeCom connector against a simulator of a company, and with bodies as the documentation shows them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import orjson
import pytest
import responses

from connectors.conformance import Copy, Unsupported
from connectors.contract import Connector, Context, Hint, Inbound, Mode, Page, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ListingIncomplete,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WaitUntil,
)
from connectors.tencent.answers import Refused
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies, registered
from tests.connectors.tencent.sealing import AES_KEY, TOKEN, callback, sealed, stamped, xml
from tests.connectors.wecom.wecom_simulator import WeCom, code

_moments = itertools.count(1_767_323_045)


class WeComSource(VendorSource):
    vendor = "wecom"
    server: WeCom

    def settings(self) -> dict[str, Any]:
        keys = {"callback_token": TOKEN, "encoding_aes_key": AES_KEY}
        return {"corp_id": WeCom.CORP, "secret": WeCom.KEY, "base_url": self.server.url, **keys}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"secret": "secret-of-another"}, "secret"

    def body(self, number: int) -> dict[str, Any]:
        raise Unsupported("customers cannot be created over the interface")

    def conflict(self) -> Write:
        raise Unsupported("remarks have no version that could be expected")

    def webhook(self, key: str) -> Inbound:
        customer, _, user = key.partition("|")
        fields = {
            "ToUserName": WeCom.CORP, "FromUserName": "sys", "CreateTime": str(next(_moments)), "MsgType": "event",
            "Event": "change_external_contact", "ChangeType": "edit_external_contact", "UserID": user.upper(),
            "ExternalUserID": customer,
        }  # fmt: skip
        return callback(xml(**fields), WeCom.CORP)


class TestConformance(VendorSuite):
    throttled = code(-1, "system busy")
    asks_to_wait: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def source(self) -> Iterator[WeComSource]:
        with WeCom() as server:
            yield WeComSource(server)


@pytest.fixture
def server() -> Iterator[WeCom]:
    with WeCom() as server:
        yield server


@pytest.fixture
def source(server: WeCom) -> WeComSource:
    return WeComSource(server)


@pytest.fixture
def connector(source: WeComSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


def pages(connector: Connector[Any], **more: Any) -> list[Page]:
    return list(connector.read(Read("customers", **{"page_size": 3, **more})))


def keys(found: list[Page]) -> list[str]:
    return [record.key for page in found for record in page.records]


def first(server: WeCom) -> str:
    return sorted(server.rows)[0]


class TestReading:
    def test_a_token_that_ends_amid_the_read_is_renewed_once(self, server: WeCom, source: WeComSource) -> None:
        copy = Copy(source.connect(), source).full(server.expire)
        assert set(copy.bodies) == source.keys()
        assert server.logins == 2

    def test_one_token_serves_many_reads(self, server: WeCom, connector: Connector[Any]) -> None:
        pages(connector)
        pages(connector)
        assert server.logins == 1

    def test_a_token_refused_before_its_end_is_asked_for_anew_and_then_named_as_refused(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [code(40014, "invalid access_token"), code(0, "ok", access_token=server.token),
                                   code(0, "ok", access_token=server.token), code(40014, "invalid")]  # fmt: skip
        with pytest.raises(BadCredentials, match="access token"):
            pages(connector)

    def test_a_limit_blocks_for_a_minute_and_is_not_asked_about_meanwhile(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [code(45009, "api freq out of limit")]
        before, calls = connector.context.now(), len(server.calls)
        for _ in range(2):
            with pytest.raises(WaitUntil) as caught:
                pages(connector)
        assert timedelta(seconds=55) < caught.value.until - before < timedelta(seconds=70)
        assert len(server.calls) == calls + 1

    def test_too_many_calls_at_once_are_made_again(self, server: WeCom, connector: Connector[Any]) -> None:
        pages(connector)
        server.habits.fail_next = [code(45033, "api concurrent out of limit")]
        assert set(keys(pages(connector))) == set(server.rows)

    def test_debug_is_never_asked_for_because_it_cuts_the_limit_to_five_calls(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        pages(connector)
        assert all("debug" not in call.query for call in server.calls)

    def test_our_address_must_be_trusted_and_the_error_says_where(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [code(60020, "not allow to access from your ip")]
        with pytest.raises(PermissionMissing, match=r"203\.0\.113\.5") as caught:
            connector.check()
        assert "可信IP" in caught.value.remedy

    def test_a_wrong_company_is_named(self, source: WeComSource) -> None:
        with pytest.raises(BadCredentials, match="corp_id"):
            source.connect(source.settings() | {"corp_id": "wwother"}).check()

    def test_an_unknown_employee_in_the_settings_is_named(self, source: WeComSource) -> None:
        connector = source.connect(source.settings() | {"users": ["zhangsan", "nobody"]})
        with pytest.raises(BadConfiguration, match="nobody") as caught:
            connector.check()
        assert caught.value.setting == "users"

    def test_only_the_configured_employees_are_read_whatever_their_case(self, source: WeComSource) -> None:
        connector = source.connect(source.settings() | {"users": ["wangwu"]})
        found = keys(pages(connector))
        assert found
        assert all(key.endswith("|wangwu") for key in found)
        assert {key for batch in connector.ids("customers") for key in batch} == set(found)

    def test_an_app_that_sees_no_employee_is_told_so(self, server: WeCom, connector: Connector[Any]) -> None:
        server.users = []
        with pytest.raises(PermissionMissing, match="no employee"):
            connector.check()

    def test_more_than_a_hundred_employees_are_read_in_turns(self, server: WeCom, source: WeComSource) -> None:
        server.users += [f"user{number:03}" for number in range(120)]
        for _ in range(30):
            server.add()
        connector = source.connect()
        found = pages(connector, page_size=100)
        assert set(keys(found)) == set(server.rows)
        rest = pages(connector, page_size=100, mode=Mode.FULL, cursor=found[0].cursor, resumed=True)
        assert set(keys(rest)) | set(keys(found[:1])) == set(server.rows)

    def test_an_empty_page_may_be_followed_by_others(self, server: WeCom, source: WeComSource) -> None:
        server.empty_pages = True
        assert set(bodies(source)) == source.keys()

    def test_names_of_tags_are_told_and_a_missing_right_to_them_does_no_harm(
        self, server: WeCom, source: WeComSource, connector: Connector[Any]
    ) -> None:
        assert bodies(source)[first(server)]["tags"] == ["VIP"]

        def forbid(request: Any) -> None:
            if request.path.endswith("get_corp_tag_list"):
                raise code(48002, "api forbidden")

        server.habits.before = forbid
        (body, *_) = (orjson.loads(record.body) for page in pages(connector) for record in page.records)
        assert (body["tags"], body["follow_info"]["tag_id"]) == ([], ["etA"])


class TestWhatIsNotPromised:
    """Statements of the documentation that could not be checked: being wrong costs time, never data."""

    def test_customers_hidden_for_lack_of_a_licence_are_not_taken_for_deleted(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        server.unlicensed = ["zhangsan"]
        rejected = [bad for page in pages(connector) for bad in page.rejected]
        assert rejected
        assert not any(bad.identified for bad in rejected)
        assert "licence" in str(rejected[0].reason)
        with pytest.raises(ListingIncomplete):
            list(connector.ids("customers"))

    @pytest.mark.parametrize("answers", [True, False])
    def test_an_employee_without_customers_hides_nobody_elses(
        self, server: WeCom, source: WeComSource, connector: Connector[Any], answers: bool
    ) -> None:
        server.empty_user_answers_no_relation = answers
        server.users.append("newbie")
        assert set(bodies(source)) == source.keys()
        assert {key for batch in connector.ids("customers") for key in batch} == source.keys()

    def test_no_relation_answered_for_many_employees_is_asked_about_one_by_one(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        def refuse(request: Any) -> None:
            if request.path.endswith("get_by_user") and len(request.json()["userid_list"]) > 1:
                raise code(84061, "not external contact")

        server.habits.before = refuse
        found = pages(connector)
        assert set(keys(found)) == set(server.rows)
        for number, page in enumerate(found):
            rest = pages(connector, cursor=page.cursor, resumed=True)
            assert set(keys(found[: number + 1])) | set(keys(rest)) == set(server.rows)

    def test_a_position_that_is_no_longer_known_begins_again_with_those_employees(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        cursor = pages(connector)[0].cursor
        server.habits.fail_next = [code(0, "ok", follow_user=server.users), code(40058, "invalid cursor")]
        assert set(keys(pages(connector, cursor=cursor, resumed=True))) == set(server.rows)

    def test_an_answer_without_the_list_is_no_empty_company(self, server: WeCom, connector: Connector[Any]) -> None:
        pages(connector)
        server.habits.fail_next = [code(0, "ok", follow_user=server.users), code(0, "ok")]
        with pytest.raises(StreamBroken, match="external_contact_list"):
            pages(connector)

    def test_a_row_without_a_key_is_put_aside_and_nothing_is_deleted(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        del server.rows[first(server)]["follow_info"]["userid"]
        (bad,) = [bad for page in pages(connector) for bad in page.rejected]
        assert not bad.identified

    def test_an_unknown_code_is_shown_with_what_the_vendor_says(self, server: WeCom, connector: Connector[Any]) -> None:
        pages(connector)
        server.habits.fail_next = [code(701008, "no licence")]
        with pytest.raises(Refused, match=r"no licence.*701008"):
            pages(connector)

    def test_a_company_that_is_not_taken_for_a_customer_who_uses_wecom_is_told_for_that_record(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        def refuse(request: Any) -> None:
            if request.path.endswith("remark") and "remark_company" in request.json():
                raise code(40058, "invalid remark_company")

        server.habits.before = refuse
        one, other, *_ = sorted(server.rows)
        batch = [Write({"remark_company": "新"}, "w1", one), Write({"remark": "新"}, "w2", other)]
        bad, good = connector.write("customers", batch)
        assert "remark_company" in str(bad.error)
        assert good.error is None

    def test_phones_that_cannot_be_cleared_so_are_told_for_that_record(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        def refuse(request: Any) -> None:
            if request.path.endswith("remark"):
                raise code(40058, "invalid remark_mobiles")

        server.habits.before = refuse
        (result,) = connector.write("customers", [Write({"remark_mobiles": []}, "w", first(server))])
        assert isinstance(result.error, RecordRejected)
        assert "remark_mobiles" in str(result.error)


class TestCallbacks:
    def event(self, **more: str) -> Inbound:
        fields = {
            "ToUserName": WeCom.CORP, "FromUserName": "sys", "CreateTime": "1767323045", "MsgType": "event",
            "Event": "change_external_contact", "ChangeType": "edit_external_contact", "UserID": "ZhangSan",
            "ExternalUserID": "wmAAA00001",
        }  # fmt: skip
        return callback(xml(**(fields | more)), WeCom.CORP)

    def test_a_change_is_a_hint_at_one_customer_and_repeats_itself_recognisably(
        self, connector: Connector[Any]
    ) -> None:
        (hint,) = connector.verify(self.event())
        (again,) = connector.verify(self.event())
        (other,) = connector.verify(self.event(ChangeType="del_external_contact"))
        assert hint == again == Hint("customers", "wmAAA00001|zhangsan", hint.delivery_id)
        assert other.delivery_id != hint.delivery_id

    def test_changed_tags_hint_at_the_stream(self, connector: Connector[Any]) -> None:
        (hint,) = connector.verify(self.event(Event="change_external_tag", ChangeType="update", UserID=""))
        assert (hint.stream, hint.key) == ("customers", None)

    def test_customers_of_employees_who_are_not_read_are_no_hints(self, source: WeComSource) -> None:
        connector = source.connect(source.settings() | {"users": ["lisi"]})
        assert connector.verify(self.event()) == []
        assert len(connector.verify(self.event(UserID="LiSi"))) == 1

    def test_other_events_hint_at_nothing(self, connector: Connector[Any]) -> None:
        assert connector.verify(self.event(Event="enter_agent")) == []

    def test_what_is_hinted_at_is_read_again_as_a_read_shows_it(
        self, server: WeCom, source: WeComSource, connector: Connector[Any]
    ) -> None:
        there, gone = sorted(server.rows)[:2]
        server.update(there)
        server.delete(gone)
        page = connector.fetch("customers", [there, gone])
        assert list(page.deleted) == [gone]
        assert {record.key: orjson.loads(record.body) for record in page.records} == {there: bodies(source)[there]}

    def test_an_employee_who_has_lost_a_customer_that_others_have_has_lost_it(
        self, server: WeCom, connector: Connector[Any]
    ) -> None:
        key = first(server)
        other = key.partition("|")[0] + "|somebody"
        assert list(connector.fetch("customers", [other]).deleted) == [other]

    def test_the_address_is_tested_with_a_text_that_is_given_back_bare(self, connector: Connector[Any]) -> None:
        echo = sealed(b"1616140317555161061", WeCom.CORP)
        request = Inbound("GET", "/hooks/x", {}, stamped(echo) | {"echostr": echo}, b"")
        assert connector.challenge(request) == b"1616140317555161061"
        assert connector.challenge(self.event()) is None


class TestRemarks:
    def write(self, connector: Connector[Any], key: str | None, **body: Any) -> Any:
        (result,) = connector.write("customers", [Write(body, "w", key)])
        return result

    def sent(self, server: WeCom) -> list[Any]:
        return [call.json() for call in server.calls if call.path.endswith("/remark")]

    def test_only_what_differs_is_sent_and_nothing_twice(self, server: WeCom, connector: Connector[Any]) -> None:
        key = first(server)
        same = server.rows[key]["follow_info"]["remark"]
        for _ in range(2):
            result = self.write(connector, key, remark=same, remark_company="新公司", remark_mobiles=["13900000000"])
            assert (result.error, result.key) == (None, key)
        (sent,) = self.sent(server)
        assert sent.keys() == {"userid", "external_userid", "remark_company", "remark_mobiles"}
        assert server.rows[key]["follow_info"]["remark_corp_name"] == "新公司"

    def test_the_employees_id_is_sent_as_wecom_writes_it(self, server: WeCom, connector: Connector[Any]) -> None:
        key = next(key for key in sorted(server.rows) if key.endswith("|wangwu"))
        assert self.write(connector, key, remark="新").error is None
        assert self.sent(server)[0]["userid"] == "WangWu"

    def test_phones_are_cleared_by_one_empty_text(self, server: WeCom, connector: Connector[Any]) -> None:
        key = first(server)
        assert self.write(connector, key, remark_mobiles=None).error is None
        assert self.sent(server)[0]["remark_mobiles"] == [""]
        assert server.rows[key]["follow_info"]["remark_mobiles"] == []
        assert self.write(connector, key, remark_mobiles=[]).error is None
        assert len(self.sent(server)) == 1

    @pytest.mark.parametrize(
        ("key", "body", "words"),
        [
            (None, {"remark": "x"}, "cannot be created"),
            ("wmAAA00001|nobody", {"remark": "x"}, "no customer"),
            ("xx|zhangsan", {"remark": "x"}, "no customer"),
            ("wmAAA00001|wangwu", {"name": "x"}, "name"),
        ],
    )
    def test_what_cannot_be_written_is_told_for_that_record_alone(
        self, server: WeCom, connector: Connector[Any], key: str | None, body: dict[str, Any], words: str
    ) -> None:
        bad, good = connector.write("customers", [Write(body, "w1", key), Write({"remark": "y"}, "w2", first(server))])
        assert isinstance(bad.error, RecordRejected)
        assert words in str(bad.error)
        assert good.error is None


EXAMPLE = json.loads("""{"errcode":0,"errmsg":"ok","external_contact_list":[{"external_contact":{"external_userid":
"wmAAA0001","name":"李四","type":1,"gender":0,"avatar":"http://a","unionid":"ozyn0001"},"follow_info":{"userid":
"zhangsan","remark":"李总","description":"","createtime":1767323045,"tag_id":["etAAA1"],"remark_corp_name":"某公司",
"remark_mobiles":["13800000000"],"add_way":1,"oper_userid":"zhangsan","state":"ch1"}}],"next_cursor":"",
"fail_info":{"unlicensed_userid_list":[]}}""")
HOST = "https://93.184.216.34/cgi-bin"


def documented() -> Connector[Any]:
    connector = registered("wecom").load()
    settings = {"corp_id": "ww1", "secret": "s3cret-app", "base_url": "https://93.184.216.34"}
    return connector(connector.config_model(**settings), Context("wecom"))


@responses.activate
def test_the_documented_customer_is_mapped_to_a_person_and_a_company() -> None:
    responses.get(f"{HOST}/gettoken", json={"errcode": 0, "errmsg": "ok", "access_token": "t0ken", "expires_in": 7200})
    responses.get(f"{HOST}/externalcontact/get_follow_user_list", json={"errcode": 0, "follow_user": ["zhangsan"]})
    responses.post(f"{HOST}/externalcontact/batch/get_by_user", json=EXAMPLE)
    responses.post(f"{HOST}/externalcontact/get_corp_tag_list", json={"errcode": 0, "errmsg": "ok", "tag_group": [
        {"group_id": "g", "tag": [{"id": "etAAA1", "name": "VIP"}]}]})  # fmt: skip
    (record,) = [record for page in documented().read(Read("customers")) for record in page.records]
    assert record.key == "wmAAA0001|zhangsan"
    person, company = compile_mapping(load_spec(registered("wecom").folder / "mapping.yaml"))(json.loads(record.body))
    assert person.customer["name"] == "李总"
    assert person.customer["phones"][0]["value"] == "+8613800000000"
    assert person.customer["external_ids"] == {"wecom": "wmAAA0001", "wechat_unionid": "ozyn0001"}
    assert person.customer["tags"] == ["VIP"]
    assert person.customer["source_created_at"].startswith("2026-01-02T03:04:05")
    assert company.customer["name"] == "某公司"


@responses.activate
@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"errcode": 40001, "errmsg": "invalid credential"}, BadCredentials, "`secret`"),
        ({"errcode": 40013, "errmsg": "invalid corpid"}, BadCredentials, "`corp_id`"),
        ({"errcode": 60020, "errmsg": "not allow to access from your ip, hint: […], from ip: 203.0.113.5, more info "
          "at https://open.work.weixin.qq.com"}, PermissionMissing, "203.0.113.5"),
        ({"errcode": 0, "errmsg": "ok"}, StreamBroken, "without an access token"),
    ],
)  # fmt: skip
def test_documented_refusals_of_the_login(body: dict[str, Any], kind: type[Exception], words: str) -> None:
    responses.get(f"{HOST}/gettoken", json=body)
    with pytest.raises(kind, match=words) as caught:
        documented().check()
    assert "s3cret-app" not in f"{caught.value} {caught.value.remedy}"  # type: ignore[attr-defined]


def test_a_body_that_is_no_object_breaks_the_stream(server: WeCom, connector: Connector[Any]) -> None:
    pages(connector)
    server.habits.fail_next = [Answer(200, ["what?"])]
    with pytest.raises(StreamBroken):
        pages(connector)
