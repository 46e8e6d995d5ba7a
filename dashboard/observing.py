"""What this process counts of its requests, the line it logs for each, and the metrics it shows.

Routes are named by their template (``/api/v1/customers/{id}``), never by what was asked: neither metrics nor logs hold
ids or search terms.
"""

from __future__ import annotations

import time
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Histogram, Info
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync import telemetry, tracing
from sync.monitoring.metrics import DatabaseCollector
from sync.project import Project
from sync.runs.dispatch import Doorbell

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines every few seconds: not logged unless they fail."""
UNKNOWN = "unknown"


class Requests:
    """Middleware: measures every request from its first byte to its last, and logs it."""

    def __init__(self, app: ASGIApp, durations: Histogram) -> None:
        self.app, self._durations = app, durations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with tracing.span("request", {"http.request.method": scope["method"]}) as span:
            try:
                await self.app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", None) or UNKNOWN
                span.name(f"{scope['method']} {route}")
                span.note({"http.route": route, "http.response.status_code": status})
                self._done(scope, route, status, time.perf_counter() - began)

    def _done(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        self._durations.labels(scope["method"], route, str(status)).observe(seconds)
        if route not in QUIET or status >= 400:
            milliseconds = round(seconds * 1000, 1)
            request_id = scope.get("state", {}).get("request_id", "")
            telemetry.request_line(scope["method"], route, status, milliseconds, request_id)


def install(app: FastAPI, project: Project) -> None:
    """Observe the application. Add it before the guard, so that the guard's request id is on every line."""
    registry = CollectorRegistry()
    app.state.metrics = registry
    app.state.durations = Histogram(
        "kehu_http_request_seconds",
        "Requests by route and status.",
        ("method", "route", "status"),
        registry=registry,
        buckets=BUCKETS,
    )
    app.add_middleware(Requests, durations=app.state.durations)
    registry.register(DatabaseCollector(project.database, lambda: _bell(app).depths()))
    Info("kehu", "The program.", registry=registry).info({"version": _version()})


def _bell(app: FastAPI) -> Doorbell:
    """To ask the broker; made when first asked."""
    if not hasattr(app.state, "metrics_bell"):
        app.state.metrics_bell = Doorbell.at(app.state.project.broker.url)
    made: Doorbell = app.state.metrics_bell
    return made


def _version() -> str:
    try:
        return version("kehu")
    except PackageNotFoundError:
        return "0"
