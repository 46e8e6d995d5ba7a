"""A base for simulators of vendors that cannot run here: a real, threaded HTTP server with rows and a clock.

A vendor's simulator says how its requests are authorised and answered; the base serves, keeps rows and stamps, fails on
request and counts calls. ``VendorSuite`` adds to the conformance suite what every vendor's wire does to us.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import orjson
import pytest

import connectors
from connectors.budget import LocalBudget
from connectors.conformance import ConformanceSuite, Copy, Source, Unsupported
from connectors.conformance.suite import secrets
from connectors.contract import Connector, Context, Inbound, Mode, Read
from connectors.errors import BadCredentials, ConnectorError, PermissionMissing, RetryLater, WaitUntil
from connectors.quality import Grade
from connectors.registry import ConnectorInfo, load_registry
from mappings.compile import compile_mapping
from mappings.spec import load_spec

Row = dict[str, Any]
Headers = dict[str, str]
MONTH_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)


@dataclass
class Request:
    """One request as it came: ``path`` is decoded, ``query`` holds the last value of each name, ``lists`` all."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes
    lists: dict[str, list[str]] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}

    def basic(self) -> str:
        """User and password of HTTP Basic, joined by a colon."""
        given = self.headers.get("Authorization", "")
        return base64.b64decode(given[6:]).decode() if given.startswith("Basic ") else ""


class Answer(Exception):
    """What is answered: raised from anywhere below ``Simulator.answer``."""

    def __init__(self, status: int = 200, body: Any = None, headers: Headers | None = None) -> None:
        self.status, self.headers = status, headers or {}
        self.content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()


@dataclass
class Habits:
    """How this system misbehaves. Everything is off at first."""

    fail_next: list[Answer] = field(default_factory=list)
    cut_next: int = 0
    no_permission: bool = False
    before: Callable[[Request], None] | None = None


class Simulator:
    """One vendor. Rows are kept as the vendor would show them; ``stamp_field`` is set to the clock at each change.

    The first rows are a month old and an hour apart, so that an incremental read has something to leave out; many rows
    are nearer to each other, so that none is of tomorrow.
    """

    stamp_field: ClassVar[str] = "updated"
    no_permission: ClassVar[Answer]

    def __init__(self, rows: int = 8) -> None:
        self.habits = Habits()
        self.rows: dict[str, Row] = {}
        self.calls: list[Request] = []
        self.lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._last = datetime(2026, 1, 1, tzinfo=UTC)
        apart = min(timedelta(hours=1), timedelta(days=29) / max(1, rows))
        for number in range(rows):
            self.add(at=MONTH_AGO + number * apart)
        handler = type("Handler", (_Handler,), {"simulator": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # --- what a vendor says

    def stamp(self, at: datetime) -> Any:
        """An instant in the vendor's notation."""
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def new(self, number: int, stamp: Any) -> tuple[str, Row]:
        """The key of a new row, and the row."""
        raise NotImplementedError

    def answer(self, request: Request) -> None:
        """Raise the ``Answer``."""
        raise NotImplementedError

    def change(self, row: Row) -> None:
        """Change something in a row, as a user would."""
        raise NotImplementedError

    def holder(self, row: Row) -> Row:
        """The part of the row that holds the stamp."""
        return row

    # --- what the system's users do

    def now(self) -> datetime:
        """Real time, but no two readings alike, so that stamps tie only where asked or where they are coarse."""
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last

    def add(self, at: datetime | None = None, **fields: Any) -> str:
        with self.lock:
            key, row = self.new(next(self._numbers), self.stamp(at or self.now()))
            self.rows[key] = row | fields
            return key

    def touch(self, row: Row, at: datetime | None = None) -> None:
        self.holder(row)[self.stamp_field] = self.stamp(at or self.now())

    def update(self, key: str, at: datetime | None = None) -> None:
        with self.lock:
            self.change(self.rows[key])
            self.touch(self.rows[key], at)

    def tie(self, keys: Sequence[str]) -> None:
        with self.lock:
            same = self.now()
            for key in keys:
                self.update(key, same)

    def delete(self, key: str) -> None:
        with self.lock:
            del self.rows[key]

    def serve(self, request: Request) -> None:
        """Misbehave, or answer."""
        with self.lock:
            self.calls.append(request)
            if self.habits.before is not None:
                self.habits.before(request)
            if self.habits.fail_next:
                raise self.habits.fail_next.pop(0)
            self.answer(request)
        raise Answer(404, {"message": "no such path"})


class _Handler(BaseHTTPRequestHandler):
    simulator: Simulator
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        lists = parse_qs(url.query)
        try:
            self.simulator.serve(Request(self.command, unquote(url.path), query, self.headers, body, lists))
        except Answer as answer:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        content = answer.content
        self.send_response_only(answer.status)
        self.send_header("Date", format_datetime(self.simulator.now(), usegmt=True))
        if content:
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        for name, value in answer.headers.items():
            if name != "Content-Type":
                self.send_header(name, value)
        cut = self.simulator.habits.cut_next > 0 and answer.status == 200
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content) - 10 if cut else len(content)))
        self.end_headers()
        if cut:
            self.simulator.habits.cut_next -= 1
            content = content[:-10]  # what a proxy does that loses its backend: complete by HTTP, and no JSON
        self.wfile.write(content)


