"""The pages of operations over HTTP: roles, forged forms, hostile contents; and how long they take with 10,000 runs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from dashboard.app import create_app
from sync import migrations, oneshot
from sync.access import Access
from sync.identity import sessions, users
from sync.identity.permissions import Role
from sync.project import Project
from sync.runs.tables import sync_run

BASE = "http://127.0.0.1:8600"
HOSTILE = "<script>alert(1)</script>"
MAPPING = "customer:\n  kind: person\n  name: name\n  birth_date: {from: born, on_error: reject}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("operations")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "sheet.people.yaml").write_text(MAPPING)
    rows = ["id,name,born,note", f"1,{HOSTILE},1980-01-02,{HOSTILE}", f"2,张伟,{HOSTILE},x", "3,李娜,later,x"]
    (folder / "people.csv").write_text("\n".join(rows) + "\n")
    (folder / "kehu.yaml").write_text(
        "language: en\nconnections:\n  sheet:\n    connector: files\n    every: never\n    streams: {people: }\n"
        "    settings: {streams: {people: {path: people.csv, key: id}}, settle_seconds: 0}\n"
    )
    made = Project.load(folder)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, [])), lambda _views: None)
    yield made
    made.close()


@pytest.fixture
def client(project: Project) -> TestClient:
    made = TestClient(create_app(project, Access(project.state_folder)), base_url=BASE, follow_redirects=False)
    assert made.get(f"/enter?token={Access(project.state_folder).link_token()}").status_code == 303
    return made


def posted(client: TestClient, path: str, **fields: Any) -> Any:
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert token
    return client.post(path, data={"csrf": token[1], **fields})


def test_forged_forms_change_nothing(client: TestClient) -> None:
    assert client.post("/connections/sheet/pause").status_code == 403
    assert client.post("/connections/sheet/pause", data={"csrf": "guessed"}).status_code == 403
    answer = client.post(
        "/quarantine/ignore", data={"id": "1", "note": "x"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert "needs you" not in client.get("/connections").text
    assert posted(client, "/connections/sheet/pause").status_code == 303
    assert "‖ paused" in client.get("/connections").text
    assert posted(client, "/connections/sheet/resume").status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/quarantine",
            "/quarantine/1",
            "/quarantine/2",
            "/mappings/sheet/people",
            "/connections/sheet?tab=schema",
        ),
        *(f"/connections/new?q={HOSTILE}", f"/quarantine?path={HOSTILE}&connection={HOSTILE}", f"/palette?q={HOSTILE}"),
    ],
)
def test_what_comes_from_outside_is_never_markup(client: TestClient, path: str) -> None:
    page = client.get(path).text
    assert HOSTILE not in page
    assert "alert(1)" not in page or "&lt;script&gt;" in page or "&#34;" in page


def test_a_viewer_sees_and_changes_nothing(project: Project, client: TestClient) -> None:
    with project.database.transaction() as connection:
        users.add(connection, "watcher", Role.VIEWER, by="test")
        number = users.get(connection, "watcher").id
        token = sessions.begin(connection, number, "password")
    client.cookies.clear()
    client.cookies.set("kehu_session_8600", token)
    assert client.get("/connections/sheet").status_code == 200
    assert "Sync now" not in client.get("/connections/sheet").text
    assert client.get("/connections/new").status_code == 403
    assert posted(client, "/connections/sheet/sync").status_code == 403
    record = client.get("/quarantine/1").text
    assert "your role does not show it" in record
    assert client.get("/mappings/sheet/people").text.count("李娜") == 0


def test_errors_are_told_with_message_and_remedy(client: TestClient) -> None:
    answer = posted(client, "/quarantine/ignore", id="1", note="")
    assert answer.status_code in (400, 409, 422)
    assert "Say why these records are to stay out." in answer.text
    assert client.get("/mappings/sheet/nothing").status_code == 404
    assert client.get("/connections/nobody").status_code == 404


def test_only_an_administrator_lets_a_connector_reach_into_the_server(project: Project, client: TestClient) -> None:
    with project.database.transaction() as connection:
        users.add(connection, "operator", Role.OPERATOR, by="test")
        token = sessions.begin(connection, users.get(connection, "operator").id, "password")
    client.cookies.clear()
    client.cookies.set("kehu_session_8600", token)
    answer = posted(client, "/connections/new/files", **{"name": "x", "s.path": "people.csv", "s.outside": "true"})
    assert answer.status_code == 403
    assert "Only an administrator" in answer.text


def test_ignored_records_can_be_put_back(client: TestClient) -> None:
    answer = posted(client, "/quarantine/ignore", id="2", note="known")
    assert "told=ignored" in answer.headers["location"]
    assert "known" in client.get("/quarantine?state=ignored").text
    assert "count=1" in posted(client, "/quarantine/reopen", id="2").headers["location"]


@pytest.mark.slow
def test_pages_are_quick_with_ten_thousand_runs(project: Project, client: TestClient) -> None:
    began = datetime.now(UTC) - timedelta(days=20)
    row = {"stream_id": 1, "mode": "incremental", "trigger": "schedule", "read": 5, "created": 0, "updated": 1}
    row |= {"unchanged": 4, "quarantined": 0, "deleted": 0, "pages": 1, "attempts": 0, "retries": 0, "ignored": 0}
    rows = []
    for number in range(10_000):
        at = began + timedelta(minutes=2.8 * number)
        times = {"queued_at": at, "started_at": at, "finished_at": at + timedelta(seconds=3)}
        rows.append({**row, **times, "status": "succeeded" if number % 50 else "failed", "cancel_requested": False})
    with project.database.transaction() as connection:
        connection.execute(insert(sync_run), rows)
    for path in ("/", "/connections", "/connections/sheet", "/runs", "/runs?trouble=1", "/quarantine", "/mappings"):
        client.get(path)
        took = []
        for _ in range(5):
            started = time.perf_counter()
            assert client.get(path).status_code == 200
            took.append(time.perf_counter() - started)
        assert min(took) < 0.5, path
