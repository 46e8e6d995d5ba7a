"""The web shop's REST service: pages, a bearer token, a filter for what changed, and a rate limit.

GET    /api/v1/me                                     whom the token belongs to
GET    /api/v1/customers?page&per_page&updated_since  ordered by change; 100 a page at most
PATCH  /api/v1/customers/{id}                         change fields; the change stamp is set
DELETE /api/v1/customers/{id}
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "nanyang-demo-token"
LARGEST_PAGE = 100
CALLS_A_SECOND = 30
LARGEST_BODY = 100_000


class ShopServer(ThreadingHTTPServer):
    """The service on loopback. Changes live in memory only."""

    daemon_threads = True

    def __init__(self, file: Path, port: int = 0, calls_a_second: int = CALLS_A_SECOND) -> None:
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        self.customers = {one["id"]: one for one in found}
        self.lock = threading.Lock()
        self._calls: deque[float] = deque(maxlen=calls_a_second)
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}/api/v1"

    def seconds_to_wait(self) -> float:
        """0 if a call is allowed now, and counted; else how long until one is."""
        with self.lock:
            now = time.monotonic()
            if len(self._calls) == self._calls.maxlen and now - self._calls[0] < 1:
                return 1 - (now - self._calls[0])
            self._calls.append(now)
            return 0.0

    def page(self, number: int, size: int, since: str) -> dict[str, Any]:
        """One page of the customers that changed at or after ``since``, in the order of their change."""
        with self.lock:
            found = [one for one in self.customers.values() if one["updated_at"] >= since]
        found.sort(key=lambda one: (one["updated_at"], int(one["id"])))
        start = (number - 1) * size
        return {"customers": found[start : start + size], "total": len(found), "page": number}


class _Handler(BaseHTTPRequestHandler):
    server: ShopServer
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # head and body in one packet

    def do_GET(self) -> None:
        """Lists, and whom the token belongs to."""
        if not self._admitted():
            return
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/v1/me":
            self._answer(200, {"shop": "南洋优选 Nanyang Select", "scopes": ["customers"]})
        elif parts.path == "/api/v1/customers":
            self._list(query)
        else:
            self._answer(404, {"error": "not_found"})

    def do_PATCH(self) -> None:
        """Change a customer."""
        customer = self._addressed()
        if customer is None:
            return
        length = min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY)
        try:
            changes = json.loads(self.rfile.read(length))
        except ValueError:
            changes = None
        if not isinstance(changes, dict) or "id" in changes:
            self._answer(400, {"error": "bad_request"})
            return
        with self.server.lock:
            customer.update(changes, updated_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        self._answer(200, customer)

    def do_DELETE(self) -> None:
        """Remove a customer."""
        customer = self._addressed()
        if customer is not None:
            with self.server.lock:
                self.server.customers.pop(customer["id"], None)
            self._answer(200, {"deleted": customer["id"]})

    def log_message(self, *_: object) -> None:
        """Requests are not logged."""

    def _admitted(self) -> bool:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {TOKEN}".encode()):
            self._answer(401, {"error": "invalid_token"})
            return False
        wait = self.server.seconds_to_wait()
        if wait:
            self._answer(429, {"error": "too_many_requests"}, {"Retry-After": str(max(1, round(wait)))})
        return not wait

    def _addressed(self) -> dict[str, Any] | None:
        if not self._admitted():
            return None
        customer = self.server.customers.get(urlsplit(self.path).path.removeprefix("/api/v1/customers/"))
        if customer is None:
            self._answer(404, {"error": "not_found"})
        return customer

    def _list(self, query: dict[str, str]) -> None:
        try:
            number, size = int(query.get("page", "1")), int(query.get("per_page", "50"))
        except ValueError:
            number = size = 0
        if number < 1 or not 1 <= size <= LARGEST_PAGE:
            self._answer(400, {"error": f"page starts at 1, per_page is 1 to {LARGEST_PAGE}"})
        else:
            self._answer(200, self.server.page(number, size, query.get("updated_since", "")))

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
