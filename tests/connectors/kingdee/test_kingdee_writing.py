"""Writing customers to Kingdee: once, only what differs, nothing overwritten unseen."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contract import Write
from connectors.errors import RecordRejected, RetryLater, WriteConflict
from tests.connectors.kingdee.kingdee_simulator import Kingdee, refused
from tests.connectors.kingdee.kingdee_source import KingdeeSource, read
from tests.connectors.simulator import Answer


class TestWriting:
    def test_only_what_differs_is_sent(self, server: Kingdee, connector: Any) -> None:
        body = {"FName": "改名", "FTEL": server.rows["1001"]["FTEL"], "FSELLER": {"FNumber": "S1", "FName": "张伟"}}
        (result,) = connector.write("customers", [Write(body, "w1", key="1001")])
        assert (result.key, result.error) == ("1001", None)
        (sent,) = server.saves
        assert sent["Model"] == {"FCUSTID": 1001, "FName": "改名"}
        assert sent["NeedUpDateFields"] == ["FName"]

    def test_a_reference_is_the_same_when_its_code_is(self, server: Kingdee, connector: Any) -> None:
        connector.write("customers", [Write({"FSELLER": {"FNumber": "S1"}}, "w1", key="1001")])
        assert server.saves == []
        connector.write("customers", [Write({"FSELLER": {"FNumber": "S2"}}, "w2", key="1001")])
        assert server.saves[0]["Model"]["FSELLER"] == {"FNumber": "S2"}

    def test_nothing_is_sent_where_nothing_differs(self, server: Kingdee, connector: Any) -> None:
        connector.write("customers", [Write({"FName": server.rows["1001"]["FName"]}, "w1", key="1001")])
        assert server.saves == []

    def test_a_customer_changed_meanwhile_is_not_overwritten(self, server: Kingdee, connector: Any) -> None:
        seen = read(connector)[0].changed_at
        server.update("1001")
        (result,) = connector.write("customers", [Write({"FName": "x"}, "w1", key="1001", expected=seen)])
        assert isinstance(result.error, WriteConflict)
        assert server.saves == []

    def test_a_customer_gone_meanwhile_rejects_that_write_alone(self, server: Kingdee, connector: Any) -> None:
        gone, odd, fine = connector.write(
            "customers",
            [
                Write({"FName": "a"}, "w1", key="9"),
                Write({"FName": "b"}, "w2", key="x' or"),
                Write({"FName": "c"}, "w3", key="1001"),
            ],
        )
        assert isinstance(gone.error, RecordRejected)
        assert isinstance(odd.error, RecordRejected)
        assert (fine.error, server.rows["1001"]["FName"]) == (None, "c")

    def test_a_save_whose_answer_was_lost_is_found_again(self, server: Kingdee, connector: Any) -> None:
        write = Write({"FNumber": "N1", "FName": "新"}, "w1")
        connector.check()

        def lose(request: Any) -> None:
            if ".Save." in request.path:
                server.habits.before = None
                with pytest.raises(Answer):
                    server.save(request.json()["data"])
                raise Answer(502, b"")

        server.habits.before = lose
        with pytest.raises(RetryLater):
            connector.write("customers", [write])
        (again,) = connector.write("customers", [write])
        assert again.error is None
        assert [key for key, row in server.rows.items() if row["FNumber"] == "N1"] == [again.key]

    def test_a_race_for_a_number_is_settled_by_looking_again(self, server: Kingdee, connector: Any) -> None:
        connector.check()
        racing = Answer(200, [])  # the look-up saw nobody, and then somebody made it
        server.habits.fail_next = [racing]
        (result,) = connector.write("customers", [Write({"FNumber": "C001", "FName": "改"}, "w1")])
        assert (result.key, result.error) == ("1001", None)

    def test_a_refused_create_tells_the_field(self, connector: Any) -> None:
        (result,) = connector.write("customers", [Write({"FNumber": "N1"}, "w1")])
        assert isinstance(result.error, RecordRejected)
        assert result.error.path == "FName"

    def test_a_customer_without_number_is_refused_or_given_one(self, server: Kingdee, source: KingdeeSource) -> None:
        write = Write({"FName": "新"}, "w1")
        (refused_,) = source.connect().write("customers", [write])
        assert "FNumber" in str(refused_.error)
        assert "number_prefix" in str(refused_.error.remedy)
        connector = source.connect(source.settings() | {"number_prefix": "K"})
        one, two = (connector.write("customers", [write])[0] for _ in range(2))
        assert one.key == two.key
        assert server.rows[one.key]["FNumber"].startswith("K")

    def test_a_number_that_is_too_long_is_refused_before_anything_is_sent(
        self, server: Kingdee, connector: Any
    ) -> None:
        (result,) = connector.write("customers", [Write({"FNumber": "9" * 81, "FName": "x"}, "w1")])
        assert "9" * 81 in str(result.error)
        assert server.calls == []

    @pytest.mark.parametrize(("after", "state"), [("draft", "A"), ("submit", "B"), ("audit", "C")])
    def test_new_customers_become_what_is_set(
        self, server: Kingdee, source: KingdeeSource, after: str, state: str
    ) -> None:
        connector = source.connect(source.settings() | {"after_create": after})
        (result,) = connector.write("customers", [Write({"FNumber": "N1", "FName": "新"}, "w1")])
        assert server.rows[result.key]["FDocumentStatus"] == state

    def test_an_approval_that_failed_is_told_and_made_up_for_by_the_next_try(
        self, server: Kingdee, source: KingdeeSource
    ) -> None:
        connector, write = (
            source.connect(source.settings() | {"after_create": "audit"}),
            Write({"FNumber": "N1", "FName": "新"}, "w1"),
        )

        def unwilling(request: Any) -> None:
            if ".Submit." in request.path:
                server.habits.before = None
                raise refused("提交失败：税号必填")

        server.habits.before = unwilling
        (first,) = connector.write("customers", [write])
        assert "税号必填" in str(first.error)
        (second,) = connector.write("customers", [write])
        assert second.error is None
        assert server.rows[second.key]["FDocumentStatus"] == "C"
