"""Network faults cost only time: whatever a server or the line does, the read ends complete or with a clear error."""

from __future__ import annotations

import contextlib
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.budget import LocalBudget
from connectors.contract import Context
from connectors.errors import ConnectorError, EndlessPages, RetryLater, StreamBroken, WaitUntil
from connectors.http import Client, Response, Retries
from connectors.paging import Batch, cursor_pages, numbered_pages
from connectors.redis_budget import RedisBudget
from tests.faults import (
    Answer,
    Exchange,
    FaultProxy,
    FaultServer,
    broken_chunks,
    drip,
    endless,
    gzip_bomb,
    hang_up,
    html,
    ok,
    raw,
    reset,
    slow,
    status,
    too_many,
    truncated,
)

pytestmark = pytest.mark.slow

PAGE = {"items": [{"id": n, "name": "王" * 20} for n in range(200)]}
RETRIES = Retries(tries=4, first=0.001, longest=0.01, short=3.0)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def client(url: str, context: Context | None = None, **options: Any) -> Client:
    settings = {"timeout": (0.5, 0.25), "deadline": 0.6, "retries": RETRIES, "allow_private": ["127.0.0.1"]}
    return Client(context or Context("shop"), url, **(settings | options))


TRANSIENT: dict[str, Answer] = {
    "a read that takes too long": slow(0.4, ok(PAGE)),
    "a reset": reset(),
    "an end without answer": hang_up(),
    "JSON cut short of its length": truncated(PAGE),
    "JSON cut short with nothing but the end to tell": truncated(PAGE, told=False),
    "JSON cut at its last byte": truncated(PAGE, 0.9999, told=False),
    "a chunk that stops in the middle": broken_chunks(PAGE),
    "a web page with status 200": html(),
    "a web page that claims to be JSON": raw(b"<html><body>Bad gateway</body></html>"),
    "a body drop by drop": drip(b'{"items":[]}' * 9, 0.05),
    "a header drop by drop": drip(b"{}", 0.05, headers=True),
    "bytes that are no gzip": lambda x: x.reply(b"plain", 200, {"Content-Encoding": "gzip"}),
    "a gateway error": status(502),
    "a garbled status line": lambda x: (x.wfile.write(b"\x00\x01garbage\r\n\r\n"), x.drop())[0],
    "an endless header": lambda x: (x.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000), x.drop())[0],
    "thousands of headers": lambda x: (x.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 5000), x.drop())[0],
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_costs_only_time(server: FaultServer, fault: str) -> None:
    server.on("/items", TRANSIENT[fault], ok(PAGE))
    assert client(server.url).get("items").json() == PAGE
    assert len(server.calls) == 2


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_fault_that_stays_ends_with_retry_later_in_bounded_time(server: FaultServer, fault: str) -> None:
    server.on("/items", TRANSIENT[fault])
    started = time.monotonic()
    with pytest.raises(RetryLater) as caught:
        client(server.url, retries=Retries(tries=2, first=0.001), deadline=0.3).get("items")
    assert time.monotonic() - started < 5
    assert "shop" in str(caught.value)
    assert caught.value.remedy


def test_a_cut_that_ends_well_by_chance_is_found_when_it_is_parsed(server: FaultServer) -> None:
    server.on("/items", raw(b'{"items":[{"a":{}}', length=False))
    with pytest.raises(StreamBroken, match="not valid JSON"):
        client(server.url).get("items").json()


@pytest.mark.parametrize("parts", ["body", "header"])
def test_slow_loris_is_ended_by_the_deadline_though_every_read_is_in_time(server: FaultServer, parts: str) -> None:
    server.on("/items", drip(b"[" + b" " * 400, 0.02, headers=parts == "header"))
    started = time.monotonic()
    with pytest.raises(RetryLater, match="longer than the deadline"):
        client(server.url, retries=Retries(tries=1), deadline=0.4).get("items")
    assert 0.35 < time.monotonic() - started < 5


def test_a_body_that_stalls_is_given_only_what_is_left_of_the_deadline(server: FaultServer) -> None:
    def answer(exchange: Exchange) -> None:
        time.sleep(0.3)
        exchange.start(200, {}, 100)
        exchange.wfile.write(b"[1,")
        time.sleep(6)

    server.on("/items", answer)
    started = time.monotonic()
    with pytest.raises(RetryLater):
        client(server.url, retries=Retries(tries=1), timeout=(1, 1), deadline=0.4).get("items")
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("bomb", [gzip_bomb(200_000_000), endless()], ids=["gzip bomb", "endless body"])
def test_a_body_without_end_costs_neither_memory_nor_time(server: FaultServer, bomb: Answer) -> None:
    server.on("/items", bomb)
    tracemalloc.start()
    with pytest.raises(StreamBroken, match="larger than 4"):
        client(server.url, max_body=4 << 20, deadline=5).get("items")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert len(server.calls) == 1


