"""One connection: how it stands, its runs, fields, mappings and settings; a backfill, another secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import yaml
from fastapi import APIRouter, Depends, Request, Response

from connectors.errors import ConnectorError
from dashboard.bell import ring
from dashboard.forms import Form
from dashboard.notices import redirect
from dashboard.pages.adding import require_rights
from dashboard.pages.connections import standing_of
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import language_of, render
from sync import activity, audit, language, shapes
from sync.attention import ConnectionStanding
from sync.connecting import drafts, forms, probing, settings
from sync.errors import Misused
from sync.project import Project
from sync.runs import services

reading = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_WRITE))])
running = APIRouter(dependencies=[Depends(Requires(Permission.RUNS_WRITE))])
Tab = Literal["status", "runs", "schema", "mapping", "settings"]
RUNS = 50


@reading.get("/connections/{name}")
def show(request: Request, name: str, tab: Tab = "status", test: bool = False) -> Response:
    """One tab of the page. ``test``: log in now, and tell."""
    found = standing_of(request, name)
    values = {
        "status": _status,
        "runs": _runs,
        "schema": _schema,
        "mapping": _mapping,
        "settings": _settings,
    }[tab](request, found)
    tested = _tested(request, name) if test and principal_of(request).may(Permission.CONNECTIONS_WRITE) else None
    return render(request, "connection.html", one=found, tab=tab, tested=tested, **values)


@running.post("/connections/{name}/backfill")
def backfill(request: Request, name: str, form: Form) -> Response:
    """Read a range of time again."""
    project = _project(request)
    since, until = (_moment(form.text(field, 20), project) for field in ("since", "until"))
    with project.database.transaction() as connection:
        stream = services.find_stream(connection, name, form.text("stream", 120))
        asked = services.request_run(connection, stream.id, services.RunMode.BACKFILL, since=since, until=until)
        details = {"mode": "backfill", "since": since, "until": until}
        audit.record(connection, principal_of(request).actor, "run.requested", f"stream:{name}.{stream.name}", details)
    ring(request, [asked.run_id])
    return redirect(f"/runs/{asked.run_id}")


@writing.post("/connections/{name}/accept-schema")
def accept_schema(request: Request, name: str) -> Response:
    """The changed fields are right."""
    with _project(request).database.transaction() as connection:
        count = services.accept_schema(connection, name)
    return redirect(f"/connections/{quote(name)}?tab=schema", "schema-accepted", count)


@writing.post("/connections/{name}/stream")
def pause_stream(request: Request, name: str, form: Form) -> Response:
    """Pause one stream, or let it go on."""
    resume = form.text("do") == "resume"
    with _project(request).database.transaction() as connection:
        stream = services.find_stream(connection, name, form.text("stream", 120))
        if resume:
            services.resume_stream(connection, stream.id)
        else:
            services.pause_stream(connection, stream.id, f"{name}.{stream.name}")
    return redirect(f"/connections/{quote(name)}", "stream-resumed" if resume else "stream-paused")


@writing.post("/connections/{name}/rotate")
def rotate(request: Request, name: str, form: Form) -> Response:
    """Another secret in the place of one."""
    settings.rotate(_project(request), name, form.text("field", 80), form.text("value", 50_000))
    return redirect(f"/connections/{quote(name)}?tab=settings&test=1", "secret-rotated")


@writing.post("/connections/{name}/settings")
def change_settings(request: Request, name: str, form: Form) -> Response:
    """Other settings of a connection with a file of its own."""
    project = _project(request)
    data = drafts.own_data(project, name)
    data["every"] = settings.every_of(form.text("every", 20))
    found, secrets, wrong = settings.read(project, data["connector"], form.below("s."), data.get("settings", {}))
    require_rights(request, {**data, "settings": found})
    if wrong:
        values = _settings(request, standing_of(request, name)) | {"typed": form.below("s."), "faults": wrong}
        return render(
            request,
            "connection.html",
            status=422,
            one=standing_of(request, name),
            tab="settings",
            tested=None,
            **values,
        )
    data["settings"] = {**found, **settings.store_secrets(project, name, secrets)}
    drafts.put(project, name, data)
    with project.database.transaction() as connection:
        project.register(connection)
        audit.record(connection, principal_of(request).actor, "connection.changed", f"connection:{name}")
    return redirect(f"/connections/{quote(name)}?tab=settings&test=1", "settings-saved")


@writing.post("/connections/{name}/remove")
def remove(request: Request, name: str) -> Response:
    """Take a connection with a file of its own out of the project."""
    drafts.remove(_project(request), name)
    return redirect("/connections", "connection-removed")


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes, *running.routes])


def _status(request: Request, one: ConnectionStanding) -> dict[str, Any]:
    ids = [stream.stream.id for stream in one.streams]
    with _project(request).database.reading() as connection:
        columns = activity.activity(connection, hours=168, columns=56, stream_ids=ids)
    return {"columns": columns, "zone_name": _project(request).settings.time_zone}


def _runs(request: Request, one: ConnectionStanding) -> dict[str, Any]:
    ids = [stream.stream.id for stream in one.streams]
    with _project(request).database.reading() as connection:
        return {"runs": services.runs(connection, stream_ids=ids, limit=RUNS)}


def _schema(request: Request, one: ConnectionStanding) -> dict[str, Any]:
    with _project(request).database.reading() as connection:
        known = {stream.stream.stream: shapes.known(connection, stream.stream.id) for stream in one.streams}
    drifted = {
        stream.stream.stream: str(stream.stream.reason.params.get("diff", "")).split("; ")
        for stream in one.streams
        if stream.stream.reason_code == "schema_drift" and stream.stream.reason is not None
    }
    return {"known": known, "drifted": drifted}


def _mapping(request: Request, one: ConnectionStanding) -> dict[str, Any]:
    project, found = _project(request), {}
    for stream in one.streams:
        try:
            path = project.mapping_file(one.name, stream.stream.stream)
        except (ConnectorError, Misused):
            found[stream.stream.stream] = ("", False)
            continue
        found[stream.stream.stream] = (path.name, path.is_relative_to(project.folder))
    return {"mappings": found}


def _settings(request: Request, one: ConnectionStanding) -> dict[str, Any]:
    project = _project(request)
    configured = project.settings.connections.get(one.name)
    values: dict[str, Any] = {"configured": configured, "fields": [], "typed": {}, "stored": [], "faults": {}}
    values |= {"own_file": project.is_included(one.name), "secrets": [], "shown": "", "place": "", "every": ""}
    if configured is None:
        return values
    document, place = project.place_of(one.name)
    values["place"] = f"{document.path.name}:{document.line(place)}"
    values["secrets"] = settings.secrets_of(project, one.name)
    try:
        fields = settings.form_of(project, configured.connector)
    except ConnectorError:
        return values
    values |= {"fields": fields, "typed": forms.shown(fields, configured.settings)}
    values["stored"] = [field for field, where in values["secrets"] if where]
    open_settings = {key: value for key, value in configured.settings.items() if key in values["typed"]}
    values["shown"] = yaml.safe_dump(open_settings, allow_unicode=True, sort_keys=False) if open_settings else ""
    if values["own_file"]:
        values["every"] = str(drafts.own_data(project, one.name).get("every", "15m"))
    return values


def _tested(request: Request, name: str) -> tuple[bool, str, str]:
    chosen = language_of(request)
    try:
        checked = probing.check(_project(request), name)
    except (ConnectorError, Misused) as error:
        return False, *language.told(error, chosen)
    return True, language.text(checked.message, checked.params, chosen) if checked.params else checked.message, ""


def _moment(text: str, project: Project) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Misused("{value} is no date.", value=text, remedy="Write it like 2026-01-31.") from None
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(project.settings.time_zone))).astimezone(UTC)


def _project(request: Request) -> Project:
    project: Project = request.app.state.project
    return project
