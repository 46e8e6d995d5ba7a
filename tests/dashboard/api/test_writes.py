"""Writing over REST: once, whoever repeats it; by cookie only from a page of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from dashboard.api import keys as keys_api
from sync import audit
from sync.access import Access
from sync.identity.permissions import Role

API = "/api/v1"
KEY = {"name": "shop", "scopes": ["customers:read"]}


@pytest.fixture
def browser(lab) -> TestClient:  # type: ignore[no-untyped-def]
    visitor = lab.client(None)
    entered = visitor.get(f"/enter?token={Access(lab.project.state_folder).link_token()}")
    assert entered.status_code == 303
    return visitor


def names(client: TestClient) -> list[str]:
    return [one["name"] for one in client.get(f"{API}/keys", params={"limit": 500}).json()["data"]]


def test_the_same_request_again_gives_the_same_answer_and_does_nothing(client: TestClient) -> None:
    first, second = (
        client.post(f"{API}/keys", json={**KEY, "name": "once"}, headers={"idempotency-key": "a"}) for _ in range(2)
    )
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["location"] == second.headers["location"]
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (False, "true")
    assert names(client).count("once") == 1


def test_another_request_under_the_same_key_is_refused(client: TestClient) -> None:
    client.post(f"{API}/keys", json=KEY, headers={"idempotency-key": "b"})
    for path, body in ((f"{API}/keys", {**KEY, "name": "other"}), (f"{API}/keys?x=1", KEY)):
        answer = client.post(path, json=body, headers={"idempotency-key": "b"})
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert "other" not in names(client)


def test_two_callers_may_use_the_same_key(lab) -> None:  # type: ignore[no-untyped-def]
    answers = [
        lab.client(role).post(f"{API}/keys", json=KEY, headers={"idempotency-key": "c"})
        for role in (Role.ADMIN, Role.INTEGRATOR)
    ]
    assert [answer.json()["user"] for answer in answers] == ["admin-user", "integrator-user"]


def test_a_request_in_flight_is_told_and_freed_when_it_fails(lab, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    began, goes_on = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> None:
        began.set()
        goes_on.wait(10)
        raise RuntimeError("died in the middle")

    headers = {"idempotency-key": "d"}
    with monkeypatch.context() as patched:
        patched.setattr(keys_api.keys, "create", slow)
        answers: list[int] = []
        worker = threading.Thread(
            target=lambda: answers.append(lab.client().post(f"{API}/keys", json=KEY, headers=headers).status_code)
        )
        worker.start()
        assert began.wait(10)
        busy = lab.client(Role.ADMIN).post(f"{API}/keys", json=KEY, headers=headers)
        goes_on.set()
        worker.join()
    assert (busy.status_code, busy.json()["code"]) == (409, "idempotency_in_flight")
    assert answers == [500]
    assert lab.client().post(f"{API}/keys", json=KEY, headers=headers).status_code == 201


def test_a_refusal_is_not_kept_as_the_answer(client: TestClient) -> None:
    body = {"name": "later", "role": "viewer"}
    client.post(f"{API}/users", json=body)
    refused = client.post(f"{API}/users", json=body, headers={"idempotency-key": "e"})
    assert refused.status_code == 409
    other = client.post(f"{API}/users", json={**body, "name": "later2"}, headers={"idempotency-key": "e"})
    assert other.status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "ü"])
def test_an_odd_key_is_refused(client: TestClient, key: str) -> None:
    answer = client.post(f"{API}/keys", json=KEY, headers=[("idempotency-key", key.encode("latin-1"))])  # type: ignore[arg-type]
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"{", 400, "malformed_json"), (b"[]", 422, "invalid_request"), (b"x" * 1_100_000, 413, "too_large")],
)
def test_bodies_that_make_no_sense_are_refused(client: TestClient, content: bytes, status: int, code: str) -> None:
    answer = client.post(f"{API}/keys", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_that_lies_about_its_length_is_cut_off(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 50_000

    answer = client.post(f"{API}/keys", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_the_place_of_a_fault_is_a_pointer_into_the_body(client: TestClient) -> None:
    body = {"keys": [{"connection": "a", "stream": "b", "id": "c"}, {"connection": "a", "stream": 1, "colour": 2}]}
    errors = client.post(f"{API}/crosswalk/lookup", json=body).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/keys/1/stream", "/keys/1/id", "/keys/1/colour"}
    nul = client.post(f"{API}/users", json={"name": "a\x00b", "role": "viewer"})
    assert nul.status_code == 422


def test_a_connection_is_paused_and_resumed_and_the_log_says_by_whom(lab, client: TestClient) -> None:  # type: ignore[no-untyped-def]
    paused = client.post(f"{API}/connections/erp/pause").json()
    assert paused["streams"][0]["state"] == "paused"
    refused = client.post(f"{API}/runs", json={"connection": "erp", "stream": "customers"})
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert client.post(f"{API}/connections/erp/resume").json()["streams"][0]["state"] == "active"
    with lab.project.database.reading() as connection:
        found = audit.entries(connection, object="connection:erp", limit=2)
    number = client.get(f"{API}/me").json()["key"]
    assert [(one.action, one.actor) for one in found] == [
        ("connection.resumed", f"key:{number}"),
        ("connection.paused", f"key:{number}"),
    ]


def test_a_run_is_asked_for_joined_and_cancelled(client: TestClient) -> None:
    wanted = {"connection": "erp", "stream": "customers"}
    asked = client.post(f"{API}/runs", json=wanted)
    assert asked.status_code == 202
    assert client.get(asked.headers["location"]).json()["status"] == "queued"
    assert client.post(f"{API}/runs", json=wanted).json()["id"] == asked.json()["id"]
    assert client.post(f"{API}/runs/{asked.json()['id']}/cancel").json()["status"] == "cancelled"
    assert client.post(f"{API}/runs/{asked.json()['id']}/cancel").status_code == 409


def test_quarantine_is_replayed(client: TestClient) -> None:
    [record] = client.get(f"{API}/quarantine").json()["data"]
    outcome = client.post(f"{API}/quarantine/replay", json={"ids": [record["id"]]}).json()["data"]
    assert [(one["id"], one["landed"]) for one in outcome] == [(record["id"], False)]


def test_a_user_is_made_changed_and_shut_out(lab, client: TestClient) -> None:  # type: ignore[no-untyped-def]
    made = client.post(f"{API}/users", json={"name": "Berta", "role": "viewer"})
    assert made.status_code == 201
    page = lab.client(None)
    form = page.get(made.json()["link_path"])
    assert form.status_code == 200
    token = made.json()["link_path"].partition("=")[2]
    weak = page.post("/set-password", data={"token": token, "password": "short"})
    assert weak.status_code == 422
    assert page.post("/set-password", data={"token": token, "password": "a good long one"}).status_code == 303
    assert page.get(f"{API}/me").json()["user"] == "berta"
    again = lab.client(None)
    assert again.post("/sign-in", data={"name": "berta", "password": "wrong"}).status_code == 401
    assert again.post("/sign-in", data={"name": "berta", "password": "a good long one"}).status_code == 303
    assert client.patch(f"{API}/users/berta", json={"role": "steward"}).json()["role"] == "steward"
    assert client.patch(f"{API}/users/berta", json={"disabled": True}).json()["disabled_at"]
    assert lab.client(None).post("/sign-in", data={"name": "berta", "password": "a good long one"}).status_code == 401


def test_by_cookie_only_a_page_of_ours_may_write(browser: TestClient) -> None:
    token = browser.get(f"{API}/me").json()["csrf_token"]
    refused = browser.post(f"{API}/keys", json=KEY)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert browser.post(f"{API}/keys", json=KEY, headers={"x-csrf-token": token[:-1] + "x"}).status_code == 403
    right = {"x-csrf-token": token}
    for wrong in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}):
        assert browser.post(f"{API}/keys", json=KEY, headers={**right, **wrong}).status_code == 403, wrong
    for fine in ({}, {"origin": "http://127.0.0.1:8600"}, {"sec-fetch-site": "same-origin"}):
        assert browser.post(f"{API}/keys", json=KEY, headers={**right, **fine}).status_code == 201, fine


def test_a_key_makes_cookies_count_for_nothing(lab, browser: TestClient) -> None:  # type: ignore[no-untyped-def]
    headers = {"authorization": f"Bearer {lab.keys[Role.VIEWER]}"}
    assert browser.get(f"{API}/me", headers=headers).json()["user"] == "viewer-user"
    assert browser.get(f"{API}/me", headers={"authorization": "Bearer nonsense"}).status_code == 401


def test_signing_out_ends_the_session_at_once(browser: TestClient) -> None:
    held = dict(browser.cookies)
    page = browser.get("/").text
    token = page.partition('name="csrf" value="')[2].partition('"')[0]
    assert browser.post("/sign-out").status_code == 403
    assert browser.post("/sign-out", data={"csrf": token}).status_code == 303
    browser.cookies.update(held)
    assert browser.get("/").status_code == 401


def test_signing_in_gives_a_new_session_and_ends_the_one_before(lab, browser: TestClient) -> None:  # type: ignore[no-untyped-def]
    before = dict(browser.cookies)
    assert browser.get(f"/enter?token={Access(lab.project.state_folder).link_token()}").status_code == 303
    assert dict(browser.cookies) != before
    stale = lab.client(None)
    stale.cookies.update(before)
    assert stale.get("/").status_code == 401


def test_signing_in_from_another_site_is_refused(lab) -> None:  # type: ignore[no-untyped-def]
    answer = lab.client(None).post("/sign-in", data={"name": "a", "password": "b"}, headers={"origin": "http://evil"})
    assert answer.status_code == 403


def test_nobody_gets_beyond_their_own_permissions_by_making_a_key(lab) -> None:  # type: ignore[no-untyped-def]
    answer = lab.client(Role.INTEGRATOR).post(f"{API}/keys", json={"name": "x", "scopes": ["users:write"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    narrow = lab.client(Role.INTEGRATOR).post(f"{API}/keys", json={"name": "x", "scopes": ["keys:write"]}).json()
    key = lab.client(None, authorization=f"Bearer {narrow['secret']}")
    assert key.post(f"{API}/keys", json=KEY).status_code == 403
