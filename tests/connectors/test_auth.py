from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import SecretStr, ValidationError

from connectors.auth import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    ClientCredentials,
    HmacSignature,
    RefreshToken,
    SessionLogin,
    SigningRecipe,
    Token,
)
from connectors.contract import Context
from connectors.errors import BadCredentials, ConnectorError, RetryLater, StreamBroken
from connectors.http import Client, Retries
from tests.faults import Answer, Call, Exchange, FaultServer, html, ok, reset, slow, status

KEY = SecretStr("the-secret-key")


class Clock:
    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.on("/x", ok({"fine": True}))
        yield running


def client(server: FaultServer, auth: Auth, **options: Any) -> Client:
    settings = {"timeout": (1, 1), "retries": Retries(tries=2, first=0.001), "allow_private": ["127.0.0.1"]}
    return Client(Context("shop"), server.url, auth=auth, **(settings | options))


def form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode()))


# --- fixed credentials


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (ApiKey(KEY), "X-API-Key", "the-secret-key"),
        (ApiKey(KEY, "Authorization", prefix="Token"), "Authorization", "Token the-secret-key"),
        (Bearer(KEY), "Authorization", "Bearer the-secret-key"),
        (Basic("王", KEY), "Authorization", "Basic " + base64.b64encode("王:the-secret-key".encode()).decode()),
    ],
)
def test_fixed_credentials_stand_in_a_header(server: FaultServer, auth: Auth, header: str, value: str) -> None:
    client(server, auth).get("x")
    assert server.calls[0].headers[header] == value


def test_a_key_can_stand_in_the_query(server: FaultServer) -> None:
    client(server, ApiKey(KEY, "key", place="query")).get("x", params={"a": 1})
    assert server.calls[0].query == {"a": "1", "key": "the-secret-key"}


def test_refused_fixed_credentials_are_not_tried_twice(server: FaultServer) -> None:
    server.on("/x", status(401, {"error": "unknown key the-secret-key"}))
    with pytest.raises(BadCredentials) as caught:
        client(server, ApiKey(KEY)).get("x")
    assert len(server.calls) == 1
    assert "the-secret-key" not in str(caught.value)


# --- OAuth2


def token_endpoint(**more: Any) -> Answer:
    """Hands out t1, t2, …; a refresh gives r1, r2, …"""
    count = iter(range(1, 1000))

    def answer(exchange: Exchange) -> None:
        number = next(count)
        ok({"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": 3600} | more)(exchange)

    return answer


def accepting(*tokens: str) -> Answer:
    """401 for any other token."""

    def answer(exchange: Exchange) -> None:
        sent = exchange.call.headers.get("Authorization", "")
        (ok({"fine": True}) if sent.removeprefix("Bearer ") in tokens else status(401))(exchange)

    return answer


def client_credentials(server: FaultServer, **options: Any) -> ClientCredentials:
    return ClientCredentials(f"{server.url}/token", "id", KEY, **options)


def test_client_credentials_fetch_one_token_and_keep_it(server: FaultServer) -> None:
    server.on("/token", token_endpoint())
    with client(server, client_credentials(server, scope="read write", extra={"audience": "api"})) as shop:
        for _ in range(3):
            shop.get("x")
    asked, *others = server.calls
    assert form(asked) == {"grant_type": "client_credentials", "scope": "read write", "audience": "api"}
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"id:the-secret-key").decode()
    assert [c.headers["Authorization"] for c in others] == ["Bearer token-1"] * 3


def test_the_client_can_name_itself_in_the_body(server: FaultServer) -> None:
    server.on("/token", token_endpoint())
    client(server, client_credentials(server, client_auth="body")).get("x")
    assert form(server.calls[0]) == {
        "grant_type": "client_credentials",
        "client_id": "id",
        "client_secret": "the-secret-key",
    }
    assert "Authorization" not in server.calls[0].headers


@pytest.mark.parametrize(
    ("lifetime", "later", "fetched"), [(3600, 3500, 1), (3600, 3550, 2), ("3600", 3601, 2), (20, 17, 1), (20, 19, 2)]
)
def test_a_token_is_renewed_a_little_before_its_end(
    server: FaultServer, lifetime: Any, later: float, fetched: int
) -> None:
    clock = Clock()
    server.on("/token", token_endpoint(expires_in=lifetime))
    shop = client(server, client_credentials(server, clock=clock))
    shop.get("x")
    clock.now += later
    shop.get("x")
    assert len(server.times("/token")) == fetched


