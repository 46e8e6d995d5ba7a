"""The change feed over HTTP: long polling, server-sent events, tokens that expire, and what a key may see of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import text

from dashboard.api import changes
from sync.feed import tokens
from sync.identity import keys
from sync.identity.permissions import Role
from sync.master.bulk import bulk_for

pytestmark = pytest.mark.slow

NOW = datetime(2026, 5, 1, tzinfo=UTC)
FEED = "/api/v1/changes"


def publish(lab: Any, *names: str) -> None:
    """Changes as PUBLISH writes them, of a customer of their own."""
    with lab.project.database.transaction() as connection:
        bulk = bulk_for(connection)
        for name in names:
            body = orjson.dumps({"set": {"name": name}}).decode()
            [seq] = bulk.numbers("change", 1)
            bulk.insert("change", [(seq, 1, "updated", 2, body, bulk.instant(NOW), None)])


@pytest.fixture(scope="module")
def server(lab: Any) -> Iterator[str]:
    """The application on a real port."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(lab.app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join(10)


def caller(lab: Any, server: str, role: Role = Role.ADMIN) -> httpx.Client:
    return httpx.Client(base_url=server, headers={"authorization": f"Bearer {lab.keys[role]}"}, timeout=20)


def frames(answer: httpx.Response, most: int) -> list[dict[str, str]]:
    """The first frames of a stream that have data."""
    found, frame = [], {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            frame[name] = value
            continue
        if "data" in frame:
            found.append(frame)
        if len(found) == most:
            return found
        frame = {}
    return found


def test_who_begins_gets_all_customers_and_then_what_changes(lab: Any, client: TestClient) -> None:
    token, seen = None, []
    more = True
    while more:
        page = client.get(FEED, params={"limit": 40, **({"after": token} if token else {})}).json()
        seen += page["data"]
        token, more = page["token"], page["more"]
    with lab.project.database.reading() as connection:
        count = connection.execute(text("SELECT count(*) FROM customer WHERE status = 'active'")).scalar_one()
    assert [event["type"] for event in seen] == ["customer.snapshot"] * count
    assert len({event["customer"] for event in seen}) == count
    publish(lab, "Ann")
    [event] = client.get(FEED, params={"after": token}).json()["data"]
    assert event["data"] == {"set": {"name": "Ann"}}
    assert client.get(FEED, params={"after": event["token"]}).json()["data"] == []


def test_a_waiting_consumer_is_answered_when_something_changes(lab: Any, server: str) -> None:
    with caller(lab, server) as client:
        token = client.get(FEED, params={"start": "now"}).json()["token"]
        threading.Timer(0.2, publish, (lab, "Late")).start()
        began = time.monotonic()
        answer = client.get(FEED, params={"after": token, "wait": 10}).json()
        assert [event["changed"] for event in answer["data"]] == [["name"]]
        assert 0.15 < time.monotonic() - began < 5
        began = time.monotonic()
        empty = client.get(FEED, params={"after": answer["token"], "wait": 1}).json()
        assert (empty["data"], empty["token"]) == ([], answer["token"])
        assert time.monotonic() - began >= 0.9


@pytest.mark.slow
def test_a_hundred_waiting_consumers_hold_no_thread_and_no_connection(lab: Any, server: str) -> None:
    with caller(lab, server) as client:
        token = client.get(FEED, params={"start": "now"}).json()["token"]
    found: list[int] = []

    def wait_for_change() -> None:
        with caller(lab, server) as one:
            found.append(len(one.get(FEED, params={"after": token, "wait": 15}).json()["data"]))

    before = threading.active_count()
    waiting = [threading.Thread(target=wait_for_change) for _ in range(100)]
    for thread in waiting:
        thread.start()
    deadline = time.monotonic() + 10
    while lab.app.state.feed.following < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ours = [t.name for t in threading.enumerate() if t not in waiting]
    assert len(ours) < before + 45, "at most the pool of forty threads, whatever the number of consumers"
    assert lab.project.database.engine.pool.checkedout() <= 2
    with caller(lab, server) as client:
        assert client.get("/api/v1/me").status_code == 200, "others are answered meanwhile"
    publish(lab, "For all")
    for thread in waiting:
        thread.join(15)
    assert found == [1] * 100


def test_a_stream_brings_changes_and_goes_on_at_the_last_event_id(lab: Any, server: str) -> None:
    stream = {"accept": "text/event-stream"}
    with caller(lab, server) as client:
        token = client.get(FEED, params={"start": "now"}).json()["token"]
        threading.Timer(0.1, publish, (lab, "One", "Two", "Three")).start()
        with client.stream("GET", FEED, params={"after": token}, headers=stream) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            first, second = frames(answer, 2)
        assert first["event"] == "customer.updated"
        assert orjson.loads(second["data"])["data"] == {"set": {"name": "Two"}}
        with client.stream("GET", FEED, headers={**stream, "last-event-id": second["id"]}) as answer:
            [third] = frames(answer, 1)
        assert orjson.loads(third["data"])["data"] == {"set": {"name": "Three"}}


def test_a_silent_stream_tells_where_it_is_and_ends_when_its_key_is_revoked(
    lab: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "HEARTBEAT", 0.2)
    with lab.project.database.transaction() as connection:
        key = keys.create(connection, "short", "admin-user", ["changes:read"], by="test")
    headers = {"authorization": f"Bearer {key.secret}", "accept": "text/event-stream"}
    with httpx.Client(base_url=server, headers=headers, timeout=10) as client:
        token = client.get(FEED, params={"start": "now"}, headers={"accept": "*/*"}).json()["token"]
        with client.stream("GET", FEED, params={"after": token, "type": "customer.deleted"}) as answer:
            lines = answer.iter_lines()
            publish(lab, "Not asked for")
            place = next(line for line in lines if line.startswith("id: ") and line != f"id: {token}")
            assert tokens.decode(place[4:]).seq == tokens.decode(token).seq + 1
            with lab.project.database.transaction() as connection:
                keys.revoke(connection, key.key.id, by="test")
            began = time.monotonic()
            assert not any(line.startswith("data") for line in lines)
            assert time.monotonic() - began < 8


def test_personal_data_needs_its_own_permission(lab: Any) -> None:
    publish(lab, "Secret Name")
    viewer = lab.client(Role.VIEWER)
    page = viewer.get(FEED, params={"limit": 1000})
    assert page.status_code == 200
    assert "golden" not in page.text
    assert "example.com" not in page.text
    [[connection, stream, number, _part]] = page.json()["data"][0]["data"]["joined"]
    assert (connection, stream) == ("erp", "customers")
    assert number.startswith("***"), "a system may call a person by an email"


def test_an_expired_token_is_told_with_the_way_to_start_again(client: TestClient) -> None:
    other = tokens.encode(tokens.Token(1, 1))
    answer = client.get(FEED, params={"after": other}, headers={"accept-language": "zh"})
    assert answer.status_code == 410
    problem = answer.json()
    assert problem["code"] == "token_expired"
    assert client.get(problem["start_again"]).json()["data"]
    assert client.get(FEED, params={"after": "nonsense"}).json()["code"] == "bad_token"


def test_too_many_consumers_are_told_to_come_later(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_FOLLOWING", 0)
    answer = client.get(FEED, params={"wait": 1})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
