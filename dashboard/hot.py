"""The two hottest reads without the framework: ``GET /api/v1/customers/{id}`` and plain pages of ``/api/v1/customers``.

Whatever is unusual about a request (a session, an unknown key, a missing permission, another parameter, an older id, a
database that does not answer) goes the ordinary way. What is answered here is, byte for byte, what would be answered
there: the permission is read from the same route, bodies are made by the same functions, and a test compares the two.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import structlog
from fastapi import FastAPI
from prometheus_client import Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import guard, permissions
from dashboard.api import answers, customers, paging
from dashboard.api.problems import Problem
from dashboard.api.routes import PREFIX
from dashboard.limits import Buckets
from dashboard.permissions import Permission
from sync import telemetry, tracing
from sync.master.glance import Glance, Reading
from sync.master.glance_postgres import PostgresGlance
from sync.master.identity import parse_public_id
from sync.master.lookup import CustomerRow

log = structlog.get_logger(__name__)

LIST = f"{PREFIX}/customers"
ONE = f"{LIST}/{{id}}"
_USUAL = frozenset({b"host", b"authorization", b"accept", b"user-agent", b"accept-encoding", b"connection",
                    b"if-none-match", b"accept-language", b"x-request-id"})  # fmt: skip
"""Headers that such a request may have; with any other one it goes the ordinary way."""


class Asked(NamedTuple):
    """What the headers of a request say, as far as it matters here."""

    host: bytes
    key: str
    tag: str
    request_id: str


class Hot:
    """The outermost layer; ``app`` is everything else."""

    def __init__(self, app: ASGIApp, owner: FastAPI, limits: Buckets | None) -> None:
        self.app, self._limits = app, limits
        database = owner.state.project.database
        self._glance = PostgresGlance(database) if database.is_postgres else Glance(database)
        self._durations: Histogram = owner.state.durations
        self._needed = {path: _needed(owner, path) for path in (LIST, ONE)}
        self._hosts: frozenset[bytes] = frozenset(host.encode() for host in owner.state.hosts)
        strict = guard.headers_of(owner.state.project.settings.web.is_secure)
        self._headers = [header for header in strict if header[0] != b"cache-control"]  # ours may be kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        hot = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(LIST)
        if not (hot and await self._answered(scope, send)):
            await self.app(scope, receive, send)

    async def _answered(self, scope: Scope, send: Send) -> bool:
        began = time.perf_counter()
        work = _work(scope["path"], scope["query_string"])
        asked = None if work is None or tracing.enabled() else _asked(scope["headers"])
        if work is None or asked is None or guard.host_of(asked.host.decode("latin-1")).encode() not in self._hosts:
            return False
        known = permissions.recalled(asked.key)
        if known is None:
            return False
        number, visitor = known
        if not visitor.may(self._needed[work.route]):
            return False
        if self._limits is not None and self._limits.take(number) > 0:
            return False
        personal = visitor.may(Permission.PERSONAL_READ)
        try:
            made = work.build(await self._glance.read(work.what, work.values), personal)
        except Exception as error:  # the ordinary way tells what is wrong
            log.warning("a hot read failed", kind=type(error).__name__)
            return False
        if made is None:
            return False
        await self._send(send, work.route, asked, *made, began)
        return True

    async def _send(self, send: Send, route: str, asked: Asked, body: bytes, tag: str, began: float) -> None:
        same = bool(asked.tag) and answers.matches(asked.tag, tag)
        status = 304 if same else 200
        headers = [(b"etag", tag.encode()), *_CACHING]
        if not same:
            headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json"), *headers]
        headers += [*self._headers, (b"x-request-id", asked.request_id.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if same else body})
        seconds = time.perf_counter() - began
        self._durations.labels("GET", route, str(status)).observe(seconds)
        telemetry.request_line("GET", route, status, round(seconds * 1000, 1), asked.request_id)


Made = tuple[bytes, str]
"""A body and its entity tag."""


class _Work(NamedTuple):
    route: str
    what: Reading
    values: tuple[int, ...]
    build: Callable[[list[Any], bool], Made | None]


def _work(path: str, query: bytes) -> _Work | None:
    """What is to be read; None for what is not plain."""
    if len(path) > len(LIST):
        number = parse_public_id(path[len(LIST) + 1 :]) if path[len(LIST)] == "/" and not query else None
        return None if number is None else _Work(ONE, Reading.ONE, (number,), _one)
    given: dict[bytes, bytes] = {}
    for part in query.split(b"&") if query else ():
        name, equals, value = part.partition(b"=")
        if name not in (b"limit", b"cursor") or not equals or name in given or not _PLAIN.issuperset(value):
            return None
        given[name] = value
    limit = given.get(b"limit", b"50")
    if not (limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= paging.MOST) or given.get(b"cursor") == b"":
        return None
    try:
        place = paging.decode(given[b"cursor"].decode(), PLAIN, [int]) if b"cursor" in given else None
    except Problem:
        return None
    after, most = -1 if place is None else place[0], int(limit)
    return _Work(LIST, Reading.PAGE, (after, most + 1), lambda rows, personal: _page(rows, most, personal))


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def _one(rows: list[Any], personal: bool) -> Made | None:
    if not rows or rows[0][2] != "active":
        return None
    found = CustomerRow(*rows[0])
    body = orjson.dumps(customers.shown(found, None, personal), option=orjson.OPT_UTC_Z)
    return body, customers.tag_of(found, None, personal)


def _page(rows: list[Any], limit: int, personal: bool) -> Made | None:
    told = customers.whole if personal else _masked
    page = paging.page(rows, limit, PLAIN, lambda row: [row[0]], lambda row: told(*row))
    body = orjson.dumps(page, option=orjson.OPT_UTC_Z)
    return body, answers.tag_of(body)


def _masked(*row: Any) -> dict[str, Any]:
    return customers.shown(CustomerRow(*row), None, False)


PLAIN = customers.Filters.model_validate({}).asked
"""The filters of a list that was asked for with none."""


def _asked(headers: list[tuple[bytes, bytes]]) -> Asked | None:
    host, key, tag, request_id = b"", "", "", ""
    for name, value in headers:
        if name not in _USUAL:
            return None
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() != b"bearer" or key:
                return None
            key = token.strip().decode("latin-1")
        elif name == b"host":
            host = value
        elif name == b"if-none-match":
            tag = value.decode("latin-1")
        elif name == b"x-request-id":
            given = value.decode("latin-1")
            request_id = given if guard.is_request_id(given) else ""
    return Asked(host, key, tag, request_id or secrets.token_hex(8)) if key else None


def _needed(app: FastAPI, path: str) -> Permission:
    """The permission that the route itself declares."""
    for route in app.routes:
        if getattr(route, "path", "") == path and "GET" in getattr(route, "methods", ()):
            [needed] = permissions.permissions_of(route)
            return needed
    raise RuntimeError(f"there is no route {path}")


_CACHING = [(name.lower().encode(), value.encode()) for name, value in answers.CACHING.items()]
