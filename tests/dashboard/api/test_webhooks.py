"""Webhooks over REST: made, changed, tested, replayed; who may; addresses that are refused; secrets shown once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sync.audit import entries
from sync.identity.permissions import Role
from sync.master.bulk import bulk_for
from tests.webhook_receiver import Receiver, receiver

HOOKS = "/api/v1/webhooks"
PUBLIC = "https://1.1.1.1/hook"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiver(tmp_path_factory.mktemp("receiver")) as made:
        yield made


@pytest.fixture
def private(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator has allowed this machine in kehu.yaml."""
    allowed = lab.project.settings.webhooks.model_copy(update={"allow_private": ["127.0.0.1"]})
    monkeypatch.setitem(lab.project.settings.__dict__, "webhooks", allowed)


def made(client: TestClient, url: str = PUBLIC, **more: Any) -> dict[str, Any]:
    answer = client.post(HOOKS, json={"url": url, "description": "shop", **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_an_endpoint_is_made_once_and_its_secret_shown_once(lab: Any, client: TestClient) -> None:
    twice = {"idempotency-key": "hook-1"}
    body = {"url": PUBLIC, "types": ["customer.merged"], "payload": "thin"}
    first = client.post(HOOKS, json=body, headers=twice)
    again = client.post(HOOKS, json=body, headers=twice)
    assert first.json() == again.json()
    secret = first.json()["secret"]
    assert secret.startswith("whsec_")
    shown = client.get(first.headers["location"])
    assert secret not in shown.text
    assert shown.json()["types"] == ["customer.merged"]
    assert [one["id"] for one in client.get(HOOKS).json()["data"]].count(shown.json()["id"]) == 1
    with lab.project.database.reading() as connection:
        entry = entries(connection, limit=1)[0]
    assert (entry.action, entry.object) == ("webhook.created", f"webhook:{shown.json()['id']}")
    assert secret not in str(entry)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://0x7f000001/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://100.64.0.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/x",
        "https://10.0.0.1/x",
        "http://1.1.1.1/x",
        "ftp://1.1.1.1/x",
        "https://user:pass@1.1.1.1/x",
        "https://no-such-name.invalid/x",
        "nonsense",
        "",
    ],
)
def test_an_address_that_must_not_be_called_is_refused_when_saved(client: TestClient, url: str) -> None:
    answer = client.post(HOOKS, json={"url": url})
    assert answer.status_code == 422, answer.text
    hook = made(client)
    assert client.patch(f"{HOOKS}/{hook['id']}", json={"url": url}).status_code == 422


def test_a_change_needs_the_state_it_was_made_for(client: TestClient) -> None:
    hook = made(client)
    path = f"{HOOKS}/{hook['id']}"
    tag = client.get(path).headers["etag"]
    changed = client.patch(path, json={"description": "new"}, headers={"if-match": tag})
    assert (changed.status_code, changed.json()["description"]) == (200, "new")
    assert client.patch(path, json={"description": "late"}, headers={"if-match": tag}).status_code == 412
    assert client.patch(path, json={"types": ["customer.sold"]}).status_code == 422
    assert client.post(f"{path}/disable").json()["reason"] == "by_hand"
    assert client.post(f"{path}/enable").json()["state"] == "active"
    assert [one["kind"] for one in client.get(f"{path}/notices").json()["data"]] == ["enabled"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_a_test_message_is_sent_at_once_and_logged(client: TestClient, other: Receiver, private: None) -> None:
    hook = made(client, other.url)
    path = f"{HOOKS}/{hook['id']}"
    sent = client.post(f"{path}/test").json()
    assert (sent["outcome"], sent["status"], sent["answer"]) == ("delivered", 200, "thanks")
    assert other.accepted()[-1]["type"] == "webhook.test"
    [logged] = client.get(f"{path}/deliveries").json()["data"]
    assert logged == sent
    whole = client.get(f"{path}/deliveries/{sent['id']}").json()
    assert whole["request"]["headers"]["webhook-signature"] == "***"
    assert hook["secret"] not in str(whole)
    assert client.get(f"{path}/deliveries", params={"outcome": "failed"}).json()["data"] == []


def test_an_address_is_guarded_again_when_it_is_called(client: TestClient, other: Receiver, lab: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        allowed = lab.project.settings.webhooks.model_copy(update={"allow_private": ["127.0.0.1"]})
        patch.setitem(lab.project.settings.__dict__, "webhooks", allowed)
        hook = made(client, other.url)
    seen = len(other.seen())
    sent = client.post(f"{HOOKS}/{hook['id']}/test").json()
    assert sent["outcome"] == "failed"
    assert "guard forbids" in sent["error"]
    assert len(other.seen()) == seen


def test_a_rotated_secret_is_shown_once_and_one_of_your_own_is_checked(client: TestClient) -> None:
    hook = made(client, secret="whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=")
    assert hook["secret"].startswith("whsec_QUJD")
    path = f"{HOOKS}/{hook['id']}"
    fresh = client.post(f"{path}/rotate", json={"overlap_hours": 1}).json()
    assert fresh["secret"] != hook["secret"]
    assert fresh["old_secret_until"] is not None
    assert client.post(HOOKS, json={"url": PUBLIC, "secret": "short"}).status_code == 422
    assert client.post(f"{path}/rotate", json={"secret": "whsec_QUJD"}).status_code == 422


def test_a_range_is_replayed_between_tokens(lab: Any, client: TestClient) -> None:
    token = client.get("/api/v1/changes", params={"start": "now"}).json()["token"]
    hook = made(client)
    path = f"{HOOKS}/{hook['id']}"
    assert client.post(f"{path}/replay", json={"after": token}).json() == {"changes": 0}
    with lab.project.database.transaction() as connection:
        bulk = bulk_for(connection)
        [seq] = bulk.numbers("change", 1)
        at = bulk.instant(datetime.now(UTC))
        bulk.insert("change", [(seq, 1, "updated", 2, "{}", at, None)])
        bulk.run("UPDATE webhook_endpoint SET position = ? WHERE id = ?", seq, hook["id"])
    assert client.post(f"{path}/replay", json={"after": token}).json() == {"changes": 1}
    assert client.get(path).json()["waiting"] == 1
    assert client.post(f"{path}/replay", json={"after": token, "customer": "nobody"}).status_code == 422


def test_who_may_not_read_personal_data_cannot_have_it_sent(lab: Any) -> None:
    from sync.identity import keys

    with lab.project.database.transaction() as connection:
        key = keys.create(connection, "hooks", "admin-user", ["webhooks:write", "webhooks:read"], by="test")
    client = lab.client(None, authorization=f"Bearer {key.secret}")
    assert client.post(HOOKS, json={"url": PUBLIC}).status_code == 403
    assert client.post(HOOKS, json={"url": PUBLIC, "payload": "thin"}).status_code == 201
    assert lab.client(Role.VIEWER).get(HOOKS).status_code == 403
