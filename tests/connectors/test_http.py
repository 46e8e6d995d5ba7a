from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.auth import ApiKey, Bearer
from connectors.contract import Context
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    CursorExpired,
    NeedsHuman,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.http import Client, Retries
from connectors.redaction import Redactor, mask_personal, mask_text, mask_url
from connectors.response import Response, headers_of
from connectors.retry_after import wait_seconds
from tests.faults import FaultServer, Resolver, gzipped, hang_up, html, ok, raw, redirect, reset, status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "s3cr3t-t0ken/with+odd=chars"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def client(server: FaultServer, path: str = "/api", **options: Any) -> Client:
    settings = {"timeout": (1, 1), "retries": Retries(tries=3, first=0.001), "allow_private": ["127.0.0.1"]}
    return Client(Context("shop"), server.url + path, **(settings | options))


def response(body: bytes, content_type: str = "application/json", code: int = 200) -> Response:
    return Response("shop", "GET", "https://x.example/items", code, headers_of({"Content-Type": content_type}), body)


# --- what is sent


def test_parameters_lists_booleans_times_and_nothing_are_sent_as_expected(server: FaultServer) -> None:
    server.on("/api/items", ok())
    since = datetime(2026, 1, 2, tzinfo=UTC)
    client(server).get("/items", params={"a": [1, 2], "none": None, "deep": True, "since": since, "name": "王 & Co"})
    assert server.calls[0].query == {"a": "2", "deep": "true", "since": "2026-01-02T00:00:00+00:00", "name": "王 & Co"}


def test_a_body_goes_as_json_form_or_bytes(server: FaultServer) -> None:
    server.on("/api/items", ok())
    with client(server) as shop:
        shop.post("items", json={"limit": Decimal("12.50"), "name": "王"})
        shop.put("items", form={"a": "1 2", "b": ["x", "y"]})
        shop.patch("items", content=b"raw", headers={"Content-Type": "text/plain"})
        shop.delete("items")
    assert [(c.method, c.body, c.headers.get("Content-Type")) for c in server.calls] == [
        ("POST", '{"limit":12.50,"name":"王"}'.encode(), "application/json"),
        ("PUT", b"a=1+2&b=x&b=y", "application/x-www-form-urlencoded"),
        ("PATCH", b"raw", "text/plain"),
        ("DELETE", b"", None),
    ]


def test_connections_are_kept(server: FaultServer) -> None:
    ports = []
    server.on("/api/x", lambda x: (ports.append(x.client_address[1]), x.reply(b"{}"))[0])
    with client(server) as shop:
        for _ in range(3):
            shop.get("x")
    assert len(set(ports)) == 1


def test_a_compressed_answer_is_unpacked(server: FaultServer) -> None:
    server.on("/api/x", gzipped({"n": list(range(1000))}))
    assert client(server).get("x").json()["n"][-1] == 999


def test_a_head_answer_has_no_body_and_no_quarrel(server: FaultServer) -> None:
    server.on("/api/x", lambda x: x.start(200, {"Content-Type": "application/json"}, 500))
    assert client(server).request("HEAD", "x").body == b""


@pytest.mark.parametrize("url", ["https://x.example/?a=1", "nonsense", "https://u:p@x.example"])
def test_a_useless_base_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadConfiguration):
        Client(Context("shop"), url)


@pytest.mark.parametrize("key", ["two\nlines", "trailing\r\n", "王", "\u202ehidden"])
def test_a_key_that_fits_no_header_is_told_without_showing_it(server: FaultServer, key: str) -> None:
    server.on("/api/x", ok())
    with pytest.raises(BadConfiguration, match="no request can be made") as caught:
        client(server, auth=ApiKey(SecretStr(key))).get("x")
    assert key not in str(caught.value) + repr(caught.value.params)
    assert "credentials" in caught.value.remedy


@given(st.text(max_size=30))
def test_no_path_or_parameter_crashes_a_call(path: str) -> None:
    shop = Client(Context("shop"), "https://api.example.com/v1", resolver=Resolver(), retries=Retries(tries=1))
    with pytest.raises(ConnectorError):
        shop.get(path, params={path: path, "x": path})