def keyed_hash(secret: str, message: bytes) -> bytes:
    """HMAC-SHA256, as vendors sign webhooks."""
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


def posted(body: bytes, headers: Headers, query: dict[str, str] | None = None) -> Inbound:
    """A webhook as it reaches the connector."""
    return Inbound("POST", "/api/hooks/vendor", headers, query or {}, body)


@cache
def registered(vendor: str) -> ConnectorInfo:
    """The connector as the registry found it, once for all tests."""
    return load_registry().get(vendor)


class VendorSource(Source):
    """Drives a simulator. Vendors say their settings, their bodies and what is wrong with wrong credentials."""

    stream = "customers"
    server: Simulator

    def __init__(self, server: Any) -> None:
        self.server = server
        self.connector = registered(self.vendor).load()
        self.folder = Path(connectors.__file__).parent / self.vendor

    vendor: ClassVar[str]

    def keys(self) -> set[str]:
        return set(self.server.rows)

    def add(self) -> str:
        return self.server.add()

    def update(self, key: str) -> None:
        self.server.update(key)

    def delete(self, key: str) -> None:
        self.server.delete(key)

    def tie(self, keys: Sequence[str]) -> None:
        self.server.tie(keys)

    def unreachable(self) -> dict[str, Any]:
        raise Unsupported("tested once for all REST manifests: it takes seconds of patience")

    def context(self) -> Context:
        return Context(connection="vendor", allow_private=["127.0.0.0/8"], budget=LocalBudget())


def bodies(source: Source) -> dict[str, Row]:
    """All records of the source's stream."""
    connector = source.connect()
    try:
        return Copy(connector, source).full().bodies
    finally:
        connector.close()


