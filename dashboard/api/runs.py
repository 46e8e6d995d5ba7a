"""``/api/v1/runs``: sync runs, what they had to tell, asking for one, and taking that back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request, Response
from pydantic import AwareDatetime, Field

from dashboard.api import paging, schemas
from dashboard.api.answers import answer
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.api.wording import told
from dashboard.permissions import Permission, principal_of
from sync import audit
from sync.runs import services
from sync.runs.services import Doorbell, RunMode, RunView, Status

reading = resource("runs", Permission.RUNS_READ)
writing = resource("runs", Permission.RUNS_WRITE)

RunId = Annotated[int, Path(ge=1, lt=1 << 63, description="The run's number.", examples=[1])]
MISSING = problem(404, "No such run: `not_found`.")


class Wanted(schemas.Body):
    """A run to be done."""

    connection: str = Field(max_length=80, examples=["erp"])
    stream: str = Field(max_length=120, examples=["customers"])
    mode: Literal["incremental", "full", "backfill"] = "incremental"
    since: AwareDatetime | None = Field(None, description="backfill: from here")
    until: AwareDatetime | None = Field(None, description="backfill: up to here")
    accept_deletes: bool = Field(False, description="allow the deletes that the brake has shown")


@reading.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.RunOut]}})
def list_runs(
    request: Request,
    status: Annotated[list[Status] | None, Query(max_length=7, description="Only with one of these.")] = None,
    limit: Limit = paging.DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List runs, the newest first."""
    filters = {"status": sorted(status or [])}
    before = paging.decode(cursor, filters, [int])
    with request.app.state.project.database.reading() as connection:
        found = services.runs(
            connection, statuses=status or (), before_id=before[0] if before else None, limit=limit + 1
        )
    return answer(request, paging.page(found, limit, filters, lambda one: [one.id], lambda one: _run(request, one)))


@reading.get("/{id}", response_model=None, responses={200: {"model": schemas.RunOut}, **MISSING})
def get_run(request: Request, id: RunId) -> Response:
    """Get one run."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, _run(request, services.show_run(connection, id)))


@reading.get(
    "/{id}/events", response_model=None, responses={200: {"model": schemas.Page[schemas.RunEventOut]}, **MISSING}
)
def get_events(request: Request, id: RunId) -> Response:
    """What a run had to tell: its last remarks, in order."""
    with request.app.state.project.database.reading() as connection:
        services.show_run(connection, id)
        events = services.events_of_run(connection, id)
    data = [{"at": one.at, "level": one.level, "text": told(request, one.text)} for one in events]
    return answer(request, {"data": data, "next_cursor": None})


@writing.post(
    "",
    status_code=202,
    response_model=None,
    responses={
        202: {"model": schemas.RunOut, "description": "It will be done; Location tells where to watch it."},
        **problem(404, "No such stream: `not_found`."),
        **problem(409, "Paused on purpose, or no deletes to accept: `refused`; or `idempotency_in_flight`."),
    },
)
def ask_for_run(request: Request, body: Wanted, idempotency_key: IdempotencyKey = None) -> Response:
    """Ask for a run; one that is open and does the same is joined."""
    with unit_of_work(request) as unit:
        stream = services.find_stream(unit.connection, body.connection, body.stream)
        asked = services.request_run(
            unit.connection,
            stream.id,
            RunMode(body.mode),
            since=body.since,
            until=body.until,
            accept_deletes=body.accept_deletes,
        )
        details = {"mode": body.mode, "accept_deletes": body.accept_deletes, "joined": asked.joined}
        who = principal_of(request).actor
        audit.record(unit.connection, who, "run.requested", f"stream:{body.connection}.{body.stream}", details)
        data = _run(request, services.show_run(unit.connection, asked.run_id))
        location = f"{request.url.path}/{asked.run_id}"
        made = unit.answer(data, status=202, headers={"Location": location})
    bell(request).run(asked.run_id)
    return made


@writing.post(
    "/{id}/cancel",
    response_model=None,
    responses={
        200: {"model": schemas.RunOut},
        **MISSING,
        **problem(409, "It has ended: `refused`; or `idempotency_in_flight`."),
    },
)
def cancel(request: Request, id: RunId, idempotency_key: IdempotencyKey = None) -> Response:
    """Cancel a run: at once if nobody works on it, else at the end of the page in hand."""
    with unit_of_work(request) as unit:
        services.cancel(unit.connection, id)
        audit.record(unit.connection, principal_of(request).actor, "run.cancelled", f"run:{id}")
        return unit.answer(_run(request, services.show_run(unit.connection, id)))


def bell(request: Request) -> Doorbell:
    """The doorbell of the project's workers; made when first rung."""
    state = request.app.state
    if not hasattr(state, "bell"):
        state.bell = Doorbell.at(state.project.broker.url)
    made: Doorbell = state.bell
    return made


def _run(request: Request, one: RunView) -> dict[str, Any]:
    times: dict[str, datetime | None] = {
        "queued_at": one.queued_at,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
    }
    return {
        "id": one.id,
        "connection": one.connection,
        "stream": one.stream,
        "mode": one.mode,
        "status": one.status,
        "state": one.state,
        "trigger": one.trigger,
        "counts": one.counts._asdict(),
        "ignored": one.ignored,
        "pages": one.pages,
        "expected": one.expected,
        **times,
        "error_code": one.error_code,
        "error": told(request, one.error),
        "remedy": told(request, one.remedy),
    }