# --- status codes


@pytest.mark.parametrize(
    ("code", "read", "write"),
    [
        (400, StreamBroken, RecordRejected),
        (401, BadCredentials, BadCredentials),
        (402, NeedsHuman, NeedsHuman),
        (403, PermissionMissing, PermissionMissing),
        (404, BadConfiguration, RecordRejected),
        (405, BadConfiguration, BadConfiguration),
        (408, RetryLater, RetryLater),
        (409, RetryLater, WriteConflict),
        (410, CursorExpired, RecordRejected),
        (412, StreamBroken, WriteConflict),
        (418, StreamBroken, RecordRejected),
        (422, StreamBroken, RecordRejected),
        (423, RetryLater, RetryLater),
        (425, RetryLater, RetryLater),
        (500, RetryLater, RetryLater),
        (501, BadConfiguration, BadConfiguration),
        (503, RetryLater, RetryLater),
        (599, RetryLater, RetryLater),
        (304, BadConfiguration, BadConfiguration),
    ],
)
def test_a_status_names_what_happens_next(server: FaultServer, code: int, read: type, write: type) -> None:
    server.on("/api/items/7", status(code, {"error": "because of reasons"} if code != 304 else None))
    shop = client(server, retries=Retries(tries=1))
    for method, kind in (("GET", read), ("PATCH", write)):
        with pytest.raises(ConnectorError) as caught:
            shop.request(method, "items/7", params={"token": SECRET})
        assert type(caught.value) is kind
        text = str(caught.value)
        assert "shop" in text
        assert f"{method} /api/items/7" in text
        assert SECRET not in text
        if code not in (304, 401, 402, 403):
            assert "because of reasons" in text


def test_a_status_the_caller_handles_is_returned(server: FaultServer) -> None:
    server.on("/api/gone", status(404, {"why": "deleted"}))
    found = client(server).get("gone", allow={404})
    assert (found.status, found.json()) == (404, {"why": "deleted"})


def test_an_excerpt_is_short_and_shows_no_person_and_no_secret(server: FaultServer) -> None:
    leak = {
        "error": "no",
        "email": "wang.li@example.com",
        "phone": "+86 138 0013 8000",
        "access_token": "abc123def",
        "x": SECRET,
    }
    server.on("/api/x", status(422, leak | {"long": "y" * 5000}))
    with pytest.raises(StreamBroken) as caught:
        client(server, auth=Bearer(SecretStr(SECRET))).get("x")
    text = str(caught.value)
    assert len(text) < 400
    assert not any(value in text for value in ("wang.li", "138 0013", "abc123def", SECRET))


# --- trying again


@pytest.mark.parametrize("fault", [reset(), hang_up(), status(500), status(502), status(503), status(408), html()])
def test_a_passing_fault_is_tried_again(server: FaultServer, fault: Any) -> None:
    server.on("/api/x", fault, fault, ok({"at": "last"}))
    assert client(server).get("x").json() == {"at": "last"}
    assert len(server.calls) == 3


def test_tries_are_limited_and_waits_grow_with_jitter(server: FaultServer) -> None:
    server.on("/api/x", status(503))
    waits: list[float] = []
    shop = client(server, retries=Retries(tries=5, first=1.0, longest=3.0), sleep=waits.append)
    with pytest.raises(RetryLater, match="503"):
        shop.get("x")
    assert len(server.calls) == 5
    assert all(longest / 10 <= wait <= longest for wait, longest in zip(waits, (1, 2, 3, 3), strict=True))


def test_a_broken_system_does_not_get_more_and_more_retries(server: FaultServer) -> None:
    server.on("/api/x", status(503))
    shop = client(server, retries=Retries(tries=4, spare=5), sleep=lambda _: None)
    for _ in range(10):
        with pytest.raises(RetryLater):
            shop.get("x")
    assert len(server.calls) == 10 + 5
    server.on("/api/x", ok())
    for _ in range(20):
        shop.get("x")
    server.calls.clear()
    server.on("/api/x", status(503), ok())
    shop.get("x")
    assert len(server.calls) == 2, "success gives retries back"


