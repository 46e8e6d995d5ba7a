"""``/api/v1/connections``: the configured systems and how their streams stand; pausing and resuming."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any

from fastapi import Path, Request, Response

from dashboard.api import schemas
from dashboard.api.answers import answer
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.problems import language_of
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.api.wording import told
from dashboard.permissions import Permission
from sync import language, overview
from sync.errors import NotFound
from sync.overview import StreamOverview
from sync.runs import services

reading = resource("connections", Permission.CONNECTIONS_READ)
writing = resource("connections", Permission.CONNECTIONS_WRITE)

Name = Annotated[str, Path(max_length=80, description="The connection's name.", examples=["erp"])]
MISSING = problem(404, "No such connection: `not_found`.")


@reading.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.ConnectionOut]}})
def list_connections(request: Request) -> Response:
    """List the configured systems with their streams."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, {"data": _all(request, overview.streams(connection)), "next_cursor": None})


@reading.get("/{name}", response_model=None, responses={200: {"model": schemas.ConnectionOut}, **MISSING})
def get_connection(request: Request, name: Name) -> Response:
    """Get one system with its streams."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, _one(request, overview.streams(connection), name))


@writing.post("/{name}/pause", response_model=None, responses={200: {"model": schemas.ConnectionOut}, **MISSING})
def pause(request: Request, name: Name, idempotency_key: IdempotencyKey = None) -> Response:
    """Pause a connection: no stream of it runs until somebody resumes it."""
    with unit_of_work(request) as unit:
        services.pause_connection(unit.connection, name)
        return unit.answer(_one(request, overview.streams(unit.connection), name))


@writing.post("/{name}/resume", response_model=None, responses={200: {"model": schemas.ConnectionOut}, **MISSING})
def resume(request: Request, name: Name, idempotency_key: IdempotencyKey = None) -> Response:
    """Resume a connection, and those of its streams that a fault had paused."""
    with unit_of_work(request) as unit:
        services.resume_connection(unit.connection, name)
        return unit.answer(_one(request, overview.streams(unit.connection), name))


def _one(request: Request, streams: Sequence[StreamOverview], name: str) -> dict[str, Any]:
    found = _all(request, [stream for stream in streams if stream.connection == name])
    if not found:
        raise NotFound("There is no connection {name}.", name=name, remedy="Check the address.")
    return found[0]


def _all(request: Request, streams: Sequence[StreamOverview]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "connector": connector,
            "streams": [_stream(request, one) for one in group],
        }
        for (name, connector), group in groupby(streams, lambda one: (one.connection, one.connector))
    ]


def _stream(request: Request, one: StreamOverview) -> dict[str, Any]:
    params = one.reason.params if one.reason else {}
    return {
        "id": one.id,
        "name": one.stream,
        "state": "removed" if one.removed else "paused" if one.paused else "active",
        "late": one.late,
        "records": one.records,
        "quarantined": one.quarantined,
        "every_seconds": one.every_seconds,
        "fresh_seconds": one.fresh_seconds,
        "reason": told(request, one.reason),
        "remedy": language.text(one.remedy, params, language_of(request.scope)) if one.remedy else None,
        "last_run": None if one.run is None else one.run.id,
    }
