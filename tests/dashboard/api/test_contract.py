"""The contract: every route has one permission, every role gets what it may, the description is complete and true."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from connectors.guard import AddressGuard
from dashboard.api import openapi
from dashboard.permissions import permissions_of, undeclared
from sync.identity.permissions import PERMISSIONS, Permission, Role

API = "/api/v1"
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def routes(app: Any) -> Iterator[tuple[str, APIRoute, Permission]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path.startswith(f"{API}/"):
            [permission] = permissions_of(route)
            for method in route.methods:
                yield method, route, permission


@pytest.mark.slow
def test_every_role_gets_where_it_may_and_nowhere_else(lab) -> None:  # type: ignore[no-untyped-def]
    assert undeclared(lab.app) == []
    found = list(routes(lab.app))
    assert len(found) > 30
    for role in (*Role, None):
        client = lab.client(role)
        held = frozenset() if role is None else PERMISSIONS[role]
        for method, route, permission in found:
            path = re.sub(r"\{\w+\}", "0", route.path)  # of nobody: nothing is done even where it is allowed
            status = client.request(method, path, content=b"{").status_code
            if permission is Permission.PUBLIC or permission in held:
                assert status not in (401, 403), (role, method, path)
            else:
                assert status == (401 if role is None else 403), (role, method, path)


def test_every_route_of_the_interface_is_described_whole(lab) -> None:  # type: ignore[no-untyped-def]
    described = openapi.of(lab.app)
    assert described["openapi"].startswith("3.1")
    for method, route, permission in routes(lab.app):
        if not route.include_in_schema:
            continue
        operation = described["paths"][route.path][method.lower()]
        place = f"{method} {route.path}"
        assert operation["summary"], place
        assert operation["description"], place
        assert operation["x-permission"] == permission.value
        statuses = set(operation["responses"])
        assert {"401", "403", "422"} <= statuses, place
        assert any(status.startswith("2") for status in statuses), place
        assert ("409" in statuses) == (method != "GET"), place
        for status, answer in operation["responses"].items():
            assert answer["description"], place
            assert "X-Request-Id" in answer["headers"], place
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (place, status)
        if method != "GET":
            assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}, place


def test_the_description_is_public_and_the_same_each_time(lab) -> None:  # type: ignore[no-untyped-def]
    nobody = lab.client(None)
    first = nobody.get(f"{API}/openapi.json")
    assert first.status_code == 200
    assert nobody.get(f"{API}/openapi.json", headers={"if-none-match": first.headers["etag"]}).status_code == 304


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_makes_it_fail_or_answer_what_is_not_described(lab, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    described = openapi.of(lab.app)
    schema = schemathesis.openapi.from_dict(described)
    schema.app = lab.app
    client, seen = lab.client(), []
    webhook = client.post(f"{API}/webhooks", json={"url": "https://1.1.1.1/"}).json()["id"]
    monkeypatch.setattr(AddressGuard, "dial", no_network)
    numbers = {"customers": customer_of(client), "keys": key_of(client), "webhooks": webhook}
    numbers["stewardship"] = numbers["customers"]
    for found in schema.get_all_operations():
        operation = found.ok()
        part = operation.path.split("/")[3]
        known = {"id": numbers.get(part, 1), "name": "anna" if part == "users" else "erp"}

        @settings(
            max_examples=12,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @_given(operation)
        def check(case: Any) -> None:
            if len(seen) % 2:  # what there is, every other time
                case.path_parameters.update({k: v for k, v in known.items() if k in case.path_parameters})  # noqa: B023
            request = case.as_transport_kwargs(base_url="http://127.0.0.1:8600")
            sent = {name: value for name, value in request["headers"].items() if name.lower() != "authorization"}
            request["headers"] = {**sent, "authorization": client.headers["authorization"]}
            answer = client.request(**{name: value for name, value in request.items() if name in SENT})
            seen.append(answer.status_code)
            case.validate_response(schemathesis.Response.from_httpx(answer, verify=False), checks=CHECKS)

        check()
    assert 401 not in seen
    assert len([status for status in seen if status < 300]) > 100, "most requests never got as far as an answer"


SENT = ("method", "url", "params", "headers", "json", "content", "data")


def customer_of(client: Any) -> str:
    return str(client.get(f"{API}/crosswalk?connection=erp&stream=customers&id=C001").json()["customer"])


def key_of(client: Any) -> str:
    made = client.post(f"{API}/keys", json={"name": "to be revoked", "scopes": ["customers:read"]})
    return str(made.json()["id"])


def test_each_example_of_the_description_works(lab, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    described, client = openapi.of(lab.app), lab.client()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("1.1.1.1", 443))])
    monkeypatch.setattr(AddressGuard, "dial", no_network)
    run = 0
    for path, operations in sorted(described["paths"].items(), key=lambda one: "eras" in one[0]):  # exports go with it
        for method, operation in operations.items():
            if path.startswith(f"{API}/keys/"):
                continue  # a key's id cannot be known before
            parameters = operation.get("parameters", [])
            values = {one["name"]: example_of(one) for one in parameters if one["in"] == "path"}
            query = {one["name"]: example_of(one) for one in parameters if one["in"] == "query" and one.get("required")}
            body = body_of(described, operation)
            if path.startswith(f"{API}/webhooks/{{id}}"):
                values = webhook_of(client)
            given = prepared(client, path)
            if given is not None:
                values, body = values | given, {**(body or {}), **given}
            if path == f"{API}/webhooks/{{id}}/replay":
                body = {**body, "after": client.get(f"{API}/changes", params={"start": "now"}).json()["token"]}
            if given is not None and body is not None:
                body = {name: value for name, value in body.items() if f"{{{name}}}" not in path}
            answer = client.request(method.upper(), path.format(**values), params=query, json=body)
            ended = path.endswith("/cancel") and answer.status_code == 409  # the example's run has ended
            assert ended or answer.status_code < 300, (method, path, answer.text)
            run += 1
    assert run > 25


def prepared(client: Any, path: str) -> dict[str, Any] | None:
    """What an example cannot know before: ids of customers and decisions that fit."""
    act = path.removeprefix(f"{API}/stewardship/")

    def one(key: str) -> str:
        return str(client.get(f"{API}/crosswalk?connection=erp&stream=customers&id={key}").json()["customer"])

    def merged(*keys: str) -> Any:
        return client.post(f"{API}/stewardship/merge", json={"customers": [one(key) for key in keys]}).json()

    if act in ("merge", "merge-precheck"):
        return {"customers": [one("60"), one("61")]}
    if act == "exclude":
        return {"customer": merged("62", "63")["after"][0]["id"], "record": "erp/customers/63"}
    if act == "unmerge":
        return {"customer": merged("64", "65")["after"][0]["id"]}
    if act == "undo":
        return {"decision": merged("66", "67")["decision"]}
    if path == f"{API}/customers/{{id}}/erase":
        return {"id": one("68"), "confirm": one("68")}
    if path == f"{API}/erasures/{{id}}":
        return {"id": client.post(f"{API}/customers/{one('69')}/erase", json={"confirm": one("69")}).json()["id"]}
    return None


def no_network(*_: Any) -> Any:
    raise OSError


def webhook_of(client: Any) -> dict[str, Any]:
    """An endpoint and an attempt in its log: their ids cannot be known before."""
    made = client.post(f"{API}/webhooks", json={"url": "https://shop.example/hooks"}).json()
    return {"id": made["id"], "number": client.post(f"{API}/webhooks/{made['id']}/test").json()["id"]}


def example_of(parameter: dict[str, Any]) -> Any:
    """The first example; of the parameter or of its schema."""
    return (parameter.get("examples") or parameter["schema"]["examples"])[0]


def body_of(described: dict[str, Any], operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    schema = described["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    return {name: one["examples"][0] for name, one in schema["properties"].items() if "examples" in one}


def _given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())


def test_the_same_is_said_by_a_real_server(lab) -> None:  # type: ignore[no-untyped-def]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(lab.app, log_config=None, access_log=False, server_header=False))
    thread = threading.Thread(target=lambda: server.run([listener]))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=lab.client().headers) as client:
            for _attempt in range(100):
                if server.started:
                    break
                time.sleep(0.02)
            assert client.get(f"{API}/me").json()["user"] == "admin-user"
            assert "server" not in client.get(f"{API}/me").headers
            assert client.get(f"{API}/customers", params={"q": "张伟"}).json()["data"][0]["name"] == "张伟"
            assert client.get(f"{API}/customers", headers={"host": "evil.example"}).status_code == 421
    finally:
        server.should_exit = True
        thread.join(10)
