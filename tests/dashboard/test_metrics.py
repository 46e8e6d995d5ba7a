"""``/metrics``, the log line of each request, and traces: who may see what, and that nothing personal is in them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dashboard.app import create_app
from sync import migrations, telemetry, tracing
from sync.access import Access
from sync.errors import Misused
from sync.identity import keys, users
from sync.identity.permissions import Role
from sync.project import Project

NEAR, FAR = ("127.0.0.1", 50_000), ("203.0.113.9", 50_000)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "kehu.yaml").write_text("language: en\nconnections: {}\n")
    project = Project.load(folder)
    migrations.migrate(project.database)
    with project.database.transaction() as connection:
        for role in (Role.OPERATOR, Role.VIEWER):
            users.add(connection, f"{role}-user", role, by="test")
    yield create_app(project, Access(project.state_folder))
    project.close()


def client(app: Any, who: tuple[str, int] = NEAR, **headers: str) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8600", client=who, headers=headers)


def key(app: Any, role: Role, scope: str) -> str:
    with app.state.project.database.transaction() as connection:
        return f"Bearer {keys.create(connection, 'prometheus', f'{role}-user', [scope], by='test').secret}"


def test_prometheus_on_this_machine_needs_no_key(app: Any) -> None:
    got = client(app).get("/metrics")
    assert got.status_code == 200
    assert got.headers["content-type"].startswith("text/plain")
    assert "kehu_changes_total" in got.text
    assert "kehu_info{" in got.text


def test_from_elsewhere_or_through_a_proxy_it_needs_the_scope(app: Any) -> None:
    assert client(app, FAR).get("/metrics").status_code == 401
    for name in ("x-forwarded-for", "forwarded", "via"):
        assert client(app, **{name: "203.0.113.9"}).get("/metrics").status_code == 401
    assert client(app, FAR, authorization=key(app, Role.OPERATOR, "metrics:read")).get("/metrics").status_code == 200
    assert client(app, FAR, authorization=key(app, Role.VIEWER, "customers:read")).get("/metrics").status_code == 403


def test_requests_are_counted_by_route_and_not_by_address(app: Any) -> None:
    caller = client(app, authorization=key(app, Role.VIEWER, "customers:read"))
    caller.get("/api/v1/customers/C6H4NS4FB2FJSK")
    caller.get("/api/v1/customers", params={"q": "secret-name"})
    caller.get("/nothing/secret-path")
    text = client(app).get("/metrics").text
    assert 'route="/api/v1/customers/{id}",status="404"' in text
    assert "secret" not in text
    assert "C6H4NS4FB2FJSK" not in text


def test_every_request_is_one_line_with_its_id(app: Any) -> None:
    out = io.StringIO()
    telemetry.configure(json=True, stream=out)
    client(app, **{"x-request-id": "abc-1"}).get("/api/v1/customers", params={"q": "secret-name"})
    client(app).get("/healthz")
    lines = [orjson.loads(line) for line in out.getvalue().splitlines()]
    lines = [line for line in lines if line.get("logger") != "httpx"]  # of the caller, in this very process
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["request_id"] == "abc-1"
    assert (line["route"], line["status"], line["method"]) == ("/api/v1/customers", 401, "GET")
    assert "secret" not in repr(lines)


def test_traces_hold_names_and_no_data(app: Any) -> None:
    exporter = InMemorySpanExporter()
    assert tracing.configure("test", exporter)
    try:
        client(app).get("/api/v1/customers/C6H4NS4FB2FJSK", params={"fields": "secret"})
        with pytest.raises(ZeroDivisionError), tracing.span("run", {"kehu.run": 7}):
            raise ZeroDivisionError("secret")
    finally:
        tracing.switch_off()
    request, run = exporter.get_finished_spans()
    assert request.name == "GET /api/v1/customers/{id}"
    assert request.attributes["http.response.status_code"] == 401
    assert dict(run.attributes) == {"kehu.run": 7, "error.type": "ZeroDivisionError"}
    told = repr([(one.name, dict(one.attributes), one.events, one.status.description) for one in (request, run)])
    assert "secret" not in told
    assert "C6H4" not in told


def test_tracing_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.VARIABLE, raising=False)
    assert not tracing.configure("test")
    with tracing.span("nothing") as span:
        span.note({"a": 1})


def test_tracing_without_its_package_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.resources", None)
    monkeypatch.setenv(tracing.VARIABLE, "1")
    with pytest.raises(Misused) as told:
        tracing.configure("test")
    assert "kehu[otel]" in told.value.remedy


@pytest.mark.parametrize(("said", "json"), [("json", True), ("text", False), ("", True), ("nonsense", True)])
def test_the_form_of_the_log_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, said: str, json: bool, tmp_path: Path
) -> None:
    monkeypatch.setenv(telemetry.FORMAT, said)
    monkeypatch.setenv(telemetry.LEVEL, "warning")
    out = io.StringIO()
    telemetry.configure(stream=out)
    import structlog

    structlog.get_logger("test").info("quiet")
    structlog.get_logger("test").warning("told", run_id=7)
    assert "quiet" not in out.getvalue()
    assert out.getvalue().startswith("{") is json
    assert "told" in out.getvalue()
