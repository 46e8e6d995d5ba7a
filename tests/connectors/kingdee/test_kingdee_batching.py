"""Several customers in one call to Kingdee: quicker, each with its own result, never less certain than one by one."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contract import Write
from connectors.errors import PermissionMissing, RecordRejected, RetryLater, WriteConflict
from tests.connectors.kingdee.kingdee_simulator import NO_RIGHT, Kingdee, status
from tests.connectors.kingdee.kingdee_source import KingdeeSource, operations, read
from tests.connectors.simulator import Answer


def new(*numbers: int) -> list[Write]:
    return [Write({"FNumber": f"N{number}", "FName": f"新{number}"}, f"w{number}") for number in numbers]


def saves(server: Kingdee) -> list[str]:
    return [operation for operation in operations(server) if operation in ("Save", "BatchSave")]


def test_twenty_new_customers_and_twenty_changed_ones_take_one_call_each_kind(server: Kingdee, connector: Any) -> None:
    keys = [server.add() for _ in range(20)]
    connector.check()
    server.calls.clear()
    changed = [Write({"FName": f"改{key}"}, f"u{key}", key=key) for key in keys]
    results = connector.write("customers", [*new(*range(20)), *changed])
    assert operations(server) == ["ExecuteBillQuery", "ExecuteBillQuery", "BatchSave", "BatchSave"]
    assert [result.created for result in results] == [True] * 20 + [False] * 20
    assert [server.rows[result.key]["FName"] for result in results[:20]] == [f"新{number}" for number in range(20)]
    assert [result.key for result in results[20:]] == keys


def test_the_same_batch_again_sends_nothing(server: Kingdee, connector: Any) -> None:
    first = connector.write("customers", new(1, 2, 3))
    server.saves.clear()
    again = connector.write("customers", new(1, 2, 3))
    assert [result.key for result in again] == [result.key for result in first]
    assert server.saves == []


@pytest.mark.parametrize("batches", ["kept", "undone", "silent", "none"])
def test_one_refused_customer_leaves_its_neighbours_alone_whatever_a_batch_does_with_them(
    server: Kingdee, connector: Any, batches: str
) -> None:
    server.batches = batches
    before = len(server.rows)
    good, fine = new(1, 3)
    results = connector.write("customers", [good, Write({"FNumber": "N2"}, "w2"), fine])
    assert [type(result.error) for result in results] == [type(None), RecordRejected, type(None)]
    assert results[1].error.path == "FName"
    assert len(server.rows) == before + 2
    assert [server.rows[results[place].key]["FNumber"] for place in (0, 2)] == ["N1", "N3"]


@pytest.mark.parametrize("batches", ["kept", "undone", "silent"])
def test_a_locked_customer_is_told_and_the_others_are_changed(server: Kingdee, connector: Any, batches: str) -> None:
    server.batches, server.audited_are_locked = batches, True
    server.rows["1002"]["FDocumentStatus"] = server.rows["1003"]["FDocumentStatus"] = "A"
    locked, *others = connector.write(
        "customers", [Write({"FName": f"改{key}"}, key, key=key) for key in ("1001", "1002", "1003")]
    )
    assert "audited" in locked.error.remedy
    assert [other.error for other in others] == [None, None]
    assert [server.rows[key]["FName"] for key in ("1002", "1003")] == ["改1002", "改1003"]


def test_an_answer_that_names_other_customers_is_not_believed(server: Kingdee, connector: Any) -> None:
    connector.check()

    def misname(request: Any) -> None:
        if ".BatchSave." in request.path:
            server.habits.before = None
            entities = [{"Id": 7001, "Number": "X1", "DIndex": 0}, {"Id": 7002, "Number": "X2", "DIndex": 1}]
            told = {"IsSuccess": True, "Errors": [], "SuccessEntitys": entities}
            raise Answer(200, {"Result": {"ResponseStatus": told}})

    server.habits.before = misname
    results = connector.write("customers", new(1, 2))
    assert [server.rows[result.key]["FNumber"] for result in results] == ["N1", "N2"]


def test_fields_that_differ_go_in_calls_of_their_own_so_that_none_is_emptied(server: Kingdee, connector: Any) -> None:
    wanted = [{"FName": "a"}, {"FName": "b"}, {"FTEL": "1"}, {"FTEL": "2"}, {"FFAX": "3"}]
    keys = sorted(server.rows)[: len(wanted)]
    connector.write("customers", [Write(body, key, key=key) for body, key in zip(wanted, keys, strict=True)])
    assert [sorted(sent["NeedUpDateFields"]) for sent in server.saves] == [["FName"]] * 2 + [["FTEL"]] * 2 + [["FFAX"]]
    assert saves(server) == ["BatchSave", "BatchSave", "Save"]


def test_two_writes_of_one_customer_are_carried_out_in_order(server: Kingdee, connector: Any) -> None:
    wanted = [("1001", "一"), ("1002", "二"), ("1001", "三")]
    results = connector.write("customers", [Write({"FName": name}, name, key=key) for key, name in wanted])
    assert [result.error for result in results] == [None, None, None]
    assert server.rows["1001"]["FName"] == "三"
    twice = [*new(1, 2), Write({"FNumber": "N1", "FName": "后"}, "w9")]
    first, _, last = connector.write("customers", twice)
    assert first.key == last.key
    assert server.rows[first.key]["FName"] == "后"


def test_a_customer_changed_meanwhile_is_a_conflict_and_the_others_go_on(server: Kingdee, connector: Any) -> None:
    seen = {record.key: record.changed_at for record in read(connector)}
    server.update("1001")
    before = server.rows["1001"]["FName"]
    conflict, fine, gone = connector.write(
        "customers",
        [Write({"FName": "x"}, key, key=key, expected=seen[key]) for key in ("1001", "1002")]
        + [Write({"FName": "x"}, "w3", key="9")],
    )
    assert isinstance(conflict.error, WriteConflict)
    assert isinstance(gone.error, RecordRejected)
    assert (fine.error, server.rows["1001"]["FName"]) == (None, before)


def test_a_batch_whose_answer_was_lost_makes_nobody_twice(server: Kingdee, connector: Any) -> None:
    connector.check()

    def lose(request: Any) -> None:
        if ".BatchSave." in request.path:
            server.habits.before = None
            with pytest.raises(Answer):
                server.batchsave(request.json()["data"])
            raise Answer(502, b"")

    server.habits.before = lose
    before = len(server.rows)
    with pytest.raises(RetryLater):
        connector.write("customers", new(1, 2, 3))
    assert [result.error for result in connector.write("customers", new(1, 2, 3))] == [None, None, None]
    assert len(server.rows) == before + 3


def test_a_session_that_ends_before_a_batch_is_opened_anew(server: Kingdee, connector: Any) -> None:
    server.lives = 1
    before = len(server.rows)
    results = connector.write("customers", new(1, 2))
    assert [result.created for result in results] == [True, True]
    assert len(server.rows) == before + 2


def test_a_missing_right_to_save_stops_the_batch(server: Kingdee, connector: Any) -> None:
    connector.check()

    def forbid(request: Any) -> None:
        if "Save." in request.path:
            raise Answer(200, status(NO_RIGHT.replace("查看", "新增")))

    server.habits.before = forbid
    with pytest.raises(PermissionMissing):
        connector.write("customers", new(1, 2))


def test_new_customers_of_a_batch_are_approved_as_is_set(server: Kingdee, source: KingdeeSource) -> None:
    connector = source.connect(source.settings() | {"after_create": "audit"})

    def unwilling(request: Any) -> None:
        if ".Submit." in request.path:
            server.habits.before = None
            raise Answer(200, status("提交失败：税号必填", 11))

    server.habits.before = unwilling
    first, second = connector.write("customers", new(1, 2))
    assert "税号必填" in str(first.error)
    assert server.rows[second.key]["FDocumentStatus"] == "C"
    again = connector.write("customers", new(1, 2))
    assert [server.rows[result.key]["FDocumentStatus"] for result in again] == ["C", "C"]


def test_the_same_number_in_two_organisations_is_two_customers(server: Kingdee, connector: Any) -> None:
    other = {"FCreateOrgId": {"FNumber": "200"}}
    server.rows["1002"] |= {"FNumber": "C001", "FCreateOrgId.FNumber": "200", "FUseOrgId.FNumber": "200"}
    one, two = connector.write(
        "customers",
        [Write({"FNumber": "C001", "FName": "甲"}, "w1"), Write({"FNumber": "C001", "FName": "乙", **other}, "w2")],
    )
    assert (one.key, two.key) == ("1001", "1002")
    assert (server.rows["1001"]["FName"], server.rows["1002"]["FName"]) == ("甲", "乙")


def test_a_firewall_that_takes_a_list_for_an_attack_makes_us_ask_one_by_one(server: Kingdee, connector: Any) -> None:
    connector.check()

    def suspicious(request: Any) -> None:
        if "ExecuteBillQuery" in request.path and b" in (" in request.body:
            raise Answer(200, [{"actionname": "showConfirm", "params": [{"msg": "请求参数存在可疑数据"}]}])

    server.habits.before = suspicious
    results = connector.write("customers", [*new(1, 2), Write({"FName": "改"}, "w3", key="1001")])
    assert [result.error for result in results] == [None] * 3
    assert saves(server) == ["Save"] * 3


def test_more_customers_than_one_call_takes_keep_their_order(
    server: Kingdee, connector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.kingdee.batching.BatchWriter.at_once", 2)
    server.audited_are_locked, server.rows["1003"]["FDocumentStatus"] = True, "A"
    wanted = [("1003", "一"), ("1001", "锁"), ("1003", "二"), ("1003", "三"), ("1002", "锁")]
    results = connector.write("customers", [Write({"FName": name}, name, key=key) for key, name in wanted])
    assert [result.error is None for result in results] == [True, False, True, True, False]
    assert server.rows["1003"]["FName"] == "三"
