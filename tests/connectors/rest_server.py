"""A small, real, stateful HTTP API of customers, with every bad habit that tests want to meet.

Not a mock: it holds rows, honours (or ignores) its parameters, issues tokens that expire, limits calls, remembers
idempotency keys and tells deletes. Everything listens on a free loopback port.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Row = dict[str, Any]


@dataclass
class Habits:
    """How this API misbehaves. Everything is off at first."""

    ignores_filter: bool = False
    ignores_sort: bool = False
    stamps_null_until_edit: bool = False
    page_cap: int = 1000
    result_cap: int | None = None
    errors_with_200: bool = False
    fail_next: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    token_life: float = 3600.0
    before_page: Callable[[int], None] | None = None


class RestServer:
    """The API. ``rows`` may be looked at; change them through ``add``, ``update``, ``delete`` and ``tie``."""

    KEY = "test-key-5f2c9"
    CLIENT = ("client", "test-secret-77aa")

    def __init__(self, rows: int = 0) -> None:
        self.habits = Habits()
        self.rows: dict[str, Row] = {}
        self.graves: list[Row] = []
        self.written: dict[str, str] = {}
        self.tokens: dict[str, float] = {}
        self.calls: list[str] = []
        self.pages = 0
        self.generation = "g1:"
        """Change it, and all cursors given out before are refused."""
        self._number = 0
        self._last = datetime(2026, 1, 1, tzinfo=UTC)
        self.lock = threading.RLock()
        for _ in range(rows):
            self.add()
        handler = type("Handler", (_Handler,), {"api": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> RestServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def now(self) -> datetime:
        """The API's clock: real time, but no two readings alike, so that stamps tie only where asked."""
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last.replace(microsecond=self._last.microsecond // 1000 * 1000)

    def add(self, **fields: Any) -> str:
        with self.lock:
            self._number += 1
            key = f"c{self._number:05}"
            created = stamp(self.now())
            null = self.habits.stamps_null_until_edit
            row = {"id": key, "name": f"Customer {self._number} 客户", "email": f"{key}@example.com", "edits": 0}
            self.rows[key] = row | {"created_at": created, "updated_at": None if null else created} | fields
            return key

    def update(self, key: str, **fields: Any) -> None:
        with self.lock:
            row = self.rows[key]
            self.rows[key] = row | {"edits": row["edits"] + 1, "updated_at": stamp(self.now())} | fields

    def tie(self, keys: list[str]) -> None:
        with self.lock:
            same = stamp(self.now())
            for key in keys:
                self.update(key, updated_at=same)

    def delete(self, key: str) -> None:
        with self.lock:
            del self.rows[key]
            self.graves.append({"id": key, "deleted_at": stamp(self.now())})


def stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Answer(Exception):
    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}