@pytest.mark.parametrize(("fault", "sent"), [(reset(), 1), (status(500), 1), (status(503), 1), (status(425), 2)])
def test_a_create_is_not_sent_twice_unless_it_had_no_effect(server: FaultServer, fault: Any, sent: int) -> None:
    server.on("/api/x", fault, ok())
    shop = client(server)
    if sent == 1:
        with pytest.raises(RetryLater):
            shop.post("x", json={})
    else:
        shop.post("x", json={})
    assert len(server.calls) == sent


@pytest.mark.parametrize("options", [{"idempotent": True}, {"read": True}])
def test_a_create_with_an_idempotency_key_and_a_search_are_sent_again(server: FaultServer, options: dict) -> None:
    server.on("/api/x", reset(), ok())
    client(server).post("x", json={}, **options)
    assert len(server.calls) == 2


def test_an_error_with_status_200_is_found_by_the_inspector_and_treated_like_any_other(server: FaultServer) -> None:
    def inspect(answer: Response) -> None:
        code = answer.json().get("errcode")
        if code == -1:
            raise RetryLater("busy")
        if code == 40001:
            raise BadCredentials("no")

    server.on("/api/x", ok({"errcode": -1}), ok({"errcode": 0}))
    shop = client(server, inspect=inspect)
    assert shop.get("x").json() == {"errcode": 0}
    server.on("/api/x", ok({"errcode": 40001}))
    with pytest.raises(BadCredentials):
        shop.get("x")


# --- redirects and links


def test_a_redirect_is_followed_on_the_same_system_with_credentials(server: FaultServer) -> None:
    server.on("/api/old", redirect("/api/new?page=2", 301))
    server.on("/api/new", ok({"moved": True}))
    assert client(server, auth=Bearer(SecretStr(SECRET))).get("old", params={"a": 1}).json() == {"moved": True}
    assert server.calls[1].headers["Authorization"] == f"Bearer {SECRET}"
    assert server.calls[1].query == {"page": "2"}


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_credentials_never_follow_a_redirect_to_another_system(server: FaultServer, code: int) -> None:
    with FaultServer() as other:
        server.on("/api/x", redirect(f"{other.url}/y", code))
        other.on("/y", ok({"public": "export"}))
        shop = client(server, auth=ApiKey(SecretStr(SECRET), "X-Key"), headers={"X-Tenant": "t1"})
        assert shop.get("x", headers={"Cookie": "a=b"}).json() == {"public": "export"}
        sent = other.calls[0].headers
    assert SECRET not in str(sent)
    assert not {"X-Key", "X-Tenant", "Cookie", "Authorization"} & set(sent)


def test_a_write_is_not_redirected_to_another_system(server: FaultServer) -> None:
    with FaultServer() as other:
        server.on("/api/x", redirect(f"{other.url}/y", 307))
        with pytest.raises(BadConfiguration, match="another system"):
            client(server).put("x", json={"name": "Wang"})
        assert other.calls == []


def test_redirects_in_a_circle_end(server: FaultServer) -> None:
    server.on("/api/x", redirect("/api/x"))
    with pytest.raises(BadConfiguration, match="again and again"):
        client(server).get("x")
    assert len(server.calls) == 6


def test_a_link_to_another_system_is_not_followed(server: FaultServer) -> None:
    with FaultServer() as other, pytest.raises(StreamBroken, match="another system"):
        client(server, auth=Bearer(SecretStr(SECRET))).get(f"{other.url}/next?page=2")
    assert other.calls == []


def test_a_further_origin_is_called_with_credentials_when_it_is_declared(server: FaultServer) -> None:
    with FaultServer() as other:
        other.on("/export", ok())
        client(server, auth=Bearer(SecretStr(SECRET)), origins=[other.url]).get(f"{other.url}/export")
        assert other.calls[0].headers["Authorization"] == f"Bearer {SECRET}"


