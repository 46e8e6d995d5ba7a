"""Tryton's answers as they come over the wire: its sessions, its refusals, and what a network does to them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import responses
from pydantic import SecretStr

from connectors.contract import Context, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.tryton.config import TrytonConfig
from connectors.tryton.connector import TrytonConnector

HOST = "https://93.184.216.34"
NEW, OLD = f"{HOST}/company/rpc/", f"{HOST}/company/"
SECRET = "long-password-4711"
STAMP = {"__class__": "datetime", "year": 2026, "month": 1, "day": 2, "hour": 3, "minute": 4, "second": 5,
         "microsecond": 0}  # fmt: skip
FIELDS = {name: {"type": "char", "string": name} for name in ("name", "code", "create_date", "write_date")}
FIELDS |= {"active": {"type": "boolean"}}


class Server:
    """Answers JSON-RPC from a table of methods; ``faults`` come first, one for each call."""

    def __init__(self, path: str = NEW) -> None:
        self.path, self.sessions, self.logins = path, set[str](), 0
        self.faults: list[tuple[int, dict[str, str], str]] = []
        self.calls: list[str] = []
        self.refusals: dict[str, Any] = {}
        for url in (NEW, OLD):
            responses.add_callback(responses.POST, url, self._answer)
        for url in (f"{HOST}/rpc/", f"{HOST}/"):
            responses.add_callback(responses.POST, url, lambda request: (200, {}, '{"result": "8.2"}'))

    def _answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        if request.url != self.path:
            return 404, {}, "Not Found"
        body = json.loads(request.body)
        method = body["method"]
        if method == "common.db.login":
            return self._login(body["params"])
        if self.faults:
            return self.faults.pop(0)
        given = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Session ")).decode()
        if given not in self.sessions:
            return 401, {}, "Unauthorized"
        self.calls.append(method)
        if method in self.refusals:
            return 200, {}, json.dumps({"id": 1, "error": self.refusals[method]})
        return 200, {}, json.dumps({"id": 1, "result": self._result(method, body["params"])})

    def _login(self, params: list[Any]) -> tuple[int, dict[str, str], str]:
        if params[:2] != ["kehu", {"password": SECRET}]:
            return 401, {}, "Unauthorized"
        self.logins += 1
        self.sessions = {f"kehu:7:session-{self.logins}"}
        return 200, {}, json.dumps({"id": 0, "result": [7, f"session-{self.logins}"]})

    def _result(self, method: str, params: list[Any]) -> Any:
        if method.endswith("fields_get"):
            return FIELDS if "party.party." in method else {}
        if method.endswith("search_count"):
            return 5
        if method == "model.party.party.search_read":
            after = next((term[2] for term in params[0] if term[:2] == ["id", ">"]), 0)
            wanted = next((term[2] for term in params[0] if term[:2] == ["id", "in"]), range(after + 1, 6))
            keys = [key for key in wanted if key <= 5][: params[2]]
            if params[3] and params[3][0][1] == "DESC":
                keys = [5]
            return [{"id": key, "name": f"P{key}", "create_date": STAMP, "write_date": None, "_timestamp": "1",
                     "contact_mechanisms.": [], "identifiers.": [], "addresses.": []} for key in keys]  # fmt: skip
        return []


def connect(**more: Any) -> TrytonConnector:
    given = {"base_url": HOST, "database": "company", "user": "kehu", "password": SecretStr(SECRET), **more}
    return TrytonConnector(TrytonConfig(**given), Context("erp"))


def read(connector: TrytonConnector, size: int = 2) -> list[str]:
    pages = connector.read(Read("parties", page_size=size))
    return [record.key for page in pages for record in page.records]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are not slept through."""
    monkeypatch.setattr("connectors.http.Client._wait", lambda self, state: 0.0)


@pytest.mark.parametrize("path", [NEW, OLD])
@responses.activate
def test_parties_are_read_from_both_layouts_of_addresses(path: str) -> None:
    Server(path)
    assert read(connect()) == ["1", "2", "3", "4", "5"]


@responses.activate
def test_a_session_that_ends_amid_the_read_is_renewed() -> None:
    server = Server()
    pages = connect().read(Read("parties", page_size=2))
    first = next(pages)
    server.sessions.clear()
    rest = [record.key for page in pages for record in page.records]
    assert [record.key for record in first.records] + rest == ["1", "2", "3", "4", "5"]
    assert server.logins == 2


