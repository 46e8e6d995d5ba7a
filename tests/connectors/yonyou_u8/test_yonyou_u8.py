"""The U8 connector against a small open platform, and with bodies as the documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from pydantic import SecretStr

from connectors.conformance import Copy
from connectors.contract import Connector, Context, Mode, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    EndlessPages,
    ListingIncomplete,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.yonyou_u8.config import U8Config
from connectors.yonyou_u8.connector import U8Connector
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, bodies
from tests.connectors.yonyou_u8.u8_simulator import U8, told


class U8Source(VendorSource):
    vendor = "yonyou_u8"
    server: U8

    def settings(self) -> dict[str, Any]:
        accounts = {**U8.ACCOUNTS, "to_account": U8.COMPANY, "app_secret": U8.KEY}
        return {"base_url": self.server.url, **accounts}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        return self.settings() | {"app_secret": "wrong-secret-0000"}, "app_secret"

    def body(self, number: int) -> dict[str, Any]:
        return {"code": "W2" if number == 3 else f"W{number}", "name": f"新客户{number}"}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"name": self.server.rows[other]["name"]}, "conflict", key=one)


class TestCustomers(VendorSuite):
    throttled = told("10051", "调用过于频繁")

    @pytest.fixture
    def source(self) -> Iterator[U8Source]:
        with U8() as server:
            yield U8Source(server)

    def revoke(self, source: VendorSource) -> Any:
        source.server.tokens.clear()  # type: ignore[attr-defined]
        return super().revoke(source)


@pytest.fixture
def server() -> Iterator[U8]:
    with U8() as server:
        yield server


@pytest.fixture
def source(server: U8) -> U8Source:
    return U8Source(server)


@pytest.fixture
def connector(source: U8Source) -> Iterator[Connector[Any]]:
    made = source.connect()
    yield made
    made.close()


def read(connector: Connector[Any], **more: Any) -> list[Any]:
    return [record for page in connector.read(Read("customers", **more)) for record in page.records]


def asked(server: U8) -> list[dict[str, str]]:
    return [call.query for call in server.calls if call.path.endswith("batch_get")]


class TestReading:
    def test_a_token_that_ends_amid_the_read_is_renewed(self, server: U8, source: U8Source) -> None:
        server.lives = 2
        assert set(Copy(source.connect(), source).full().bodies) == source.keys()
        assert len(server.tokens) > 1

    def test_a_day_without_zone_is_the_servers(self, server: U8, connector: Any) -> None:
        server.rows["C001"]["ModifyDate"] = "2026-06-02"
        assert read(connector)[0].changed_at == "2026-06-01T16:00:00.000000Z"

    def test_only_changed_days_are_asked_for(self, server: U8, source: U8Source) -> None:
        copy = Copy(source.connect(), source).full()
        newest = max(row["ModifyDate"] for row in server.rows.values())
        server.calls.clear()
        copy.incremental()
        assert all(query["modifydate_begin"] < newest for query in asked(server))
        assert copy.changed < source.keys()

    @pytest.mark.parametrize("charset", ["gbk", "gb18030"])
    def test_chinese_in_another_character_set_is_understood(self, server: U8, connector: Any, charset: str) -> None:
        server.charset = charset
        assert json.loads(read(connector)[0].body)["name"] == "甲1公司"

    def test_a_system_without_customers_is_empty(self, server: U8, source: U8Source) -> None:
        server.rows.clear()
        assert read(source.connect()) == []
        assert list(source.connect().ids("customers")) == [[]]

    def test_a_server_that_shows_fewer_rows_than_asked_for_loses_none(self, server: U8, connector: Any) -> None:
        server.most = 2
        assert {record.key for record in read(connector)} == set(server.rows)

    def test_no_customer_is_passed_by_when_another_is_deleted_during_the_read(
        self, server: U8, source: U8Source
    ) -> None:
        copy = Copy(source.connect(), source).full(lambda: server.delete("C001"))
        assert source.keys() <= set(copy.bodies)

    def test_a_page_number_that_is_ignored_is_noticed(self, server: U8, connector: Any) -> None:
        def first_page(request: Any) -> None:
            if "page_index" in request.query:
                request.query["page_index"] = "1"

        server.habits.before = first_page
        with pytest.raises(EndlessPages):
            read(connector, page_size=3)

    def test_a_list_shorter_than_counted_is_told_and_nothing_is_deleted_after_it(
        self, server: U8, source: U8Source
    ) -> None:
        def hide(request: Any) -> None:
            if request.path.endswith("batch_get"):
                rows = list(server.rows.values())[:5]
                raise told("0", "", page_index="1", page_count="1", row_count="8", customer=rows)

        connector = source.connect()
        connector.check()
        server.habits.before = hide
        pages = list(connector.read(Read("customers")))
        (missing,) = [rejected for page in pages for rejected in page.rejected]
        assert not missing.identified
        assert "8" in str(missing.reason)
        with pytest.raises(ListingIncomplete):
            list(connector.ids("customers"))

    def test_a_list_that_never_holds_still_is_tried_later(self, server: U8, connector: Any) -> None:
        def vanish(request: Any) -> None:
            if request.query.get("page_index", "1") != "1":
                server.delete(next(iter(server.rows)))

        for _ in range(20):
            server.add()
        server.habits.before = vanish
        with pytest.raises(RetryLater, match="faster"):
            read(connector, page_size=3)

    def test_a_customer_without_code_is_set_apart(self, server: U8, source: U8Source) -> None:
        server.rows["C002"]["code"] = ""
        pages = list(source.connect().read(Read("customers")))
        (rejected,) = [one for page in pages for one in page.rejected]
        assert not rejected.identified
        assert sum(len(page.records) for page in pages) == 7


class TestWhatIsNotPromised:
    """Statements about the system that could not be checked: where they are wrong, that is told and nothing is lost."""

    @pytest.mark.parametrize("filters", ["ignored", "refused", "vanishes"])
    def test_a_filter_that_does_not_work_costs_time_and_no_data(
        self, server: U8, source: U8Source, filters: str
    ) -> None:
        copy = Copy(source.connect(), source).full()
        server.filters = filters
        key = server.add()
        server.update("C001")
        copy.incremental()
        assert {key, "C001"} <= copy.changed
        assert copy.bodies == bodies(source)

    def test_a_read_without_filter_goes_on_without_it_after_a_crash(self, server: U8, source: U8Source) -> None:
        copy = Copy(source.connect(), source).full()
        server.filters = "vanishes"
        cursor = copy.cursors[""]
        pages = list(copy.pages("", Mode.INCREMENTAL, cursor))
        for number, page in enumerate(pages):
            rest = list(copy.pages("", Mode.INCREMENTAL, page.cursor, resumed=True))
            found = {record.key for one in (*pages[: number + 1], *rest) for record in one.records}
            assert found == source.keys()

    def test_the_filter_can_be_switched_off(self, server: U8, source: U8Source) -> None:
        connector = source.connect(source.settings() | {"filter_changes": False})
        copy = Copy(connector, source).full()
        copy.incremental()
        assert not [query for query in asked(server) if "modifydate_begin" in query]

    def test_an_edit_that_empties_what_is_not_sent_is_made_good_and_learnt_from(
        self, server: U8, connector: Any
    ) -> None:
        server.edit_empties = True
        before = dict(server.rows["C001"])
        connector.write("customers", [Write({"phone": "010-1"}, "w1", key="C001")])
        assert {k: v for k, v in server.rows["C001"].items() if k not in ("phone", "ModifyDate")} == {
            k: v for k, v in before.items() if k not in ("phone", "ModifyDate")
        }
        server.sent.clear()
        connector.write("customers", [Write({"phone": "010-2"}, "w2", key="C002")])
        ((_, sent),) = server.sent
        assert sent["self_define1"] == "x2"

    @pytest.mark.parametrize(
        ("message", "error"),
        [
            ("开放平台客户端离线", RetryLater),
            ("调用次数超过限制", WaitUntil),
            ("没有权限调用该接口", PermissionMissing),
            ("令牌无效", BadCredentials),
            ("企业账号不存在", BadConfiguration),
            ("莫名其妙", StreamBroken),
        ],
    )
    def test_codes_that_are_not_known_are_judged_by_their_text(
        self, server: U8, connector: Any, message: str, error: type[Exception]
    ) -> None:
        connector.check()

        def refuse(request: Any) -> None:
            if request.path.endswith("batch_get"):
                raise told("99999", message)

        server.habits.before = refuse
        with pytest.raises(error, match="limits" if error is WaitUntil else message):
            read(connector)

    @pytest.mark.parametrize("answer", [Answer(404, b"Not Found"), told("404", "接口不存在")])
    def test_an_interface_for_additions_that_is_not_there_is_told_for_each_customer(
        self, server: U8, connector: Any, answer: Answer
    ) -> None:
        def missing(request: Any) -> None:
            if request.path.endswith("/add"):
                raise answer

        server.habits.before = missing
        before = len(server.rows)
        one, other = connector.write(
            "customers", [Write({"code": "N1", "name": "新"}, "w1"), Write({"name": "改"}, "w2", key="C001")]
        )
        assert isinstance(one.error, RecordRejected)
        assert (other.error, len(server.rows), server.rows["C001"]["name"]) == (None, before, "改")

    def test_a_customer_accepted_but_not_there_is_told(self, server: U8, connector: Any) -> None:
        connector.check()
        server.habits.fail_next = [told("20002", "无"), told("0", "", id="N1"), told("20002", "无")]
        (result,) = connector.write("customers", [Write({"code": "N1", "name": "新"}, "w1")])
        assert "not there yet" in str(result.error)

    @pytest.mark.parametrize("answer", [{"errcode": "0", "errmsg": ""}, {"errcode": "0", "customer": {}}, {}, []])
    def test_an_answer_without_a_list_is_no_empty_system(self, server: U8, connector: Any, answer: Any) -> None:
        connector.check()
        server.habits.fail_next = [Answer(200, json.dumps(answer).encode())]
        with pytest.raises(StreamBroken):
            read(connector)


class TestSettings:
    @pytest.mark.parametrize(
        ("setting", "value"), [("to_account", "nobody"), ("ds_sequence", 7)], ids=["company", "ledger"]
    )
    def test_what_is_wrong_is_named(self, source: U8Source, setting: str, value: Any) -> None:
        connector = source.connect(source.settings() | {setting: value})
        with pytest.raises(BadConfiguration) as caught:
            connector.check()
        assert caught.value.setting == setting

    @pytest.mark.parametrize("setting", ["app_key", "from_account"])
    def test_a_wrong_account_names_the_settings_of_the_login(self, source: U8Source, setting: str) -> None:
        connector = source.connect(source.settings() | {setting: "nobody"})
        with pytest.raises(BadCredentials, match=setting):
            connector.check()

    def test_the_secret_is_in_no_message_though_it_travels_in_the_address(self, server: U8, connector: Any) -> None:
        server.habits.fail_next = [Answer(404, {"message": f"no {U8.KEY} here"})]
        with pytest.raises(BadConfiguration) as caught:
            connector.check()
        assert U8.KEY not in f"{caught.value} {caught.value.params}"


class TestWriting:
    def test_only_what_differs_is_sent(self, server: U8, connector: Any) -> None:
        row = server.rows["C001"]
        connector.write("customers", [Write({"name": "改名", "phone": row["phone"]}, "w1", key="C001")])
        assert server.sent == [("edit", {"code": "C001", "name": "改名"})]
        server.sent.clear()
        connector.write("customers", [Write({"name": "改名"}, "w2", key="C001")])
        assert server.sent == []

    def test_a_code_cannot_be_changed(self, server: U8, connector: Any) -> None:
        (result,) = connector.write("customers", [Write({"code": "X"}, "w1", key="C001")])
        assert isinstance(result.error, RecordRejected)
        assert server.sent == []

    def test_an_addition_whose_answer_was_lost_is_sent_again_under_the_same_id(
        self, server: U8, connector: Any
    ) -> None:
        connector.check()

        def lose(request: Any) -> None:
            if request.path.endswith("/add"):
                server.habits.before = None
                with pytest.raises(Answer):
                    server.answer(request)
                raise Answer(502, b"")

        server.habits.before = lose
        before = len(server.rows)
        (result,) = connector.write("customers", [Write({"code": "N1", "name": "新"}, "w1")])
        assert (result.key, result.error, len(server.rows)) == ("N1", None, before + 1)

    def test_new_customers_get_the_class_that_is_set(self, server: U8, source: U8Source) -> None:
        connector = source.connect(source.settings() | {"customer_class": "09"})
        connector.write("customers", [Write({"code": "N1", "name": "新"}, "w1")])
        assert server.rows["N1"]["sort_code"] == "09"

    def test_faults_of_one_customer_leave_the_others_alone(self, server: U8, connector: Any) -> None:
        nameless, gone, fine = connector.write(
            "customers",
            [Write({"code": "N1"}, "w1"), Write({"name": "x"}, "w2", key="N9"), Write({"name": "y"}, "w3", key="C001")],
        )
        assert "客户名称不能为空" in str(nameless.error)
        assert isinstance(gone.error, RecordRejected)
        assert fine.error is None

    def test_a_customer_changed_meanwhile_is_not_overwritten(self, server: U8, connector: Any) -> None:
        seen = read(connector)[0].changed_at
        server.update("C001")
        (result,) = connector.write("customers", [Write({"name": "x"}, "w1", key="C001", expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert server.sent == []


# --- bodies as the documentation shows them

BASE = "https://93.184.216.34"
PAGE = {
    "errcode": "0", "errmsg": "", "page_index": "1", "page_count": "1", "rows_per_page": "20", "row_count": "1",
    "customer": [{"code": "C001", "name": "甲公司", "abbrname": "甲", "phone": "010-1", "mobile": "13800000000",
                  "ModifyDate": "2026-06-02", "timestamp": "84213", "end_date": ""}],
}  # fmt: skip


def documented() -> U8Connector:
    token = {"errcode": "0", "errmsg": "", "token": {"appkey": "k", "expiresIn": 7200, "id": "t-1"}}
    responses.get(f"{BASE}/system/token", json=token)
    accounts = {"from_account": "a", "to_account": "test_a", "app_key": "k"}
    return U8Connector(U8Config(base_url=BASE, **accounts, app_secret=SecretStr("s-1")), Context("u8"))


@responses.activate
def test_the_documented_page_is_read_with_the_token_in_the_query() -> None:
    connector = documented()
    responses.get(f"{BASE}/api/customer/batch_get", json=PAGE)
    (record,) = read(connector)
    assert (record.key, record.changed_at) == ("C001", "2026-06-01T16:00:00.000000Z")
    sent = responses.calls[-1].request.params
    assert (sent["token"], sent["to_account"], sent["ds_sequence"], sent["page_index"]) == ("t-1", "test_a", "1", "1")


@responses.activate
def test_the_documented_nothing_found_is_an_empty_list() -> None:
    connector = documented()
    responses.get(f"{BASE}/api/customer/batch_get", json={"errcode": "20002", "errmsg": "未检索到匹配的[客户]。"})
    assert read(connector) == []


def test_every_body_is_mapped_with_status_and_currency(source: U8Source) -> None:
    mapper = compile_mapping(load_spec(source.folder / "mapping.yaml"))
    mapped = {key: mapper(body)[0].customer for key, body in bodies(source).items()}
    assert (mapped["C001"]["status"], mapped["C003"]["status"]) == ("active", "inactive")
    assert mapped["C001"]["currency"] == "CNY"
    assert mapped["C001"]["addresses"][0]["city"] == "北京市"
