"""Sync runs: the newest, and one as it goes: stage, counters that add up, rate, what it waits for, its last remarks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from dashboard import live
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import render, render_text
from sync import audit
from sync.errors import NotFound
from sync.runs import services
from sync.runs.progress import Stage, progress
from sync.runs.services import Event, Status

reading = APIRouter(dependencies=[Depends(Requires(Permission.RUNS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.RUNS_WRITE))])
PAGE = 100
TROUBLE = (Status.FAILED, Status.PARTIAL)
Before = Annotated[int | None, Query(ge=1, le=2**62)]


@reading.get("/runs")
def show_all(request: Request, before: Before = None, trouble: bool = False) -> Response:
    """The newest runs; ``trouble``: only failed and partial ones."""
    found, more = _page(request, before, trouble)
    return render(request, "runs.html", runs=found, more=more, trouble=trouble, newest=before is None)


@reading.get("/runs/live")
def watch_all(request: Request, trouble: bool = False) -> Response:
    """The newest runs, as they change."""

    def look() -> live.News:
        return live.News({"rows": render_text(request, "runs_rows.html", runs=_page(request, None, trouble)[0])})

    return live.stream(request, look, every=2.0)


@reading.get("/runs/{run_id}")
def show(request: Request, run_id: int) -> Response:
    """One run."""
    return render(request, "run.html", **_run(request, run_id, 0))


@reading.get("/runs/{run_id}/live")
def watch(request: Request, run_id: int, after: Annotated[int, Query(ge=0, le=2**62)] = 0) -> Response:
    """One run as it goes; remarks after number ``after`` are added."""
    told = after

    def look() -> live.News:
        nonlocal told
        values = _run(request, run_id, told)
        events: list[Event] = values["events"]
        added = {"log": render_text(request, "run_events.html", events=events)} if events else {}
        told = events[-1].id if events else told
        ended = not values["run"].open
        return live.News({"now": render_text(request, "run_now.html", **values)}, added, done=ended)

    return live.stream(request, look)


@writing.post("/runs/{run_id}/cancel")
def cancel(request: Request, run_id: int) -> Response:
    """Stop a run safely: at once if nobody works on it, else at the end of the page in hand."""
    with request.app.state.project.database.transaction() as connection:
        services.cancel(connection, run_id)
        audit.record(connection, principal_of(request).actor, "run.cancelled", f"run:{run_id}")
    return redirect(f"/runs/{run_id}", "cancelling")


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _page(request: Request, before: int | None, trouble: bool) -> tuple[list[services.RunView], int | None]:
    with request.app.state.project.database.reading() as connection:
        found = services.runs(connection, statuses=TROUBLE if trouble else (), before_id=before, limit=PAGE)
    return found, found[-1].id if len(found) == PAGE else None


def _run(request: Request, run_id: int, after: int) -> dict[str, Any]:
    project = request.app.state.project
    with project.database.reading() as connection:
        try:
            run = services.show_run(connection, run_id)
        except (NotFound, OverflowError):
            raise HTTPException(404) from None
        events = services.events_of_run(connection, run_id, after_id=after)
        how = progress(connection, run)
    left = project.calls_left(run.connection) if run.open else None
    return {"run": run, "events": events, "progress": how, "stages": list(Stage), "calls_left": left}