@pytest.mark.parametrize("lifetime", [None, "soon", -5, 0, {"a": 1}, 1e300])
def test_a_senseless_lifetime_means_until_refused(server: FaultServer, lifetime: Any) -> None:
    clock = Clock()
    server.on("/token", token_endpoint(expires_in=lifetime))
    shop = client(server, client_credentials(server, clock=clock))
    shop.get("x")
    clock.now += 1e6
    shop.get("x")
    assert len(server.times("/token")) == 1


def test_a_token_refused_early_is_renewed_once_and_the_call_repeated(server: FaultServer) -> None:
    server.on("/token", token_endpoint())
    server.on("/x", accepting("token-2"))
    assert client(server, client_credentials(server)).get("x").json() == {"fine": True}
    assert [c.path for c in server.calls] == ["/token", "/x", "/token", "/x"]


def test_even_a_create_is_repeated_with_a_new_token_for_it_had_no_effect(server: FaultServer) -> None:
    server.on("/token", token_endpoint())
    server.on("/x", accepting("token-2"))
    client(server, client_credentials(server)).post("x", json={"name": "Wang"})
    assert [c.body for c in server.calls if c.path == "/x"] == [b'{"name":"Wang"}'] * 2


def test_a_new_token_that_is_refused_too_ends_it(server: FaultServer) -> None:
    server.on("/token", token_endpoint())
    server.on("/x", status(401))
    with pytest.raises(BadCredentials):
        client(server, client_credentials(server)).get("x")
    assert [c.path for c in server.calls] == ["/token", "/x", "/token", "/x"]


def test_many_threads_fetch_one_token_and_renew_it_once(server: FaultServer) -> None:
    server.on("/token", slow(0.05, token_endpoint()))
    server.on("/x", accepting("token-1"))
    shop = client(server, client_credentials(server))

    def storm() -> list[Exception]:
        errors: list[Exception] = []

        def call() -> None:
            try:
                shop.get("x")
            except ConnectorError as error:
                errors.append(error)

        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return errors

    assert storm() == []
    assert len(server.times("/token")) == 1
    server.on("/x", accepting("token-2"))
    assert storm() == []
    assert len(server.times("/token")) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status(400, {"error": "invalid_client", "error_description": "unknown the-secret-key"}), BadCredentials),
        (status(401, {"error": "invalid_client"}), BadCredentials),
        (ok({"error": "invalid_scope"}), BadCredentials),
        (ok({"message": "hello"}), StreamBroken),
        (ok([1, 2]), StreamBroken),
        (ok({"access_token": 5}), StreamBroken),
        (status(503), RetryLater),
        (html(), RetryLater),
        (reset(), RetryLater),
    ],
)
def test_what_the_token_endpoint_answers_is_judged(server: FaultServer, answer: Answer, kind: type) -> None:
    server.on("/token", answer)
    with pytest.raises(kind) as caught:
        client(server, client_credentials(server)).get("x")
    assert "the-secret-key" not in str(caught.value)
    assert server.times("/x") == []


def refresh(server: FaultServer, **options: Any) -> RefreshToken:
    return RefreshToken(f"{server.url}/token", "id", KEY, SecretStr("refresh-0"), **options)


def rotating() -> Answer:
    """Every refresh token works once; the next one comes with the answer."""
    state = {"n": 0}

    def answer(exchange: Exchange) -> None:
        sent = form(exchange.call).get("refresh_token")
        if sent != f"refresh-{state['n']}":
            return status(400, {"error": "invalid_grant"})(exchange)
        state["n"] += 1
        return ok({"access_token": f"token-{state['n']}", "refresh_token": f"refresh-{state['n']}"})(exchange)

    return answer


def test_a_rotated_refresh_token_is_handed_over_before_it_is_used(server: FaultServer) -> None:
    server.on("/token", rotating())
    server.on("/x", accepting("token-2"))
    stored: list[tuple[str, int]] = []

    def store(token: Token) -> None:
        assert token.refresh_token is not None
        stored.append((token.refresh_token.get_secret_value(), len(server.times("/x"))))

    client(server, refresh(server, on_token=store)).get("x")
    assert stored == [("refresh-1", 0), ("refresh-2", 1)]


def test_a_spent_refresh_is_not_sent_again_on_a_fault(server: FaultServer) -> None:
    server.on("/token", reset())
    with pytest.raises(RetryLater):
        client(server, refresh(server)).get("x")
    assert len(server.times("/token")) == 1


