"""What every answer and every request is held to: the Host header, and headers that keep browsers strict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

ALLOWED_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_QUERY = 4_000

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

Next = Callable[[Request], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Check every request's Host (DNS rebinding) and set the headers on every answer."""

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        response = _refusal(request) or await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def _refusal(request: Request) -> Response | None:
    if host_of(request.headers.get("host", "")) not in ALLOWED_HOSTS:
        return PlainTextResponse("Unknown host.", status_code=421)
    if request.headers.get("sec-fetch-site") == "cross-site" and request.headers.get("sec-fetch-mode") != "navigate":
        return PlainTextResponse("Not from other sites.", status_code=403)
    if len(request.url.query) > MAX_QUERY:
        return PlainTextResponse("The address is too long.", status_code=414)
    return None


def host_of(header: str) -> str:
    """The host of a Host header, without its port, in small letters."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] if ":" in host else host
