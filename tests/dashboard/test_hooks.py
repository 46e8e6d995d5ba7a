"""Webhooks arrive over HTTP: signed ones become hints and runs, others change nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from dashboard.app import create_app
from sync import migrations
from sync.access import Access
from sync.project import Project

SECRET = "shpss_1234567890"
SETTINGS = f"""
connections:
  shop:
    connector: shopify
    settings: {{base_url: 'https://nanyang.myshopify.com', client_id: abc, client_secret: {SECRET}}}
    streams: {{customers: {{}}}}
  sheet:
    connector: files
    settings: {{streams: {{customers: {{path: customers.csv, key: id}}}}}}
    streams: {{customers: {{mapping: customers.yaml}}}}
"""
TOLD = orjson.dumps({"id": 207119551, "admin_graphql_api_id": "gid://shopify/Customer/207119551"})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "kehu.yaml").write_text(SETTINGS)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text("customer: {kind: person, name: name}\n")
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    yield made
    made.close()


@pytest.fixture
def sender(project: Project) -> TestClient:
    return TestClient(create_app(project, Access(project.state_folder)), base_url="http://127.0.0.1:8600")


def signed(body: bytes, secret: str = SECRET, delivery: str = "d-1") -> dict[str, str]:
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    topic = {"X-Shopify-Topic": "customers/update", "X-Shopify-Webhook-Id": delivery}
    return {"X-Shopify-Hmac-Sha256": signature, "Content-Type": "application/json", **topic}


def count(project: Project, table: str) -> int:
    with project.database.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_signed_webhook_is_kept_and_asks_for_one_run(project: Project, sender: TestClient) -> None:
    for _ in range(3):
        assert sender.post("/api/hooks/shop", content=TOLD, headers=signed(TOLD)).status_code == 200
    assert count(project, "hint") == 1
    assert count(project, "sync_run") == 1


@pytest.mark.parametrize("headers", [{}, signed(TOLD, "other"), {"X-Shopify-Hmac-Sha256": "ä" * 44}])
def test_a_forged_webhook_is_refused_and_changes_nothing(
    project: Project, sender: TestClient, headers: dict[str, str]
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = sender.post("/api/hooks/shop", content=TOLD, headers=encoded)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert SECRET not in answer.text
    assert count(project, "hint") == count(project, "sync_run") == 0


def test_what_is_wrong_with_our_settings_is_not_told_to_the_sender(project: Project) -> None:
    text = (project.folder / "kehu.yaml").read_text().replace("client_id: abc, ", "access_token: x, client_idd: abc, ")
    (project.folder / "kehu.yaml").write_text(text)
    broken = Project.load(project.folder)
    sender = TestClient(create_app(broken, Access(broken.state_folder)), base_url="http://127.0.0.1:8600")
    answer = sender.post("/api/hooks/shop", content=TOLD, headers=signed(TOLD))
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "client" not in answer.text
    broken.close()


@pytest.mark.parametrize("name", ["sheet", "nobody", "shop%0A"])
def test_a_connection_that_receives_none_is_not_found(sender: TestClient, name: str) -> None:
    assert sender.post(f"/api/hooks/{name}", content=TOLD, headers=signed(TOLD)).status_code == 404


def test_a_signed_body_that_is_no_json_is_told(project: Project, sender: TestClient) -> None:
    body = b"\xff{not json"
    answer = sender.post("/api/hooks/shop", content=body, headers=signed(body))
    assert answer.status_code == 422
    assert count(project, "hint") == 0


def test_a_webhook_of_more_than_a_megabyte_is_refused(sender: TestClient) -> None:
    body = b"[" + b" " * 1_000_000 + b"]"
    assert sender.post("/api/hooks/shop", content=body, headers=signed(body)).status_code == 413