def test_a_connection_left_half_read_does_not_serve_the_next_call(server: FaultServer) -> None:
    server.on("/big", raw(b"[" + b"1," * 500_000 + b"1]"))
    server.on("/items", ok(PAGE))
    shop = client(server.url, max_body=1 << 16)
    for _ in range(3):
        with pytest.raises(StreamBroken):
            shop.get("big")
        assert shop.get("items").json() == PAGE


def test_a_wrong_charset_is_named(server: FaultServer) -> None:
    server.on("/items", raw('{"name":"王力"}'.encode("gbk"), "application/json; charset=utf-8"))
    with pytest.raises(RetryLater, match="character set utf-8") as caught:
        client(server.url).get("items").json()
    assert "charset" in caught.value.remedy


HEADERS = [b"Content-Length: ", b"Content-Encoding: ", b"Transfer-Encoding: ", b"Content-Type: ", b"Set-Cookie: ",
           b"Location: ", b"Retry-After: ", b"Date: ", b"Link: ", b"X: "]  # fmt: skip
VALUES = [b"gzip", b"gzip, deflate, gzip", b"chunked", b"\xb2", b"-1", b"9" * 30, b"5", b"application/json; charset=",
          b"charset=utf-7", b"http://[::1", b"//[", b"http://127.0.0.1:99999/", b"ht\xfftp://x", b"<;>;rel=next",
          b"a=b;;="]  # fmt: skip
values = st.sampled_from(VALUES) | st.binary(max_size=30)
header_lines = st.builds(lambda name, value: name + value + b"\r\n", st.sampled_from(HEADERS), values)
answers = st.builds(
    lambda start, lines, body: start + b"\r\n" + b"".join(lines) + b"\r\n" + body,
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 302 Found", b"HTTP/1.1 429 X", b"HTTP/1.0 204", b"HTTP/9 x"])
    | st.binary(max_size=12),
    st.lists(header_lines, max_size=4),
    st.sampled_from([b"{}", b"", b"5\r\n[1,2]\r\n0\r\n\r\n", b"\x1f\x8b\x08"]) | st.binary(max_size=40),
)


def test_whatever_bytes_a_server_sends_only_our_errors_come_out(server: FaultServer) -> None:
    shop = client(server.url, retries=Retries(tries=1), sleep=lambda _: None)

    @settings(max_examples=300, deadline=None, database=None)
    @given(answers)
    def fuzz(sent: bytes) -> None:
        shop.budget = LocalBudget(patience=0)
        server.on("/items", lambda x: (x.wfile.write(sent), x.drop())[0])
        with contextlib.suppress(ConnectorError):
            answer = shop.get("items")
            answer.link()
            answer.json()

    fuzz()


def test_nobody_listens_then_somebody_does() -> None:
    with FaultServer() as server:
        server.on("/items", ok(PAGE))
        with FaultProxy("127.0.0.1", server.port) as proxy:
            proxy.refuse = True
            attempts: list[float] = []

            def sleep(seconds: float) -> None:
                attempts.append(seconds)
                proxy.refuse = len(attempts) < 2

            shop = client(f"http://127.0.0.1:{proxy.port}", sleep=sleep)
            assert shop.get("items").json() == PAGE
            assert len(attempts) == 2


def test_a_read_over_a_line_that_keeps_breaking_is_complete() -> None:
    """20 pages through a proxy that cuts every connection after about two and a half pages."""
    with FaultServer() as server:
        for number in range(1, 21):
            server.on(f"/page/{number}", ok({"n": number, "items": [f"{number}-{i}" for i in range(300)]}))
        with FaultProxy("127.0.0.1", server.port) as proxy:
            proxy.cut_after = 8_000
            shop = client(f"http://127.0.0.1:{proxy.port}", retries=Retries(tries=6, first=0.001, spare=1000))
            found = [item for n in range(1, 21) for item in shop.get(f"page/{n}").json()["items"]]
            assert proxy.connections > 5
    assert found == [f"{n}-{i}" for n in range(1, 21) for i in range(300)]


def pages_of(shop: Client, param: str) -> Callable[[dict[str, Any]], tuple[list[Any], Response]]:
    def fetch(params: dict[str, Any]) -> tuple[list[Any], Response]:
        answer = shop.get("items", params=params)
        return answer.json()["items"], answer

    return fetch


def test_pages_that_repeat_end_the_read(server: FaultServer) -> None:
    server.on("/items", ok(PAGE))  # ignores the page number
    got: list[Batch[Response]] = []
    with pytest.raises(EndlessPages, match="repeats"):
        got.extend(numbered_pages(pages_of(client(server.url), "page")))
    assert len(server.calls) == 2


def test_a_cursor_that_repeats_ends_the_read(server: FaultServer) -> None:
    count = iter(range(1000))
    server.on("/items", lambda x: ok({"items": [next(count)], "next": "abc"})(x))
    with pytest.raises(EndlessPages, match="same place"):
        list(cursor_pages(pages_of(client(server.url), "cursor"), lambda r: r.json()["next"]))
    assert len(server.calls) == 2


# --- 429: nobody calls inside the window


