"""Writing customers to YonBIP and taking its event pushes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.contract import Hint, Write
from connectors.errors import ConnectorError, RecordRejected, WriteConflict
from connectors.yonyou_yonbip.events import cipher_key
from tests.connectors.simulator import Answer
from tests.connectors.yonyou_yonbip.yonbip_simulator import FIRST_ID, YonBip, good, told
from tests.connectors.yonyou_yonbip.yonbip_source import ONE, calls, read


class TestWriting:
    def test_only_what_differs_is_sent_in_the_names_of_the_batch_interface(
        self, server: YonBip, connector: Any
    ) -> None:
        row = server.rows[ONE]
        body = {"name": {"simplifiedName": "改名"}, "contactTel": row["contactTel"], "email": None,
                "customerClassCode": "02"}  # fmt: skip
        (result,) = connector.write("customers", [Write(body, "w1", key=ONE)])
        assert result.error is None
        assert server.sent == [("save", {
            "_status": "Update", "id": FIRST_ID + 1, "code": "C001", "org_code": "global00",
            "name": {"zh_CN": "改名"}, "customerClass_code": "02"})]  # fmt: skip

    def test_a_name_given_as_mere_text_is_compared_with_the_simplified_one(
        self, server: YonBip, connector: Any
    ) -> None:
        server.rows[ONE]["name"] = "甲公司"
        connector.write("customers", [Write({"name": {"simplifiedName": "甲公司"}}, "w1", key=ONE)])
        assert server.sent == []

    def test_a_write_that_is_still_being_worked_on_is_sent_again_under_the_same_key(
        self, server: YonBip, connector: Any
    ) -> None:
        write = Write({"code": "N1", "name": {"simplifiedName": "新"}}, "w1")
        connector.check()
        first = iter([told("202", "处理中")])

        def busy(request: Any) -> None:
            if request.path.endswith("newinsert") and (answer := next(first, None)):
                with pytest.raises(Answer):
                    server.answer(request)
                raise answer

        server.habits.before = busy
        (result,) = connector.write("customers", [write])
        assert result.error is None
        asked = [body["data"]["resubmitCheckKey"] for body in calls(server, "newinsert")]
        assert len(asked) == 2
        assert len(set(asked)) == 1
        assert [key for key, row in server.rows.items() if row["code"] == "N1"] == [result.key]

    @pytest.mark.parametrize("data", [{"id": FIRST_ID + 1}, None])
    @pytest.mark.parametrize("code", ["10004", "100004"])
    def test_a_key_used_before_means_the_customer_is_there(
        self, server: YonBip, connector: Any, code: str, data: Any
    ) -> None:
        connector.check()
        looked = [None]

        def used(request: Any) -> None:
            if request.path.endswith("newlistrange") and looked:
                looked.pop()
                raise good({"recordList": [], "recordCount": "0"})
            if request.path.endswith("newinsert"):
                raise told(code, "重复提交", data=data)

        server.habits.before = used
        (result,) = connector.write("customers", [Write({"code": "C001", "email": "n@x.example"}, "w1")])
        assert (result.key, result.error) == (ONE, None)
        assert server.rows[ONE]["email"] == "n@x.example"

    def test_a_failure_within_a_success_is_one(self, server: YonBip, connector: Any) -> None:
        (result,) = connector.write("customers", [Write({"code": "C002"}, "w1", key=ONE)])
        assert isinstance(result.error, WriteConflict)
        assert "客户编码已存在" in str(result.error)

    def test_faults_of_one_customer_leave_the_others_alone(self, server: YonBip, connector: Any) -> None:
        nameless, gone, listed, fine = connector.write(
            "customers",
            [
                Write({"code": "N1"}, "w1"),
                Write({"email": "a@x.example"}, "w2", key="42"),
                Write({"merchantContactInfos": [{"mobile": "1"}]}, "w3", key=ONE),
                Write({"email": "b@x.example"}, "w4", key=ONE),
            ],
        )
        assert "客户名称不能为空" in str(nameless.error)
        assert isinstance(gone.error, RecordRejected)
        assert "merchantContactInfos" in str(listed.error)
        assert fine.error is None

    def test_a_customer_changed_meanwhile_is_not_overwritten(self, server: YonBip, connector: Any) -> None:
        seen = read(connector)[0].changed_at
        server.update(ONE)
        (result,) = connector.write("customers", [Write({"email": "a@x.example"}, "w1", key=ONE, expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert server.sent == []


EVENT = {"type": "YXYBASEDOC_AA_MERCHANT_UPDATE", "eventId": "e-1", "tenantId": "tenant1"}


class TestEvents:
    @pytest.mark.parametrize(
        "content", [{"id": int(ONE)}, json.dumps({"id": ONE}), json.dumps({"data": [{"id": ONE}]})]
    )
    def test_a_push_hints_at_its_customer(self, server: YonBip, connector: Any, content: Any) -> None:
        assert connector.verify(server.pushed(EVENT | {"content": content})) == [Hint("customers", ONE, "e-1")]

    @pytest.mark.parametrize("kind", ["CHECK_URL", "YXYBASEDOC_AA_VENDOR_DELETE"])
    def test_other_events_hint_at_nothing(self, server: YonBip, connector: Any, kind: str) -> None:
        assert connector.verify(server.pushed(EVENT | {"type": kind})) == []

    def test_forged_pushes_are_refused(self, server: YonBip, connector: Any) -> None:
        true = server.pushed(EVENT)
        outer = json.loads(true.body)
        forged = [
            replace(true, body=json.dumps(outer | {"signature": "x"}).encode()),
            replace(true, body=json.dumps(outer | {"timestamp": "1"}).encode()),
            replace(true, body=json.dumps({"encrypt": outer["encrypt"]}).encode()),
            replace(true, body=b"[]"),
            replace(true, body=b"not json"),
            server.pushed(EVENT, secret="another-secret-0000000000000000000000000000"),
            server.pushed(EVENT, receiver="another-app"),
            server.pushed(b"no json"),
        ]
        for request in forged:
            with pytest.raises(ConnectorError) as caught:
                connector.verify(request)
            assert YonBip.KEY not in f"{caught.value} {caught.value.params}"

    @pytest.mark.parametrize("secret", ["", "short", "-" * 50, "秘密", "x" * 100])
    def test_a_key_can_be_made_of_any_secret(self, secret: str) -> None:
        assert len(cipher_key(secret)) == 32