def test_an_http_link_of_an_https_system_stays_on_https() -> None:
    from connectors.origins import Origins

    origins = Origins("x", "https://api.example.com/v1")
    assert origins.url("http://api.example.com/v1/a?p=2", authenticated=True) == "https://api.example.com/v1/a?p=2"
    with pytest.raises(StreamBroken):
        origins.url("http://api.example.com:8080/v1/a", authenticated=True)


# --- answers


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"a":1,"a":2}', "application/json", {"a": 2}),
        (b"\xef\xbb\xbf{}", "application/json", {}),
        ('{"n":"王"}'.encode("gbk"), "application/json; charset=GBK", {"n": "王"}),
        ('{"n":"王"}'.encode("gb18030"), 'application/json; charset="gb2312"', {"n": "王"}),
        ('{"n":"€"}'.encode("cp1252"), "application/json;charset=ISO-8859-1", {"n": "€"}),
        ('{"n":"王"}'.encode("utf-16"), "application/json", {"n": "王"}),
        ('{"n":"王"}'.encode(), "application/json; charset=nonsense", {"n": "王"}),
        (b'{"a":"\\u00e9"}', "application/json; charset=unicode_escape", {"a": "é"}),
        (b"[123456789012345678901234567890]", "text/plain", [123456789012345678901234567890]),
        (b"[" * 500 + b"]" * 500, "application/json", None),
        (b' {"labelled": "wrongly"}', "text/html; charset=utf-8", {"labelled": "wrongly"}),
    ],
)
def test_json_is_read_whatever_its_dress(body: bytes, content_type: str, expected: Any) -> None:
    found = response(body, content_type).json()
    assert expected is None or found == expected


@pytest.mark.parametrize(
    ("body", "content_type", "kind", "text"),
    [
        (b'{"a":NaN}', "application/json", StreamBroken, "not valid JSON"),
        (b'{"a":"\\ud800"}', "application/json", StreamBroken, "not valid JSON"),
        (b'{"a":"x\x00"}', "application/json", StreamBroken, "not valid JSON"),
        (b"[1e999]", "application/json", StreamBroken, "form"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", StreamBroken, "nested too deeply"),
        (b'{"a": [1, 2', "application/json", RetryLater, "cut short"),
        (b"", "application/json", RetryLater, "cut short"),
        (b"<!DOCTYPE html><html>login</html>", "application/json", RetryLater, "web page"),
        (b"Service unavailable", "text/html", RetryLater, "web page"),
        ('{"n":"王"}'.encode("gbk"), "application/json", RetryLater, "character set utf-8"),
        (b'{"n":"\xff\xff"}', "application/json; charset=gbk", RetryLater, "character set gb18030"),
    ],
)
def test_what_is_no_json_gets_a_clear_error(body: bytes, content_type: str, kind: type, text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        response(body, content_type).json()
    assert "GET /items" in str(caught.value)


def test_lenient_json_leaves_the_bad_value_to_the_record() -> None:
    body = b'[{"a":NaN,"b":"\\ud800x","c":"\x01"},{"a":-Infinity}]'
    assert response(body).json(lenient=True) == [{"a": "NaN", "b": "\ufffdx", "c": "\x01"}, {"a": "-Infinity"}]


@given(
    st.binary(max_size=200), st.sampled_from(["application/json", "text/html", "application/json; charset=utf-16", ""])
)
def test_no_bytes_crash_the_reading_of_an_answer(body: bytes, content_type: str) -> None:
    answer = response(body, content_type)
    for read in (answer.json, lambda: answer.json(lenient=True), answer.text, answer.plausible):
        try:
            read()
        except ConnectorError as error:
            assert str(error)  # noqa: PT017 - the point is that nothing else is raised
    assert isinstance(answer.excerpt(), str)


def test_link_headers_are_read() -> None:
    answer = response(b"[]")
    answer.headers = headers_of({"link": '<https://x/2?a=1,2>; rel="next", <https://x/9>; rel="last"'})
    assert (answer.link(), answer.link("last"), answer.link("prev")) == ("https://x/2?a=1,2", "https://x/9", None)


def test_a_body_over_the_cap_is_refused_by_its_length_and_by_its_bytes(server: FaultServer) -> None:
    big = b"[" + b" " * 2_000_000 + b"]"
    server.on("/api/x", raw(big))
    server.on("/api/y", raw(big, length=False))
    for path in "xy":
        with pytest.raises(StreamBroken, match=r"larger than 1\.0 MB"):
            client(server, max_body=1 << 20).get(path)
    assert len(server.calls) == 2, "asking again would not make it smaller"


# --- Retry-After


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e300"}, 86_400),
        ({"Retry-After": "99999999999999999999"}, 86_400),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Sunday, 01-Mar-26 12:00:30 GMT"}, 30),
        ({"Retry-After": "Sun Mar  1 12:00:30 2026"}, 30),
        ({"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "Sun, 01 Mar 2026 09:00:30 GMT", "Date": "Sun, 01 Mar 2026 09:00:00 GMT"}, 30),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT", "Date": "rubbish"}, 30),
        ({"RateLimit-Reset": "12"}, 12),
        ({"X-RateLimit-Reset": str(int((NOW + timedelta(seconds=40)).timestamp()))}, 40),
        ({"Retry-After": "3", "RateLimit-Reset": "12"}, 3),
        ({"Retry-After": "garbage", "RateLimit-Reset": "12"}, 12),
    ],
)
def test_every_form_of_retry_after_is_understood(headers: dict[str, str], expected: float | None) -> None:
    assert wait_seconds(headers_of(headers), NOW) == expected