def in_seconds(seconds: float, skew: float = 0.0) -> dict[str, str]:
    """The headers of a server whose clock is off by ``skew`` seconds."""
    now = datetime.now(UTC) + timedelta(seconds=skew)
    return {
        "Retry-After": format_datetime(now + timedelta(seconds=seconds), usegmt=True),
        "Date": format_datetime(now, usegmt=True),
    }


class Storm:
    """Answers 429 for the length of a window and records every call that comes inside one."""

    def __init__(
        self, server: FaultServer, window: float, headers: Callable[[], dict[str, str]], times: int = 2
    ) -> None:
        self.window, self.headers, self.inside, self.ends = window, headers, 0, 0.0
        self.times = times
        self.lock = threading.Lock()
        self.rejected = 0
        server.on("/items", self.answer)

    def answer(self, exchange: Exchange) -> None:
        with self.lock:
            if time.monotonic() < self.ends:
                self.inside += 1
            if self.rejected < self.times and time.monotonic() >= self.ends:
                self.rejected += 1
                too_many(None, self.headers())(exchange)
                self.ends = time.monotonic() + self.window  # begins when the answer is out
                return
        ok(PAGE)(exchange)


FORMS: dict[str, tuple[float, Callable[[], dict[str, str]]]] = {
    "seconds": (1.0, lambda: {"Retry-After": "1"}),
    "decimals": (0.3, lambda: {"Retry-After": "0.3"}),
    "an HTTP date": (1.0, lambda: in_seconds(1)),
    "an HTTP date of a clock two hours ahead": (1.0, lambda: in_seconds(1, skew=7200)),
    "an HTTP date of a clock two hours behind": (1.0, lambda: in_seconds(1, skew=-7200)),
    "a reset header in seconds": (1.0, lambda: {"RateLimit-Reset": "1"}),
    "zero": (0.0, lambda: {"Retry-After": "0"}),
    "garbage": (0.0, lambda: {"Retry-After": "in a while"}),
    "nothing": (0.0, dict),
}


@pytest.mark.parametrize("form", FORMS)
def test_after_a_429_no_call_comes_inside_the_window(server: FaultServer, form: str) -> None:
    window, headers = FORMS[form]
    storm = Storm(server, window, headers, times=1 if window >= 1 else 2)
    assert client(server.url).get("items").json() == PAGE
    assert (storm.rejected, storm.inside) == (storm.times, 0)


def test_a_long_wait_is_handed_to_the_engine_and_holds_for_everybody_on_the_account(server: FaultServer) -> None:
    budget = LocalBudget(patience=0.05)
    first = client(server.url, Context("one", budget=budget))
    second = client(server.url, Context("two", budget=budget))
    server.on("/items", too_many("120"), ok(PAGE))
    before = datetime.now(UTC)
    with pytest.raises(WaitUntil) as caught:
        first.get("items")
    assert timedelta(seconds=119) < caught.value.until - before < timedelta(seconds=122)
    for shop in (first, second):
        with pytest.raises(WaitUntil) as again:
            shop.get("items")
        assert abs(again.value.until - caught.value.until) < timedelta(seconds=1)
    assert len(server.calls) == 1


def test_a_429_that_never_ends_and_never_says_how_long_ends_with_a_time(server: FaultServer) -> None:
    server.on("/items", too_many(None))
    with pytest.raises(WaitUntil) as caught:
        client(server.url).get("items")
    assert len(server.calls) == RETRIES.tries
    assert caught.value.until > datetime.now(UTC) + timedelta(seconds=50)


def test_a_429_that_always_says_zero_makes_no_storm(server: FaultServer) -> None:
    server.on("/items", too_many("0"))
    with pytest.raises(WaitUntil) as caught:
        client(server.url).get("items")
    assert caught.value.until > datetime.now(UTC) + timedelta(seconds=50)


def test_a_throttled_create_is_sent_again_because_it_had_no_effect(server: FaultServer) -> None:
    server.on("/items", too_many("0.1"), ok({"id": 1}))
    assert client(server.url).post("items", json={"name": "Wang"}).json() == {"id": 1}


@pytest.mark.services
def test_many_processes_worth_of_threads_keep_out_of_the_window(server: FaultServer, valkey_url: str) -> None:
    """Twelve clients, each with a connection and budget of its own on one Valkey, hit by two 429 windows of 0.8 s.

    Calls already on their way when the first 429 is answered cannot be called back; after that, nobody may call.
    """
    window, sent_before = 0.8, 12
    storm = Storm(server, window, lambda: {"Retry-After": "0.8"})
    done: list[int] = []
    errors: list[ConnectorError] = []
    grace = 0.1

    def work(number: int) -> None:
        budget = RedisBudget(redis.Redis.from_url(valkey_url), "acme")
        shop = client(server.url, Context(f"c{number}", budget=budget), timeout=(2, 2), deadline=10)
        try:
            for _ in range(5):
                shop.get("items")
                done.append(number)
                time.sleep(0.01)
        except ConnectorError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert len(done) == 60
    assert storm.rejected == 2
    times = sorted(server.times())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    silences = [gap for gap in gaps if gap > window - 2 * grace]
    assert len(silences) == 2, "two windows, two silences"
    assert storm.inside <= 2 * sent_before