class _Handler(BaseHTTPRequestHandler):
    api: RestServer
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.content = self.rfile.read(length)
        url = urlsplit(self.path)
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            with self.api.lock:
                self.api.calls.append(f"{self.command} {self.path}")
                self._misbehave()
                self._route(url.path)
        except _Answer as answer:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = _serve

    def _send(self, answer: _Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response_only(answer.status)
        self.send_header("Date", format_datetime(self.api.now(), usegmt=True))
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _misbehave(self) -> None:
        if self.api.habits.fail_next:
            status, headers = self.api.habits.fail_next.pop(0)
            raise _Answer(status, {"error": "on purpose"}, headers)

    def _route(self, path: str) -> None:
        if path == "/token":
            self._issue()
        self._authorise()
        if path == "/me":
            raise _Answer(200, {"user": {"name": "Integration"}})
        if path == "/customers" and self.command == "POST":
            self._create()
        if path in ("/customers", "/customers/search"):
            self._list()
        if path == "/deleted":
            since = self.query.get("since", "")
            raise _Answer(200, {"items": [g for g in self.api.graves if g["deleted_at"] >= since]})
        if path == "/ids":
            raise _Answer(200, [{"id": key} for key in self.api.rows])
        if path.startswith("/customers/"):
            self._change(path.rpartition("/")[2])
        raise _Answer(404, {"error": "no such path"})

    def _issue(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        if base64.b64decode(given).decode() != ":".join(self.api.CLIENT):
            raise _Answer(401, {"error": "invalid_client"})
        token, life = secrets.token_hex(8), self.api.habits.token_life
        self.api.tokens[token] = time.monotonic() + life
        raise _Answer(200, {"access_token": token, "expires_in": 3600})

    def _authorise(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given == self.api.KEY or self.api.tokens.get(given, 0) > time.monotonic():
            return
        if self.api.habits.errors_with_200:
            raise _Answer(200, {"code": 40014, "message": "invalid token"})
        raise _Answer(401, {"error": "who are you?"})

    def _list(self) -> None:
        api, query = self.api, self.query | (json.loads(self.content) if self.content else {})
        api.pages += 1
        if api.habits.before_page is not None:
            api.habits.before_page(api.pages)
        rows = self._ordered([row for row in api.rows.values() if self._matches(row, query)], query)
        raise _Answer(200, self._page(rows, query))

    def _matches(self, row: Row, query: dict[str, str]) -> bool:
        if self.api.habits.ignores_filter:
            return True
        changed = row["updated_at"] or row["created_at"]
        return (
            query.get("since", "") <= changed <= query.get("until", "9999")
            and row["id"] > query.get("after_id", "")
            and row["email"] == query.get("email", row["email"])
            and row.get("region", "") == query.get("region", row.get("region", ""))
        )

    def _ordered(self, rows: list[Row], query: dict[str, str]) -> list[Row]:
        if self.api.habits.ignores_sort:
            return sorted(rows, key=lambda row: row["id"][::-1])
        if query.get("sort") == "updated_at":
            return sorted(rows, key=lambda row: row["updated_at"] or "")
        return sorted(rows, key=lambda row: row["id"])

    def _page(self, rows: list[Row], query: dict[str, str]) -> Any:
        size = min(int(query.get("limit", 50)), self.api.habits.page_cap)
        start = int(query.get("offset", 0))
        if "page" in query:
            start = (int(query["page"]) - 1) * size
        if "cursor" in query:
            generation, after = base64.b64decode(query["cursor"]).decode().split(":")
            if generation + ":" != self.api.generation:
                raise _Answer(400, {"error": "this cursor has expired"})
            start = next((i for i, row in enumerate(rows) if row["id"] > after), len(rows))
        cap = self.api.habits.result_cap
        if cap is not None and start + size > cap:
            raise _Answer(400, {"error": f"cannot page beyond {cap} results"})
        page = rows[start : start + size]
        more = start + size < len(rows)
        after = base64.b64encode((self.api.generation + page[-1]["id"]).encode()).decode() if more and page else None
        link = f"{self.api.url}/customers?limit={size}&cursor={after}" if after else None
        return {"customers": page, "count": len(rows), "paging": {"next": after, "link": link}, "code": 0}

    def _create(self) -> None:
        api, row = self.api, json.loads(self.content)
        sent = self.headers.get("Idempotency-Key", "")
        if sent in api.written:
            raise _Answer(200, {"customer": api.rows[api.written[sent]]})
        self._refuse_taken(row, "")
        key = api.add(**row)
        if sent:
            api.written[sent] = key
        raise _Answer(201, {"customer": api.rows[key]})

    def _change(self, key: str) -> None:
        api = self.api
        if key not in api.rows:
            raise _Answer(404, {"error": "no such customer"})
        if self.command == "GET":
            raise _Answer(200, {"customer": api.rows[key]})
        expected = self.headers.get("If-Match")
        if expected is not None and expected != str(api.rows[key]["updated_at"]):
            raise _Answer(412, {"error": "changed meanwhile"})
        row = json.loads(self.content)
        self._refuse_taken(row, key)
        api.update(key, **row)
        raise _Answer(200, {"customer": api.rows[key]})

    def _refuse_taken(self, row: Row, key: str) -> None:
        if any(r["email"] == row.get("email") and r["id"] != key for r in self.api.rows.values()):
            raise _Answer(409, {"error": "this e-mail is taken"})
