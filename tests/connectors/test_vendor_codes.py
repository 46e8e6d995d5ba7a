"""Every code that a vendor documents becomes the error that says what to do next, when reading and when writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.contract import Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from tests.connectors.erpnext import erpnext_simulator
from tests.connectors.erpnext.test_erpnext import ErpSource
from tests.connectors.hubspot import hub_simulator
from tests.connectors.hubspot.test_hubspot import HubSource
from tests.connectors.kingdee import kingdee_simulator
from tests.connectors.kingdee.kingdee_source import KingdeeSource
from tests.connectors.odoo.odoo_simulator import Fault, Odoo
from tests.connectors.odoo.test_odoo import OdooSource
from tests.connectors.salesforce import salesforce_simulator
from tests.connectors.salesforce.test_salesforce import SalesSource
from tests.connectors.simulator import Answer
from tests.connectors.yonyou_yonbip import yonbip_simulator
from tests.connectors.yonyou_yonbip.yonbip_source import YonBipSource

Kind = type[ConnectorError] | None
SYSTEMS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "kingdee": (kingdee_simulator.Kingdee, KingdeeSource),
    "yonyou_yonbip": (yonbip_simulator.YonBip, YonBipSource),
    "odoo": (Odoo, OdooSource),
    "odoo, json-rpc": (lambda: Odoo(version="16.0"), OdooSource),
    "erpnext": (erpnext_simulator.ErpNext, ErpSource),
    "salesforce": (salesforce_simulator.Salesforce, SalesSource),
    "hubspot": (hub_simulator.HubSpot, HubSource),
}


def kingdee(code: int, message: str) -> Answer:
    return kingdee_simulator.refused(message, code)


def yonbip(code: str) -> Answer:
    return yonbip_simulator.told(code, "…")


def odoo(status: int, name: str, text: str = "no") -> Answer:
    return Answer(status, Fault(status, name, text).told())


def odoo_rpc(name: str, text: str = "no") -> Answer:
    error = {"code": 200, "message": "Odoo Server Error", "data": Fault(500, name, text).told()}
    return Answer(200, {"jsonrpc": "2.0", "id": 1, "error": error})


def erpnext(status: int, kind: str) -> Answer:
    return erpnext_simulator.refusal(status, kind, "no")


def salesforce(status: int, code: str) -> Answer:
    return Answer(status, [{"message": "no", "errorCode": code, "fields": ["Name"]}])


def hubspot(status: int, category: str, **more: Any) -> Answer:
    return Answer(status, {"status": "error", "message": "no", "correlationId": "1", "category": category, **more})


# system, its answer, the error when reading, the error when writing (None: another test tells)
CODES: list[tuple[str, str, Answer, Kind, Kind]] = [
    ("kingdee", "1 session", kingdee(1, "会话信息已丢失，请重新登录"), BadCredentials, BadCredentials),
    ("kingdee", "4 form", kingdee(4, "表单不存在"), BadConfiguration, BadConfiguration),
    ("kingdee", "8 parameter", kingdee(8, "参数为空"), StreamBroken, RecordRejected),
    ("kingdee", "9 field", kingdee(9, "字段不存在"), StreamBroken, RecordRejected),
    ("kingdee", "11 taken", kingdee(11, "编码已存在"), None, WriteConflict),
    ("kingdee", "right", kingdee(0, "没有【客户】的【新增】权限"), PermissionMissing, PermissionMissing),
    ("kingdee", "plain text", Answer(200, "response_error:内部错误".encode()), StreamBroken, StreamBroken),
    ("kingdee", "ctx", Answer(200, b"response_error: ctx == null"), BadCredentials, BadCredentials),
    *(("yonyou_yonbip", code, yonbip(code), BadCredentials, BadCredentials) for code in ("310001", "310036")),
    ("yonyou_yonbip", "310037", yonbip("310037"), PermissionMissing, PermissionMissing),
    *(("yonyou_yonbip", code, yonbip(code), BadConfiguration, BadConfiguration) for code in ("310404", "310405")),
    *(
        ("yonyou_yonbip", code, yonbip(code), StreamBroken, RecordRejected)
        for code in ("310008", "310015", "310023", "999")
    ),
    *(
        ("yonyou_yonbip", code, yonbip(code), RetryLater, RetryLater)
        for code in ("202", "310043", "310071", "310072", "310504")
    ),
    *(("yonyou_yonbip", code, yonbip(code), WaitUntil, WaitUntil) for code in ("310032", "310039", "310042", "310046")),
    ("odoo", "denied", odoo(401, "odoo.exceptions.AccessDenied"), BadCredentials, BadCredentials),
    ("odoo", "session", odoo(401, "odoo.http.SessionExpiredException"), BadCredentials, BadCredentials),
    ("odoo", "access", odoo(403, "odoo.exceptions.AccessError"), PermissionMissing, PermissionMissing),
    ("odoo", "missing", odoo(404, "odoo.exceptions.MissingError"), StreamBroken, RecordRejected),
    ("odoo", "validation", odoo(422, "odoo.exceptions.ValidationError"), StreamBroken, RecordRejected),
    ("odoo", "user", odoo(422, "odoo.exceptions.UserError"), StreamBroken, RecordRejected),
    ("odoo", "unique", odoo(500, "psycopg2.errors.UniqueViolation", "duplicate key"), None, WriteConflict),
    ("odoo", "not null", odoo(500, "psycopg2.errors.NotNullViolation"), StreamBroken, RecordRejected),
    ("odoo", "serialisation", odoo(500, "psycopg2.errors.SerializationFailure"), RetryLater, RetryLater),
    ("odoo, json-rpc", "denied", odoo_rpc("odoo.exceptions.AccessDenied"), BadCredentials, BadCredentials),
    ("odoo, json-rpc", "access", odoo_rpc("odoo.exceptions.AccessError"), PermissionMissing, PermissionMissing),
    ("odoo, json-rpc", "validation", odoo_rpc("odoo.exceptions.ValidationError"), StreamBroken, RecordRejected),
    ("erpnext", "401", erpnext(401, "AuthenticationError"), BadCredentials, BadCredentials),
    ("erpnext", "403", erpnext(403, "PermissionError"), PermissionMissing, PermissionMissing),
    ("erpnext", "404", erpnext(404, "DoesNotExistError"), BadConfiguration, RecordRejected),
    ("erpnext", "409", erpnext(409, "DuplicateEntryError"), None, WriteConflict),
    ("erpnext", "417", erpnext(417, "MandatoryError"), StreamBroken, RecordRejected),
    ("erpnext", "417 link", erpnext(417, "LinkValidationError"), StreamBroken, RecordRejected),
    ("erpnext", "417 stamp", erpnext(417, "TimestampMismatchError"), None, WriteConflict),
    ("erpnext", "417 deadlock", erpnext(417, "QueryDeadlockError"), RetryLater, RetryLater),
    ("erpnext", "417 timeout", erpnext(417, "QueryTimeoutError"), RetryLater, RetryLater),
    ("erpnext", "429", Answer(429, b"Too Many Requests", {"Retry-After": "60"}), WaitUntil, WaitUntil),
    ("erpnext", "503", erpnext(503, "SessionStopped"), RetryLater, RetryLater),
    ("salesforce", "session", salesforce(401, "INVALID_SESSION_ID"), BadCredentials, BadCredentials),
    ("salesforce", "limit", salesforce(403, "REQUEST_LIMIT_EXCEEDED"), WaitUntil, WaitUntil),
    ("salesforce", "locator", salesforce(400, "INVALID_QUERY_LOCATOR"), CursorExpired, None),
    *(
        ("salesforce", code, salesforce(400, code), StreamBroken, RecordRejected)
        for code in ("INVALID_FIELD", "MALFORMED_QUERY")
    ),
    *(
        ("salesforce", code, salesforce(400, code), None, RecordRejected)
        for code in ("REQUIRED_FIELD_MISSING", "ENTITY_IS_DELETED", "STRING_TOO_LONG")
    ),
    *(
        ("salesforce", code, salesforce(400, code), None, WriteConflict)
        for code in ("DUPLICATES_DETECTED", "DUPLICATE_VALUE")
    ),
    *(
        ("salesforce", code, salesforce(400, code), RetryLater, RetryLater)
        for code in ("UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "TXN_SECURITY_METERING_ERROR")
    ),
    ("salesforce", "503", salesforce(503, "SERVER_UNAVAILABLE"), RetryLater, RetryLater),
    ("salesforce", "403", salesforce(403, "INSUFFICIENT_ACCESS"), PermissionMissing, PermissionMissing),
    ("hubspot", "401", hubspot(401, "INVALID_AUTHENTICATION"), BadCredentials, BadCredentials),
    ("hubspot", "401 ended", hubspot(401, "EXPIRED_AUTHENTICATION"), BadCredentials, BadCredentials),
    ("hubspot", "403", hubspot(403, "MISSING_SCOPES"), PermissionMissing, PermissionMissing),
    ("hubspot", "404", hubspot(404, "OBJECT_NOT_FOUND"), BadConfiguration, RecordRejected),
    ("hubspot", "400", hubspot(400, "VALIDATION_ERROR"), StreamBroken, RecordRejected),
    ("hubspot", "409", hubspot(409, "CONFLICT"), None, WriteConflict),
    ("hubspot", "429 day", hubspot(429, "RATE_LIMITS", policyName="DAILY"), WaitUntil, WaitUntil),
    ("hubspot", "429", hubspot(429, "RATE_LIMITS", policyName="TEN_SECONDLY_ROLLING"), WaitUntil, WaitUntil),
    ("hubspot", "423", hubspot(423, "LOCKED"), RetryLater, RetryLater),
    ("hubspot", "477", hubspot(477, "MIGRATION_IN_PROGRESS"), WaitUntil, WaitUntil),
    ("hubspot", "502", hubspot(502, "…"), RetryLater, RetryLater),
]


@pytest.fixture(scope="module")
def systems() -> Iterator[Callable[[str], tuple[Any, Any]]]:
    """Each system and its source, started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, tuple[Any, Any]] = {}

        def get(name: str) -> tuple[Any, Any]:
            if name not in started:
                make, source = SYSTEMS[name]
                server = running.enter_context(make())
                started[name] = (server, source(server))
            return started[name]

        yield get


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are not slept through."""
    monkeypatch.setattr("connectors.http.Client._wait", lambda self, state: 0.0)


def logins(request: Any) -> bool:
    """Whether a request only logs in, or asks for the version."""
    body = request.body or b""
    return (
        "AuthService" in request.path or "oauth2/token" in request.path or "/open-auth/" in request.path
        or b'"service": "common"' in body or b'"service":"common"' in body
    )  # fmt: skip


def raised(server: Any, answer: Answer, call: Callable[[], Any], *, only: Callable[[Any], bool]) -> Any:
    """What a call comes to when all requests of a kind are answered so."""

    def refuse(request: Any) -> None:
        if only(request) and not logins(request):
            raise Answer(answer.status, answer.content, answer.headers)

    server.habits.before = refuse
    try:
        return call()
    finally:
        server.habits.before = None


@pytest.mark.parametrize(
    ("name", "answer", "kind"),
    [pytest.param(name, answer, read, id=f"{name} {code}") for name, code, answer, read, _ in CODES if read],
)
def test_a_documented_code_when_reading(
    systems: Callable[[str], tuple[Any, Any]], name: str, answer: Answer, kind: type[ConnectorError]
) -> None:
    server, source = systems(name)
    connector = source.connect()
    connector.check()

    def read() -> None:
        list(connector.read(Read(source.stream)))

    with pytest.raises(ConnectorError) as caught:
        raised(server, answer, read, only=lambda request: True)
    connector.close()
    assert type(caught.value) is kind or (kind is StreamBroken and isinstance(caught.value, StreamBroken))
    assert caught.value.remedy


def writes(request: Any) -> bool:
    """Whether a request changes something."""
    if request.method in ("PUT", "PATCH", "DELETE"):
        return True
    body, path = request.body or b"", request.path
    words = (".Save.", "/merchant/save", "newinsert", "/res.partner/write", "/res.partner/load")
    return any(word in path for word in words) or b'"write"' in body or b'"load"' in body


@pytest.mark.parametrize(
    ("name", "answer", "kind"),
    [pytest.param(name, answer, write, id=f"{name} {code}") for name, code, answer, _, write in CODES if write],
)
def test_a_documented_code_when_writing(
    systems: Callable[[str], tuple[Any, Any]], name: str, answer: Answer, kind: type[ConnectorError]
) -> None:
    server, source = systems(name)
    connector = source.connect()
    key = sorted(source.keys())[0]
    connector.check()
    write = Write(source.body(7), f"code-{id(answer)}", key=key)
    stopped = False
    try:
        (result,) = raised(server, answer, lambda: connector.write(source.stream, [write]), only=writes)
        error = result.error
    except ConnectorError as told:
        error, stopped = told, True
    connector.close()
    assert type(error) is kind, f"{type(error).__name__}: {error}"
    assert error.remedy
    assert not (stopped and isinstance(error, RecordRejected)), "one record's fault must not stop the batch"