def test_two_processes_share_a_rotating_grant_through_the_store(server: FaultServer) -> None:
    server.on("/token", rotating())
    server.on("/x", accepting("token-1"))
    saved: list[Token] = []
    options = {"on_token": saved.append, "load_token": lambda: saved[-1] if saved else None}
    one, two = client(server, refresh(server, **options)), client(server, refresh(server, **options))
    one.get("x")
    two.get("x")
    assert len(server.times("/token")) == 1, "the second process uses the token the first one stored"
    server.on("/x", accepting("token-2"))
    one.get("x")
    two.get("x")
    assert len(server.times("/token")) == 2


def test_no_token_shows_in_an_error(server: FaultServer) -> None:
    server.on("/token", ok({"access_token": "very-hidden-token", "refresh_token": "very-hidden-refresh"}))
    server.on("/x", status(500, {"you sent": "very-hidden-token", "and": "very-hidden-refresh"}))
    auth = refresh(server)
    with pytest.raises(RetryLater) as caught:
        client(server, auth).get("x")
    assert "very-hidden" not in str(caught.value) + repr(caught.value.params) + repr(auth) + repr(vars(auth))


# --- session login


def login(**options: Any) -> SessionLogin:
    return SessionLogin("login", {"user": "u", "password": KEY}, **options)


def test_a_session_is_opened_once_and_its_token_carried(server: FaultServer) -> None:
    server.on("/login", ok({"data": {"tokens": ["abcd1234"]}}))
    shop = client(server, login(token="data.tokens.0", header="X-Session", template="id={token}"))
    shop.get("x")
    shop.get("x")
    assert server.calls[0].body == b'{"user":"u","password":"the-secret-key"}'
    assert [c.headers.get("X-Session") for c in server.calls] == [None, "id=abcd1234", "id=abcd1234"]


def test_a_session_cookie_is_carried(server: FaultServer) -> None:
    cookies = {"Set-Cookie": "sid=abc123; Path=/; HttpOnly\nother=1; Secure"}
    server.on("/login", ok({"LoginResultType": 1}, cookies))
    client(server, login(cookie="sid", encoding="form", expect={"LoginResultType": 1})).get("x")
    assert form(server.calls[0]) == {"user": "u", "password": "the-secret-key"}
    assert server.calls[1].headers["Cookie"] == "sid=abc123"
    server.calls.clear()
    client(server, login(cookie="*")).get("x")
    assert server.calls[1].headers["Cookie"] == "sid=abc123; other=1"


def test_a_session_token_can_come_in_a_header_and_go_into_the_query(server: FaultServer) -> None:
    server.on("/login", ok({}, {"X-Auth": "abcd1234"}))
    client(server, login(token_header="x-auth", place="query", header="sid", encoding="query")).get("x")
    assert server.calls[0].query == {"user": "u", "password": "the-secret-key"}
    assert server.calls[1].query == {"sid": "abcd1234"}


def test_an_expired_session_is_opened_again_once(server: FaultServer) -> None:
    server.on("/login", ok({"t": "old-token"}), ok({"t": "new-token"}))
    server.on("/x", accepting("new-token"))
    assert client(server, login(token="t")).get("x").json() == {"fine": True}
    assert [c.path for c in server.calls] == ["/login", "/x", "/login", "/x"]


def test_a_session_ends_when_the_answer_says_so(server: FaultServer) -> None:
    clock = Clock()
    server.on("/login", ok({"t": "abcd", "ttl": 7200}))
    shop = client(server, login(token="t", lifetime_path="ttl", lifetime=60, clock=clock))
    for step in (0, 7000, 7200):
        clock.now += step
        shop.get("x")
    assert len(server.times("/login")) == 2


@pytest.mark.parametrize(
    "answer",
    [
        status(401),
        status(403, {"reason": "the-secret-key is wrong"}),
        ok({"LoginResultType": 0, "t": "abcd"}),
        ok({"LoginResultType": 1}),
        ok({"LoginResultType": 1, "t": True}),
        ok([]),
    ],
)
def test_a_refused_login_is_told_without_the_password(server: FaultServer, answer: Answer) -> None:
    server.on("/login", answer)
    with pytest.raises(BadCredentials, match="login was refused") as caught:
        client(server, login(token="t", expect={"LoginResultType": 1})).get("x")
    assert "the-secret-key" not in str(caught.value)
    assert len(server.calls) == 1


# --- signed requests