@given(st.text(max_size=60))
def test_no_retry_after_crashes_or_asks_for_ages(text: str) -> None:
    wait = wait_seconds({"Retry-After": text}, NOW)
    assert wait is None or 0 <= wait <= 86_400


# --- secrets


def test_a_url_is_masked_by_the_names_of_its_parameters() -> None:
    url = "https://u:pw@x.example/a?page=2&access_token=abc&api_key=k&sign=s&name=Wang#frag"
    assert mask_url(url) == "https://x.example/a?page=2&access_token=***&api_key=***&sign=***&name=Wang"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2hunter2",
        '{"refresh_token": "hunter2hunter2", "a": 1}',
        "{'client_secret': 'hunter2hunter2'}",
        "https://x.example/?password=hunter2hunter2&b=1",
        "postgresql://user:hunter2hunter2@host/db",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    assert "hunter2" not in mask_text(text)


@pytest.mark.parametrize("piece", ["token", "?-token", "a@", "a", "1 ", '"token', "a://", "x-amz-", "Bearer ", "a.@"])
def test_masking_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    started = time.process_time()
    mask_personal(mask_text(piece * (50_000 // len(piece))))
    assert time.process_time() - started < 1.0


@given(st.text(st.characters(codec="utf-8"), min_size=4, max_size=40))
def test_a_known_secret_is_masked_in_every_spelling(secret: str) -> None:
    import base64
    from urllib.parse import quote, quote_plus

    redactor = Redactor([SecretStr(secret)])
    for spelling in (secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(secret.encode()).decode()):
        assert redactor.text(f"«{spelling}»") == "«***»"
    assert secret not in repr(redactor)


def test_no_error_log_or_traceback_of_a_failed_call_holds_a_secret(server: FaultServer, caplog: Any) -> None:
    import traceback

    caplog.set_level(logging.DEBUG)
    faults = [
        reset(),
        hang_up(),
        status(401, {"echo": SECRET}),
        status(500, {"echo": SECRET}),
        html(200, SECRET),
        status(429),
        redirect("http://10.0.0.1/"),
        lambda x: (x.wfile.write(b"HTTP/1.1 500 X\r\nbroken header\r\nX: y\r\n\r\n"), x.drop())[0],
    ]
    shop = client(server, auth=ApiKey(SecretStr(SECRET), "key", place="query"), retries=Retries(tries=2, first=0.001))
    for fault in faults:
        server.on("/api/x", fault)
        with pytest.raises(ConnectorError) as caught:
            shop.get("x")
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.params) + repr(shop.auth)
        assert SECRET not in shown
        assert "s3cr3t-t0ken%2Fwith" not in shown
    assert "s3cr3t" not in caplog.text
