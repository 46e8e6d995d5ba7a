"""The connector of WeChat official accounts against a simulator, and with bodies as the documentation shows them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any, ClassVar

import orjson
import pytest
import responses

from connectors.conformance import Copy, Unsupported
from connectors.contract import Connector, Context, Inbound, Page, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    EndlessPages,
    ListingIncomplete,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WaitUntil,
)
from connectors.tencent.answers import china_midnight
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.simulator import VendorSource, VendorSuite, bodies, registered
from tests.connectors.tencent.sealing import AES_KEY, TOKEN, callback, stamped, xml
from tests.connectors.wechat_oa.wechat_simulator import WeChat, code

_moments = itertools.count(1_767_323_045)


class WeChatSource(VendorSource):
    vendor = "wechat_oa"
    stream = "followers"
    server: WeChat

    def settings(self) -> dict[str, Any]:
        return {"app_id": WeChat.APP, "app_secret": WeChat.KEY, "base_url": self.server.url, "callback_token": TOKEN}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"app_secret": "secret-of-another"}, "app_secret"

    def body(self, number: int) -> dict[str, Any]:
        raise Unsupported("followers cannot be created")

    def conflict(self) -> Write:
        raise Unsupported("remarks have no version that could be expected")

    def webhook(self, key: str) -> Inbound:
        fields = {"ToUserName": "gh_1", "FromUserName": key, "CreateTime": str(next(_moments)), "MsgType": "event"}
        return Inbound("POST", "/x", {}, stamped(name="signature"), xml(**fields, Event="subscribe"))


class TestConformance(VendorSuite):
    throttled = code(-1, "system error")
    asks_to_wait: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def source(self) -> Iterator[WeChatSource]:
        with WeChat() as server:
            yield WeChatSource(server)


@pytest.fixture
def server() -> Iterator[WeChat]:
    with WeChat() as server:
        yield server


@pytest.fixture
def source(server: WeChat) -> WeChatSource:
    return WeChatSource(server)


@pytest.fixture
def connector(source: WeChatSource) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


def pages(connector: Connector[Any], **more: Any) -> list[Page]:
    return list(connector.read(Read("followers", **{"page_size": 3, **more})))


def keys(found: list[Page]) -> set[str]:
    return {record.key for page in found for record in page.records}


def first(server: WeChat) -> str:
    return sorted(server.rows)[0]


class TestTokens:
    def test_a_token_that_ends_amid_the_read_is_renewed_once(self, server: WeChat, source: WeChatSource) -> None:
        assert set(Copy(source.connect(), source).full(server.expire).bodies) == source.keys()
        assert server.logins == ["stable", "stable"]

    def test_a_stable_token_that_is_refused_is_forced_anew_only_then(
        self, server: WeChat, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [code(40001, "invalid credential, access_token is invalid or not latest")]
        assert keys(pages(connector)) == set(server.rows)
        assert server.logins == ["stable", "stable", "stable anew"]

    def test_an_account_without_stable_tokens_is_told_which_setting_helps(
        self, server: WeChat, source: WeChatSource
    ) -> None:
        server.stable = False
        with pytest.raises(BadConfiguration, match="stable token") as caught:
            source.connect().check()
        assert "stable_token: false" in caught.value.remedy
        connector = source.connect(source.settings() | {"stable_token": False})
        assert keys(pages(connector)) == set(server.rows)
        assert server.logins[-1] == "token anew"

    def test_a_wrong_app_id_is_named(self, source: WeChatSource) -> None:
        with pytest.raises(BadCredentials, match="app_id"):
            source.connect(source.settings() | {"app_id": "wxother"}).check()

    def test_our_address_must_be_on_the_list(self, server: WeChat, connector: Connector[Any]) -> None:
        server.habits.fail_next = [code(40164, "invalid ip 203.0.113.5, not in whitelist")]
        with pytest.raises(PermissionMissing, match=r"203\.0\.113\.5") as caught:
            connector.check()
        assert "白名单" in caught.value.remedy


class TestReading:
    def test_names_with_control_characters_do_no_harm(self, source: WeChatSource, server: WeChat) -> None:
        assert bodies(source)[first(server)]["remark"].startswith("李")

    def test_names_of_tags_are_told(self, source: WeChatSource, server: WeChat) -> None:
        assert bodies(source)[first(server)]["tags"] == ["星标组"]

    def test_somebody_who_leaves_amid_the_read_is_left_out(self, server: WeChat, source: WeChatSource) -> None:
        copy = Copy(source.connect(), source)
        last = sorted(server.rows)[-1]
        assert last not in copy.full(lambda: server.delete(last)).bodies

    def test_a_quota_that_is_used_up_is_counted_anew_at_midnight_in_china(
        self, server: WeChat, connector: Connector[Any]
    ) -> None:
        pages(connector)
        server.habits.fail_next = [code(45009, "reach max api daily quota limit")]
        before = connector.context.now()
        with pytest.raises(WaitUntil) as caught:
            pages(connector)
        assert abs(caught.value.until - china_midnight(before)) < timedelta(seconds=5)
        assert caught.value.until.astimezone(UTC).hour in (15, 16)

    def test_calls_that_come_too_fast_wait_for_a_minute(self, server: WeChat, connector: Connector[Any]) -> None:
        pages(connector)
        server.habits.fail_next = [code(45011, "api minute-quota reach limit")]
        before = connector.context.now()
        with pytest.raises(WaitUntil) as caught:
            pages(connector)
        assert timedelta(seconds=55) < caught.value.until - before < timedelta(seconds=70)


class TestWhatIsNotPromised:
    """Statements of the documentation that could not be checked: being wrong costs time, never data."""

    def test_followers_that_are_counted_but_not_listed_are_not_taken_for_gone(
        self, server: WeChat, connector: Connector[Any]
    ) -> None:
        server.phantoms = 2
        found = pages(connector)
        (bad,) = [bad for page in found for bad in page.rejected]
        assert not bad.identified
        rest = pages(connector, cursor=found[0].cursor, resumed=True)
        assert len([bad for page in rest for bad in page.rejected]) == 1
        with pytest.raises(ListingIncomplete):
            list(connector.ids("followers"))

    @pytest.mark.parametrize("refuses", [True, False])
    def test_a_position_whose_follower_has_left_is_gone_on_from_or_begun_again(
        self, server: WeChat, connector: Connector[Any], refuses: bool
    ) -> None:
        server.refuses_strangers = refuses
        cursor = pages(connector)[0].cursor
        server.delete(str(cursor["after"]))
        done = {openid for openid in server.rows if openid <= str(cursor["after"])}
        assert keys(pages(connector, cursor=cursor, resumed=True)) | done == set(server.rows)

    @pytest.mark.parametrize("refuses", [True, False])
    def test_one_who_is_no_follower_hides_nobody_else(
        self, server: WeChat, connector: Connector[Any], refuses: bool
    ) -> None:
        server.refuses_strangers = refuses
        there, gone = sorted(server.rows)[:2]
        server.delete(gone)
        page = connector.fetch("followers", [gone, there])
        assert (list(page.deleted), [record.key for record in page.records]) == ([gone], [there])

    def test_an_answer_without_numbers_is_no_empty_account(self, server: WeChat, connector: Connector[Any]) -> None:
        pages(connector)
        server.habits.fail_next = [server.ok({"data": {"openid": []}})]
        with pytest.raises(StreamBroken):
            pages(connector)

    def test_a_list_that_begins_again_and_again_is_noticed(self, server: WeChat, connector: Connector[Any]) -> None:
        page = server.ok({"total": 9, "count": 1, "data": {"openid": [first(server)]}, "next_openid": "x"})
        pages(connector)

        def repeat(request: Any) -> None:
            if request.path.endswith("user/get"):
                raise page

        server.habits.before = repeat
        with pytest.raises(EndlessPages):
            pages(connector)

    def test_a_foreign_position_means_a_full_read(self, connector: Connector[Any]) -> None:
        with pytest.raises(CursorExpired):
            pages(connector, cursor={"after": 7}, resumed=True)


class TestCallbacks:
    def event(self, **more: str) -> Inbound:
        fields = {"ToUserName": "gh_1", "FromUserName": "oAbC000001", "CreateTime": "1767323045", "MsgType": "event"}
        return Inbound("POST", "/x", {}, stamped(name="signature"), xml(**(fields | {"Event": "subscribe"} | more)))

    def test_an_event_is_a_hint_at_one_follower(self, connector: Connector[Any]) -> None:
        (hint,), (again,) = connector.verify(self.event()), connector.verify(self.event())
        (left,) = connector.verify(self.event(Event="unsubscribe"))
        assert (hint.stream, hint.key, hint.delivery_id) == ("followers", "oAbC000001", again.delivery_id)
        assert left.delivery_id != hint.delivery_id

    @pytest.mark.parametrize("name", ["user_authorization_cancellation", "user_info_modified", "some_new_event"])
    def test_notices_whose_names_are_not_certain_are_hints_too(self, connector: Connector[Any], name: str) -> None:
        (hint,) = connector.verify(self.event(Event=name, OpenID="oAbC000002"))
        assert hint.key == "oAbC000002"

    @pytest.mark.parametrize("more", [{"Event": "LOCATION"}, {"Event": "CLICK"}, {"MsgType": "text"}])
    def test_what_changes_no_follower_is_no_hint(self, connector: Connector[Any], more: dict[str, str]) -> None:
        assert connector.verify(self.event(**more)) == []

    def test_encrypted_events_are_opened_and_plain_ones_then_refused(self, source: WeChatSource) -> None:
        connector = source.connect(source.settings() | {"encoding_aes_key": AES_KEY})
        (hint,) = connector.verify(callback(self.event().body, WeChat.APP))
        assert hint.key == "oAbC000001"
        with pytest.raises(BadCredentials):
            connector.verify(self.event())

    def test_the_address_is_tested_in_plain_text(self, connector: Connector[Any]) -> None:
        request = Inbound("GET", "/x", {}, stamped(name="signature") | {"echostr": "42"}, b"")
        assert connector.challenge(request) == b"42"

    def test_what_is_hinted_at_is_read_again_as_a_read_shows_it(
        self, server: WeChat, source: WeChatSource, connector: Connector[Any]
    ) -> None:
        key = first(server)
        server.update(key)
        (record,) = connector.fetch("followers", [key]).records
        assert orjson.loads(record.body) == bodies(source)[key]


class TestRemarks:
    def test_only_another_remark_is_sent(self, server: WeChat, connector: Connector[Any]) -> None:
        key = first(server)
        for _ in range(2):
            (result,) = connector.write("followers", [Write({"remark": "王总"}, "w", key)])
            assert result.error is None
        assert len([call for call in server.calls if call.path.endswith("updateremark")]) == 1
        assert server.rows[key]["remark"] == "王总"

    @pytest.mark.parametrize(
        ("key", "body", "words"),
        [
            (None, {"remark": "x"}, "cannot be created"),
            ("oNobody", {"remark": "x"}, "no follower"),
            ("oAbC000001", {"remark": "x" * 30}, "29 letters"),
            ("oAbC000001", {"nickname": "x"}, "nickname"),
            ("oAbC000001", {}, "remark"),
        ],
    )
    def test_what_cannot_be_written_is_told_for_that_record_alone(
        self, connector: Connector[Any], key: str | None, body: dict[str, Any], words: str
    ) -> None:
        bad, good = connector.write("followers", [Write(body, "w1", key), Write({"remark": None}, "w2", "oAbC000002")])
        assert isinstance(bad.error, RecordRejected)
        assert words in str(bad.error)
        assert good.error is None

    def test_a_remark_that_wechat_finds_too_long_all_the_same_is_told_for_that_record(
        self, server: WeChat, connector: Connector[Any]
    ) -> None:
        def refuse(request: Any) -> None:
            if request.path.endswith("updateremark"):
                raise code(40058, "invalid remark")

        server.habits.before = refuse
        (result,) = connector.write("followers", [Write({"remark": "长" * 29}, "w", first(server))])
        assert isinstance(result.error, RecordRejected)


HOST = "https://93.184.216.34/cgi-bin"
FOLLOWERS = json.loads("""{"total":2,"count":2,"data":{"openid":["oAbC1","oAbC9"]},"next_openid":"oAbC9"}""")
DETAILS = json.loads("""{"user_info_list":[{"subscribe":1,"openid":"oAbC1","nickname":"","sex":0,"language":"zh_CN",
"city":"","province":"","country":"","headimgurl":"","subscribe_time":1767323045,"unionid":"uXyZ1","remark":"李总",
"groupid":0,"tagid_list":[2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":0,"qr_scene_str":"ch1"},{"subscribe":0,
"openid":"oAbC9"}]}""")


def documented() -> Connector[Any]:
    connector = registered("wechat_oa").load()
    settings = {"app_id": "wx1", "app_secret": "s3cret-app", "base_url": "https://93.184.216.34"}
    return connector(connector.config_model(**settings), Context("wechat"))


@responses.activate
def test_the_documented_follower_is_mapped_to_a_person_without_consent() -> None:
    responses.post(f"{HOST}/stable_token", json={"access_token": "t0ken", "expires_in": 7200})
    responses.get(f"{HOST}/user/get", json=FOLLOWERS)
    responses.get(f"{HOST}/user/get", json={"total": 2, "count": 0, "next_openid": ""})
    responses.post(f"{HOST}/user/info/batchget", json=DETAILS)
    responses.get(f"{HOST}/tags/get", json={"tags": [{"id": 2, "name": "星标组", "count": 0}]})
    (record,) = [record for page in documented().read(Read("followers")) for record in page.records]
    (person,) = compile_mapping(load_spec(registered("wechat_oa").folder / "mapping.yaml"))(json.loads(record.body))
    assert person.customer["name"] == "李总"
    assert person.customer["external_ids"] == {"wechat_openid": "oAbC1", "wechat_unionid": "uXyZ1"}
    assert person.customer["tags"] == ["星标组"]
    assert "consents" not in person.customer


@responses.activate
@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"errcode": 40125, "errmsg": "invalid appsecret rid: 1"}, BadCredentials, "`app_secret`"),
        ({"errcode": 40013, "errmsg": "invalid appid rid: 1"}, BadCredentials, "`app_id`"),
        ({"errcode": 50002, "errmsg": "user limited"}, PermissionMissing, "user limited"),
    ],
)
def test_documented_refusals_of_the_login(body: dict[str, Any], kind: type[Exception], words: str) -> None:
    responses.post(f"{HOST}/stable_token", json=body)
    with pytest.raises(kind, match=words) as caught:
        documented().check()
    assert "s3cret-app" not in f"{caught.value} {caught.value.remedy}"  # type: ignore[attr-defined]