@responses.activate
def test_a_storm_of_429_and_answers_cut_short_lose_nothing() -> None:
    server, connector = Server(), connect()
    connector.check()
    server.faults = [(503, {}, ""), (200, {"Content-Type": "text/html"}, "<html>Wartung</html>")]
    pages = connector.read(Read("parties", page_size=2))
    keys: list[str] = []
    for page in pages:
        keys += [record.key for record in page.records]
        server.faults = [(429, {}, "Too Many Requests"), (200, {}, '{"id": 1, "resu')] if len(keys) == 2 else []
    assert keys == ["1", "2", "3", "4", "5"]


@responses.activate
def test_too_many_wrong_logins_are_waited_for() -> None:
    responses.post(NEW, body="Too Many Requests", status=429, headers={"Retry-After": "300"})
    with pytest.raises(WaitUntil):
        connect().check()


@pytest.mark.parametrize(
    ("setting", "value", "kind"),
    [
        ("database", "elsewhere", BadConfiguration),
        ("user", "nobody", BadCredentials),
        ("password", SecretStr("wrong-word-0815"), BadCredentials),
        ("extra_fields", ["no_such"], BadConfiguration),
    ],
)
@responses.activate
def test_the_check_names_the_setting_that_is_wrong(setting: str, value: Any, kind: type[ConnectorError]) -> None:
    Server()
    for url in (f"{HOST}/elsewhere/rpc/", f"{HOST}/elsewhere/"):
        responses.post(url, status=404, body="Not Found")
    with pytest.raises(kind) as caught:
        connect(**{setting: value}).check()
    said = f"{caught.value} {caught.value.remedy} {caught.value.params} {getattr(caught.value, 'setting', '')}"
    assert setting in said
    assert "wrong-word-0815" not in said


@responses.activate
def test_an_address_that_is_no_tryton_names_database_and_address() -> None:
    for url in (NEW, OLD):
        responses.post(url, status=404, body="Not Found")
    with pytest.raises(BadConfiguration, match="company") as caught:
        connect().check()
    assert "`base_url`" in caught.value.remedy


@responses.activate
def test_a_missing_right_is_told_by_the_check() -> None:
    server = Server()
    server.refusals["model.party.party.fields_get"] = ["UserError", ["You are not allowed to access Party.", ""]]
    with pytest.raises(PermissionMissing, match="not allowed"):
        connect().check()


@pytest.mark.parametrize(
    ("error", "reading", "writing"),
    [
        (["UserError", ["The code must be unique.", ""]], PermissionMissing, RecordRejected),
        (["UserWarning", ["w1", "Are you sure?", ""]], PermissionMissing, RecordRejected),
        (["ConcurrencyException", "Records have been modified"], None, WriteConflict),
        (["database is locked", "Traceback"], RetryLater, RetryLater),
        (["'no_such'", "Traceback: secret path"], StreamBroken, RecordRejected),
        ("odd", StreamBroken, RecordRejected),
    ],
)
@responses.activate
def test_every_refusal_says_what_to_do_next(
    error: Any, reading: type[ConnectorError] | None, writing: type[ConnectorError]
) -> None:
    server, connector = Server(), connect()
    connector.check()
    if reading is not None:
        server.refusals["model.party.party.search_read"] = error
        with pytest.raises(reading) as caught:
            read(connector)
        assert "Traceback" not in str(caught.value)
        assert caught.value.remedy
    server.refusals = {"model.party.party.write": error}
    write = [Write({"name": "x"}, "w1", key="1")]
    if writing is RetryLater:
        with pytest.raises(RetryLater):
            connector.write("parties", write)
        return
    (result,) = connector.write("parties", write)
    assert type(result.error) is writing


@pytest.mark.parametrize("answer", ["{}", "[]", "null", '{"id": 1}'])
@responses.activate
def test_an_answer_that_is_no_json_rpc_is_no_empty_database(answer: str) -> None:
    server, connector = Server(), connect()
    connector.check()
    server.faults = [(200, {}, answer)]
    with pytest.raises(StreamBroken):
        read(connector)


@responses.activate
def test_parties_refused_together_are_written_one_by_one() -> None:
    server, connector = Server(), connect()
    connector.check()
    server.refusals["model.party.party.create"] = ["UserError", ["no", ""]]
    server.calls.clear()
    results = connector.write("parties", [Write({"name": f"n{n}"}, f"w{n}") for n in range(3)])
    assert [type(result.error) for result in results] == [RecordRejected] * 3
    assert server.calls.count("model.party.party.create") == 4
