"""Single sign-on, against a real provider and against one that lies."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from dashboard.app import create_app
from sync import audit, migrations
from sync.access import Access
from sync.errors import Misused
from sync.identity import users
from sync.identity.permissions import Role
from sync.identity.sign_on import Begun, SignOnFailed, require_https
from sync.project import Project
from sync.settings import SignOnSettings
from tests.systems.fixtures import available
from tests.systems.oidc import Oidc, oidc

BASE = "http://127.0.0.1:8600"
CALLBACK = f"{BASE}/sign-on/callback"
SETTINGS = """
language: en
web:
  sign_on:
    issuer: {issuer}
    client_id: kehu
    client_secret: ${{SSO_SECRET}}
    roles: {{masters: admin, desk: steward}}
    title: Example
"""


@pytest.fixture
def project_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SSO_SECRET", "a-secret-of-this-test-only")

    def made(issuer: str) -> Project:
        (tmp_path / "kehu.yaml").write_text(SETTINGS.format(issuer=issuer))
        project = Project.load(tmp_path)
        migrations.migrate(project.database)
        return project

    return made


def browser_of(project: Project) -> TestClient:
    app = create_app(project, Access(project.state_folder))
    return TestClient(app, base_url=BASE, follow_redirects=False)


@pytest.fixture(scope="module")
def provider() -> Iterator[Oidc]:
    groups = {"anna": ["desk"], "boss": ["other", "masters"], "nobody": ["other"]}
    yield from available(lambda: oidc(CALLBACK, groups))


def at_provider(address: str, name: str) -> str:
    """What a person does there: type a name, agree. Answers where the browser is sent in the end."""
    session = requests.Session()
    answer = session.get(address, allow_redirects=False, timeout=20)
    for _step in range(20):
        place = answer.headers.get("location", "")
        if place.startswith(CALLBACK):
            return place
        if place:
            answer = session.get(urljoin(answer.url, place), allow_redirects=False, timeout=20)
            continue
        action = html.unescape(re.search(r'<form[^>]*action="([^"]+)"', answer.text)[1])  # type: ignore[index]
        fields = dict(re.findall(r'name="(\w+)" value="(\w+)"', answer.text)) | {"login": name, "password": "x"}
        answer = session.post(urljoin(answer.url, action), data=fields, allow_redirects=False, timeout=20)
    raise AssertionError(answer.text)


def signed_in(browser: TestClient, name: str) -> Any:
    sent = browser.get("/sign-on")
    assert sent.status_code == 303
    assert "samesite=lax" in sent.headers["set-cookie"].lower()
    back = urlsplit(at_provider(sent.headers["location"], name))
    return browser.get(f"{back.path}?{back.query}")


@pytest.mark.systems
def test_who_the_provider_vouches_for_is_let_in_with_todays_role(provider: Oidc, project_of: Any) -> None:
    project = project_of(provider.issuer)
    browser = browser_of(project)
    assert "Sign in with Example" in browser.get("/sign-in").text
    answer = signed_in(browser, "anna")
    assert answer.status_code == 200
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    me = browser.get("/api/v1/me").json()
    assert (me["user"], me["role"]) == ("anna", "steward")
    assert signed_in(browser_of(project), "boss").status_code == 200
    with project.database.reading() as connection:
        assert users.get(connection, "boss").role is Role.ADMIN
        assert {entry.details["way"] for entry in audit.entries(connection, action="sign_in")} == {"sso"}
    with project.database.transaction() as connection:
        users.set_role(connection, "anna", Role.VIEWER, by="test")
    again = browser_of(project)
    signed_in(again, "anna")
    assert again.get("/api/v1/me").json()["role"] == "steward"
    with project.database.transaction() as connection:
        users.disable(connection, "anna", by="test")
    assert signed_in(browser_of(project), "anna").status_code == 403
    project.close()


@pytest.mark.systems
def test_who_has_no_role_or_another_browser_stays_out(provider: Oidc, project_of: Any) -> None:
    project = project_of(provider.issuer)
    assert signed_in(browser_of(project), "nobody").status_code == 403
    mine, other = browser_of(project), browser_of(project)
    back = urlsplit(at_provider(mine.get("/sign-on").headers["location"], "anna"))
    other.get("/sign-on")
    assert other.get(f"{back.path}?{back.query}").status_code == 403
    assert browser_of(project).get(f"{back.path}?{back.query}").status_code == 403
    assert mine.get(f"{back.path}?{back.query}").status_code == 200
    assert mine.get(f"{back.path}?{back.query}").status_code == 403  # a code works once
    with project.database.reading() as connection:
        assert users.find(connection, "nobody") is None
    project.close()


class Liar(BaseHTTPRequestHandler):
    """A provider whose token is whatever a test wants."""

    key = RSAKey.generate_key(2048, {"kid": "one"})
    other = RSAKey.generate_key(2048, {"kid": "one"})
    issuer = ""
    say: Any = None

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if self.path.startswith("/keys"):
            self._answer({"keys": [self.key.as_dict(private=False)]})
        else:
            self._answer({"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/auth",
                          "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys"})  # fmt: skip

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": type(self).say()})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def liar() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Liar.issuer = f"http://127.0.0.1:{server.server_port}"
    yield Liar.issuer
    server.shutdown()


def token(nonce: str, key: Any = None, alg: str = "RS256", **changed: Any) -> str:
    claims = {"iss": Liar.issuer, "aud": "kehu", "sub": "1", "exp": int(time.time()) + 300, "nonce": nonce,
              "preferred_username": "anna", "groups": ["desk"]}  # fmt: skip
    whole = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": "one"}, whole, key or Liar.key, algorithms=[alg])


LIES: dict[str, Any] = {
    "another key": lambda nonce: token(nonce, Liar.other),
    "a shared secret": lambda nonce: token(nonce, OctKey.import_key("a-secret-of-this-test-only-of-32-bytes"), "HS256"),
    "no signature": lambda nonce: token(nonce).rpartition(".")[0] + ".",
    "another issuer": lambda nonce: token(nonce, iss="https://evil.example"),
    "for somebody else": lambda nonce: token(nonce, aud="other"),
    "for several, by somebody else": lambda nonce: token(nonce, aud=["kehu", "other"], azp="other"),
    "out of date": lambda nonce: token(nonce, exp=int(time.time()) - 3600),
    "without an end": lambda nonce: token(nonce, exp=None),
    "of another attempt": lambda nonce: token("another"),
    "without a nonce": lambda nonce: token(nonce, nonce=None),
    "without a subject": lambda nonce: token(nonce, sub=None),
    "a number as subject": lambda nonce: token(nonce, sub=7),
    "no token": lambda nonce: "",
    "nonsense": lambda nonce: "a.b.c",
}


def answered(project: Project, liar: str, say: Any, **changed: str) -> Any:
    browser = browser_of(project)
    asked = parse_qs(urlsplit(browser.get("/sign-on").headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["state"][0]) >= 43
    Liar.say = staticmethod(lambda: say(asked["nonce"][0]))
    query = {"code": "c", "state": asked["state"][0], "iss": liar} | changed
    return browser.get("/sign-on/callback", params={name: value for name, value in query.items() if value})


def test_a_lying_provider_lets_nobody_in(liar: str, project_of: Any) -> None:
    project = project_of(liar)
    for what, say in LIES.items():
        answer = answered(project, liar, say)
        assert answer.status_code == 403, what
        assert "kehu_session" not in answer.headers.get("set-cookie", ""), what
    honest = LIES and (lambda nonce: token(nonce))
    assert answered(project, liar, honest, iss="https://evil.example").status_code == 403
    assert answered(project, liar, honest, state="guessed").status_code == 403
    assert answered(project, liar, honest, state="").status_code == 403
    assert answered(project, liar, honest, code="", error="access_denied").status_code == 403
    assert answered(project, liar, honest).status_code == 200
    project.close()


def test_a_name_that_is_taken_is_not_taken_over(liar: str, project_of: Any) -> None:
    project = project_of(liar)
    with project.database.transaction() as connection:
        users.add(connection, "anna", Role.ADMIN, by="test")
    assert answered(project, liar, lambda nonce: token(nonce)).status_code == 200
    with project.database.reading() as connection:
        assert users.get(connection, "anna").role is Role.ADMIN
        assert users.get(connection, "anna@127.0.0.1").role is Role.STEWARD
    project.close()


def test_a_provider_that_does_not_answer_is_told(project_of: Any) -> None:
    project = project_of("http://127.0.0.1:9")
    answer = browser_of(project).get("/sign-on")
    assert answer.status_code == 403
    assert "does not answer" in answer.text
    project.close()


def test_without_settings_there_is_no_such_way(tmp_path: Path) -> None:
    (tmp_path / "kehu.yaml").write_text("language: en\n")
    project = Project.load(tmp_path)
    migrations.migrate(project.database)
    browser = browser_of(project)
    assert browser.get("/sign-on").status_code == 404
    assert "/sign-on" not in browser.get("/sign-in").text
    project.close()


def test_an_issuer_without_encryption_is_refused() -> None:
    with pytest.raises(Misused):
        require_https(SignOnSettings(issuer="http://login.example.com", client_id="kehu"))
    require_https(SignOnSettings(issuer="https://login.example.com", client_id="kehu"))


def test_what_an_attempt_is_bound_to_tells_nothing_of_its_token() -> None:
    one, other = Begun.by("token"), Begun.by("another")
    assert len({*one, *other}) == 6
    assert Begun.by("token") == one
    assert issubclass(SignOnFailed, Exception)
