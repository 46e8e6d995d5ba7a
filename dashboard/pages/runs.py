"""Sync runs: the newest, and one with what it had to tell. The pages reload themselves while something runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync.errors import NotFound
from sync.runs import services
from sync.runs.services import Status

router = APIRouter(dependencies=[Depends(Requires(Permission.RUNS_READ))])
PAGE = 100
TROUBLE = (Status.FAILED, Status.PARTIAL)


@router.get("/runs")
def show_all(
    request: Request,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    trouble: bool = False,
) -> Response:
    """The newest runs; ``trouble``: only failed and partial ones."""
    with request.app.state.project.database.reading() as connection:
        found = services.runs(connection, statuses=TROUBLE if trouble else (), before_id=before, limit=PAGE)
    more = found[-1].id if len(found) == PAGE else None
    return render(request, "runs.html", runs=found, more=more, trouble=trouble, newest=before is None)


@router.get("/runs/{run_id}")
def show(request: Request, run_id: int) -> Response:
    """One run with its remarks."""
    with request.app.state.project.database.reading() as connection:
        try:
            run = services.show_run(connection, run_id)
        except (NotFound, OverflowError):
            raise HTTPException(404) from None
        events = services.events_of_run(connection, run_id)
    return render(request, "run.html", run=run, events=events)
