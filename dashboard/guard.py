"""What every request and answer is held to: the Host header, sizes, a request id, headers that keep browsers strict.

Plain ASGI, so that answers stream through it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection

import structlog
from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.api import problems

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_QUERY = 4_000
MAX_BODY = 1_000_000
"""Bytes of a request's body."""
REQUEST_ID = "x-request-id"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers send forms with the origin "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


Fault = Callable[[Request, Exception], Response]


class Guard:
    """The outermost layer. ``hosts`` are the names under which the service is known, besides this machine's own."""

    def __init__(self, app: ASGIApp, fault: Fault, hosts: Collection[str] = (), secure: bool = False) -> None:
        self.app, self._fault = app, fault
        self._hosts = LOOPBACK_HOSTS | {host.lower() for host in hosts}
        self._headers = headers_of(secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, set the headers of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        started = False

        async def strict(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                sent = message["headers"]
                given_names = {name for name, _ in sent}
                sent += [header for header in self._headers if header[0] not in given_names]
                sent.append((REQUEST_ID.encode(), request_id.encode()))
            await send(message)

        refusal = self._refusal(scope, headers)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            if refusal is not None:
                await problems.refuse(scope, refusal)(scope, receive, strict)
                return
            try:
                await self.app(scope, _counted(receive), strict)
            except Exception as error:
                if started:
                    raise
                await self._fault(Request(scope), error)(scope, receive, strict)

    def _refusal(self, scope: Scope, headers: Headers) -> problems.Problem | None:
        if host_of(headers.get("host", "")) not in self._hosts:
            return problems.unknown_host()
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return problems.cross_site()
        if len(scope["query_string"]) > MAX_QUERY:
            return problems.address_too_long()
        if b"%00" in scope["query_string"] or ("\x00" in scope["path"] and scope["path"].startswith(problems.PREFIX)):
            return problems.not_text()
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18 or int(length) > MAX_BODY:
            return problems.too_large(MAX_BODY)
        return None


def install(app: FastAPI, fault: Fault, hosts: Collection[str] = (), *, secure: bool = False) -> None:
    """Guard the application. ``fault`` answers what nobody foresaw; ``hosts`` are further names it is known under.

    ``secure``: browsers reach it by HTTPS, and are told to never come otherwise.
    """
    app.add_middleware(Guard, fault=fault, hosts=hosts, secure=secure)


def headers_of(secure: bool) -> list[tuple[bytes, bytes]]:
    """The headers of every answer that has none of the same name."""
    return [*_RAW, (b"strict-transport-security", b"max-age=31536000")] if secure else _RAW


def _counted(receive: Receive) -> Receive:
    """Refuses to hand on more than ``MAX_BODY`` bytes, whatever the length was said to be."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY:
            raise HTTPException(413)  # the one kind that the framework lets through while it reads a body
        return message

    return counted


def is_request_id(given: str) -> bool:
    """Whether a caller's own request id can be used."""
    return _GIVEN_ID.fullmatch(given) is not None


def host_of(header: str) -> str:
    """The host of a Host header, without its port, in small letters."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if ":" in host else host