class VendorSuite(ConformanceSuite):
    """The conformance suite, and what every vendor's wire does to us. ``throttled`` is a vendor's own 429."""

    throttled: ClassVar[Answer]
    asks_to_wait: ClassVar[Headers] = {"Retry-After": "3600"}

    @pytest.fixture
    def vendor(self, source: VendorSource) -> Iterator[Connector[Any]]:
        made = source.connect()
        yield made
        made.close()

    def test_it_is_at_least_silver(self, source: VendorSource) -> None:
        assert registered(source.vendor).grade in (Grade.SILVER, Grade.GOLD)

    def test_a_storm_of_429_loses_nothing(self, source: VendorSource, copy: Copy) -> None:
        def storm(request: Request) -> None:
            if len(source.server.calls) % 3 == 2:
                source.server.habits.fail_next = [self.throttled]

        source.server.habits.before = storm
        assert set(copy.full().bodies) == source.keys()

    def test_a_long_wait_is_handed_to_the_engine(self, source: VendorSource, copy: Copy) -> None:
        if not self.asks_to_wait:
            pytest.skip("this vendor never says how long to wait")
        source.server.habits.fail_next = [Answer(429, self.throttled.content, self.asks_to_wait)]
        before = copy.connector.context.now()
        with pytest.raises(WaitUntil) as caught:
            copy.full()
        assert timedelta(minutes=50) < caught.value.until - before < timedelta(minutes=70)

    def test_a_truncated_answer_is_asked_for_again(self, source: VendorSource, copy: Copy) -> None:
        source.server.habits.cut_next = 1
        assert set(copy.full().bodies) == source.keys()

    def test_a_web_page_instead_of_data_is_a_passing_fault(self, source: VendorSource, vendor: Connector[Any]) -> None:
        page = Answer(200, b"<html><body>Maintenance</body></html>", {"Content-Type": "text/html"})
        source.server.habits.fail_next = [page] * 4
        with pytest.raises(RetryLater):
            list(vendor.read(Read(source.stream)))

    def test_credentials_revoked_amid_the_read_stop_it_and_it_resumes(
        self, source: VendorSource, vendor: Connector[Any]
    ) -> None:
        pages = vendor.read(Read(source.stream, page_size=source.page_size))
        first = next(pages)
        kept = self.revoke(source)
        with pytest.raises(BadCredentials):
            list(pages)
        self.restore(source, kept)
        rest = vendor.read(Read(source.stream, Mode.FULL, first.cursor, resumed=True, page_size=source.page_size))
        assert {r.key for page in (first, *rest) for r in page.records} == source.keys()

    def revoke(self, source: VendorSource) -> Any:
        kept = source.server.KEY  # type: ignore[attr-defined]
        source.server.KEY = "another-key"  # type: ignore[attr-defined]
        return kept

    def restore(self, source: VendorSource, kept: Any) -> None:
        source.server.KEY = kept  # type: ignore[attr-defined]

    def test_a_missing_permission_is_not_taken_for_wrong_credentials(
        self, source: VendorSource, vendor: Connector[Any]
    ) -> None:
        source.server.habits.no_permission = True
        with pytest.raises(PermissionMissing):
            list(vendor.read(Read(source.stream)))

    def test_a_system_that_repeats_our_credentials_does_not_make_us_repeat_them(
        self, source: VendorSource, vendor: Connector[Any]
    ) -> None:
        known = secrets(vendor)
        assert known
        source.server.habits.fail_next = [Answer(422, {"message": f"these are wrong: {' and '.join(known)}"})]
        with pytest.raises(ConnectorError) as caught:
            list(vendor.read(Read(source.stream)))
        assert not [secret for secret in known if secret in f"{caught.value} {caught.value.params}"]

    def test_an_incremental_read_leaves_out_what_is_old(self, source: VendorSource, copy: Copy, stream: Any) -> None:
        if "incremental" not in stream.capabilities:
            pytest.skip("this stream has no filter by change stamp")
        copy.full()
        copy.incremental()
        assert len(copy.changed) < len(source.keys())

    def test_the_default_mapping_maps_every_record(self, source: VendorSource, stream: Any) -> None:
        mapper = compile_mapping(load_spec(source.folder / stream.mapping))
        for body in bodies(source).values():
            assert mapper(orjson.loads(orjson.dumps(body)))

    def test_a_new_field_of_any_shape_does_no_harm(self, source: VendorSource, copy: Copy) -> None:
        first = sorted(source.keys())[0]
        source.server.holder(source.server.rows[first])["brand_new"] = {"nested": [None, "新"]}
        assert set(copy.full().bodies) == source.keys()