def signed(server: FaultServer, key: str = "app", now: float = 1_750_000_000.5, **recipe: Any) -> Client:
    auth = HmacSignature(SigningRecipe(**recipe), KEY, key, clock=lambda: now, nonce=lambda: "n0nce")
    return client(server, auth)


def test_a_signature_in_headers_covers_method_path_query_and_body(server: FaultServer) -> None:
    shop = signed(
        server,
        message="{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body_hash}",
        headers={"X-Key": "{key}", "X-Time": "{timestamp}", "X-Nonce": "{nonce}", "X-Sign": "v1={signature}"},
    )
    shop.post("x", params={"b": "1 2", "a": "王"}, json={"name": "王"})
    call = server.calls[0]
    body_hash = hashlib.sha256(call.body).hexdigest()
    text = f"POST\n/x\nb=1+2&a=%E7%8E%8B\n1750000000\nn0nce\n{body_hash}"
    expected = hmac.new(b"the-secret-key", text.encode(), "sha256").hexdigest()
    assert call.headers["X-Sign"] == f"v1={expected}"
    assert call.target == "/x?b=1+2&a=%E7%8E%8B", "what was signed is what was sent"
    assert (call.headers["X-Key"], call.headers["X-Time"], call.headers["X-Nonce"]) == ("app", "1750000000", "n0nce")


def test_a_signature_over_sorted_parameters_goes_into_the_query(server: FaultServer) -> None:
    """The way of several Chinese open platforms: name and value joined, base64, timestamp in milliseconds."""
    server.on("/token", ok())
    shop = signed(
        server,
        message="{sorted}",
        timestamp="milliseconds",
        encoding="base64",
        params={"signature": "{signature}", "appKey": "{key}", "timestamp": "{timestamp}"},
    )
    shop.get("token")
    mac = hmac.new(b"the-secret-key", b"appKeyapptimestamp1750000000500", "sha256").digest()
    assert server.calls[0].query == {
        "appKey": "app",
        "timestamp": "1750000000500",
        "signature": base64.b64encode(mac).decode(),
    }


def test_a_plain_hash_with_the_secret_inside(server: FaultServer) -> None:
    shop = signed(
        server,
        message="{secret}{sorted_query}{secret}",
        algorithm="md5",
        keyed=False,
        encoding="HEX",
        params={"sign": "{signature}"},
    )
    shop.get("x", params={"z": "9", "a": "1"})
    expected = hashlib.md5(b"the-secret-keya=1&z=9the-secret-key").hexdigest().upper()
    assert server.calls[0].query["sign"] == expected


def test_base64_of_the_hex_text_and_a_key_with_a_suffix(server: FaultServer) -> None:
    shop = signed(
        server, message="{body}", key_template="{secret}&", encoding="hex-base64", headers={"S": "{signature}"}
    )
    shop.post("x", content=b"hello")
    expected = base64.b64encode(hmac.new(b"the-secret-key&", b"hello", "sha256").hexdigest().encode()).decode()
    assert server.calls[0].headers["S"] == expected


@pytest.mark.parametrize(
    ("form_", "expected"),
    [("iso", "2025-06-15T15:06:40Z"), ("http", "Sun, 15 Jun 2025 15:06:40 GMT"), ("seconds", "1750000000")],
)
def test_timestamps_have_the_form_the_vendor_wants(server: FaultServer, form_: Any, expected: str) -> None:
    signed(server, message="x", timestamp=form_, headers={"T": "{timestamp}"}).get("x")
    assert server.calls[0].headers["T"] == expected


def test_a_body_that_looks_like_a_place_is_not_filled(server: FaultServer) -> None:
    shop = signed(server, message="{body}{unknown}", headers={"S": "{signature}"})
    shop.post("x", content=b"{secret}{nonce}")
    expected = hmac.new(b"the-secret-key", b"{secret}{nonce}{unknown}", "sha256").hexdigest()
    assert server.calls[0].headers["S"] == expected


def test_every_try_is_signed_anew(server: FaultServer) -> None:
    times = iter([1.0, 2.0])
    recipe = SigningRecipe(message="{timestamp}", headers={"T": "{timestamp}"})
    server.on("/x", status(503), ok())
    client(server, HmacSignature(recipe, KEY, clock=lambda: next(times))).get("x")
    assert [c.headers["T"] for c in server.calls] == ["1", "2"]


def test_a_recipe_with_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValidationError):
        SigningRecipe(message="x", algorithm="rot13")  # type: ignore[arg-type]
