"""Secrets planted everywhere a secret can stand turn up nowhere: logs, errors, rows, messages, metrics, answers, pages.

The system of this company lies: it answers every fourth request and refuses the others, repeating the credentials it
was sent in its body, its headers and a redirect.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
import redis
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from dashboard.app import create_app
from sync import migrations, oneshot, telemetry
from sync.access import Access
from sync.cli import run as command
from sync.identity import keys, users
from sync.identity.permissions import PERMISSIONS, SCOPES, Role
from sync.project import Project
from sync.runs.dispatch import Doorbell
from sync.runs.states import RunMode
from tests import services

TOKEN, PASSWORD, UNUSED = (f"canary-{word}-Zx81QvT6" for word in ("token", "password", "unused"))
MANIFEST = """
id: liar
title: {en: Liar, zh: 骗子}
kind: crm
config:
  base_url: {en: Address, zh: 地址, type: url}
  token: {en: Token, zh: 令牌, secret: true}
base_url: "{config.base_url}"
auth: {kind: bearer, token: "{config.token}"}
streams:
  customers: {title: {en: Customers, zh: 客户}, path: /customers, records: data, key: id, mapping: liar.yaml}
"""
SETTINGS = """
language: en
connections:
  {name}:
    connector: liar
    settings: {{base_url: "{url}", token: "{token}"}}
    allow_private: [127.0.0.0/8]
    streams: {{customers: {{mapping: liar.yaml, every: never}}}}
"""
MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [email]\n"


class Liar(BaseHTTPRequestHandler):
    turns = itertools.count()
    heard: ClassVar[set[str]] = set()

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        said = self.headers.get("Authorization", "")
        turn = next(self.turns) % 4
        self.heard.add(said)
        if turn == 0:
            rows = [{"id": "1", "name": "Ann", "email": "ann@example.com"}, {"id": "2", "name": 5, "email": ["x"]}]
            self._say(200, json.dumps({"data": rows}))
        elif turn == 1:
            self._say(400, json.dumps({"error": f"bad token {said}", "token": said}), {"X-Debug": said})
        elif turn == 2:
            self._say(302, said, {"Location": f"http://127.0.0.1:9/?access_token={quote(said)}"})
        else:
            self._say(401, f"<html>{said}</html>")

    def _say(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def liar() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def forms(secret: str) -> list[bytes]:
    """The secret as it may be written: as it is, in base64, in an address."""
    plain = secret.encode()
    return [plain, base64.b64encode(plain)[:-4], quote(secret).encode(), plain[::-1]]


def found_in(where: str, data: bytes, secrets: list[str]) -> list[str]:
    return [f"{secret} in {where}" for secret in secrets for form in forms(secret) if form in data]


@pytest.mark.services
def test_planted_secrets_turn_up_nowhere(liar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capfd: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    out = io.StringIO()
    telemetry.configure(stream=out, json=True, level="DEBUG")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "connectors").mkdir()
    (tmp_path / "mappings" / "liar.yaml").write_text(MAPPING)
    (tmp_path / "connectors" / "liar.yaml").write_text(MANIFEST)
    monkeypatch.setenv("CANARY_TOKEN", TOKEN)
    first = SETTINGS.format(name="one", url=liar, token="${CANARY_TOKEN}")
    second = SETTINGS.format(name="two", url=liar, token="vault:two").partition("connections:\n")[2]
    (tmp_path / "kehu.yaml").write_text(first + second)
    project = Project.load(tmp_path)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        project.register(connection)
        project.vault.put(connection, "two", PASSWORD, by="test")
        project.vault.put(connection, "hook", UNUSED, by="test")
        users.add(connection, "anna", Role.ADMIN, by="test")
        scopes = sorted(PERMISSIONS[Role.ADMIN] & SCOPES)
        key = keys.create(connection, "all", "anna", scopes, by="test").secret
    told = _synced(project)
    with services.valkey() as broker:
        bell = Doorbell.at(broker.url())
        for number in range(1, 5):
            bell.run(number)
        client = redis.Redis.from_url(broker.url())
        messages = b"".join(client.dump(name) or b"" for name in client.keys("*"))
    app = create_app(project, Access(project.state_folder))
    http = TestClient(app, base_url="http://127.0.0.1:8600", follow_redirects=False)
    answers = dict(_everything(app, http, key, project))
    for words in (["doctor"], ["connection", "list"], ["connection", "check"], ["secret", "list"], ["sync", "list"],
                  ["quarantine", "list"], ["audit", "list"], ["connection", "show", "one"]):  # fmt: skip
        command(["--project", str(tmp_path), *words])
    shown = capfd.readouterr()
    telemetry.configure(stream=sys.stderr)
    folder = Path(str(project.database.url.database)).parent
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and "key" not in path.suffix)
    secrets, mine = [TOKEN, PASSWORD, UNUSED], [key.split("_", 2)[2]]
    problems = found_in("the log", out.getvalue().encode(), secrets + mine)
    problems += found_in("the terminal", (shown.out + shown.err).encode(), secrets + mine)
    problems += found_in("an error", "".join(told).encode(), secrets + mine)
    problems += found_in("a message", messages, secrets + mine)
    problems += found_in("the state folder", stored, secrets + mine)
    for path, body in answers.items():
        problems += found_in(path, body, secrets + mine)
    assert problems == []
    assert Liar.heard == {f"Bearer {TOKEN}", f"Bearer {PASSWORD}"}
    assert found_in("here", f"x {TOKEN} y".encode(), secrets) != []
    assert len(answers) > 40
    assert len(messages) > 100
    assert told
    project.close()


def _synced(project: Project) -> list[str]:
    """What runs and errors tell, one run after the other."""
    told = []
    for mode in (RunMode.INCREMENTAL, *[RunMode.FULL] * 4):
        try:
            asked = oneshot.request(project, oneshot.targets(project, []), mode)
            told += [str(view) for view in oneshot.finish(project, asked, lambda _views: None)]
        except Exception as error:
            told.append(repr(error))
    return told


def _everything(app: Any, http: TestClient, key: str, project: Project) -> Iterator[tuple[str, bytes]]:
    """Every address that can be read, as a program and as a signed-in person."""
    program = {"authorization": f"Bearer {key}"}
    entered = http.get(f"/enter?token={Access(project.state_folder).link_token()}")
    assert entered.status_code == 303
    for route in app.routes:
        if isinstance(route, APIRoute) and "GET" in route.methods and "/changes" not in route.path:
            for value in ("1", "one", "hook"):
                path = "/".join(value if part.startswith("{") else part for part in route.path.split("/"))
                for way, headers in (("program", program), ("person", {})):
                    if "/live" in path or "/events/stream" in path or path == "/enter":
                        continue
                    answer = http.get(path, headers=headers)
                    yield f"{way} {path}", answer.content + str(answer.headers).encode()
