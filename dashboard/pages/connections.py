"""The connections: how each stands and what helps; pausing, resuming, syncing now."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from dashboard import live
from dashboard.bell import ring
from dashboard.forms import Form
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import render, render_text
from sync import attention, audit, overview
from sync.attention import ConnectionStanding, Standing
from sync.connecting import drafts
from sync.runs import services

reading = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.CONNECTIONS_WRITE))])
running = APIRouter(dependencies=[Depends(Requires(Permission.RUNS_WRITE))])


@reading.get("/connections")
def show_all(request: Request) -> Response:
    """All connections, those that need somebody first, and drafts."""
    found = drafts.names(request.app.state.project)
    return render(request, "connections.html", connections=standings(request), drafts=found)


@reading.get("/connections/live")
def watch(request: Request) -> Response:
    """The same, as it changes."""

    def look() -> live.News:
        return live.News({"rows": render_text(request, "connections_rows.html", connections=standings(request))})

    return live.stream(request, look, every=2.0)


@writing.post("/connections/{name}/pause")
def pause(request: Request, name: str) -> Response:
    """Nothing of the connection runs until it is resumed."""
    with request.app.state.project.database.transaction() as connection:
        services.pause_connection(connection, name)
    return redirect(_address(name), "connection-paused")


@writing.post("/connections/{name}/resume")
def resume(request: Request, name: str) -> Response:
    """It runs again, and what a fault had paused."""
    with request.app.state.project.database.transaction() as connection:
        services.resume_connection(connection, name)
    return redirect(_address(name), "connection-resumed")


@running.post("/connections/{name}/sync")
def sync_now(request: Request, name: str, form: Form) -> Response:
    """Ask for a run of one stream or of all."""
    project, wanted = request.app.state.project, form.text("stream", 120)
    mode = services.RunMode.FULL if form.text("mode") == "full" else services.RunMode.INCREMENTAL
    streams = [wanted] if wanted else project.streams(name)
    with project.database.transaction() as connection:
        found = [services.find_stream(connection, name, stream) for stream in streams]
        asked = [services.request_run(connection, stream.id, mode) for stream in found]
        details = {"mode": mode.value, "streams": streams}
        audit.record(connection, principal_of(request).actor, "run.requested", f"connection:{name}", details)
    ring(request, [one.run_id for one in asked])
    if len(asked) == 1:
        return redirect(f"/runs/{asked[0].run_id}")
    return redirect(_address(name), "requested", len(asked))


router = APIRouter()


def standings(request: Request) -> list[ConnectionStanding]:
    """All connections, those that need somebody first, those taken out of the configuration last."""
    with request.app.state.project.database.reading() as connection:
        found = attention.connections(overview.streams(connection))
    order = {Standing.NEEDS_YOU: 0, Standing.REMOVED: 2}
    return sorted(found, key=lambda one: order.get(one.standing, 1))


def standing_of(request: Request, name: str) -> ConnectionStanding:
    """One connection; 404 if there is none of that name."""
    found = next((one for one in standings(request) if one.name == name), None)
    if found is None:
        raise HTTPException(404)
    return found


def _address(name: str) -> str:
    return f"/connections/{quote(name)}"


router.routes.extend([*reading.routes, *writing.routes, *running.routes])
