"""The first page: every stream's state, and the size of the master."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync import overview
from sync.master import queries

router = APIRouter(dependencies=[Depends(Requires(Permission.VIEW))])


@router.get("/")
def show(request: Request) -> Response:
    """Streams, counts, freshness; how many systems know each customer."""
    with request.app.state.project.database.reading() as connection:
        streams = overview.streams(connection)
        stats = queries.stats(connection)
        histogram = overview.members_histogram(connection)
    return render(
        request,
        "overview.html",
        streams=streams,
        stats=stats,
        histogram=histogram,
        largest=max(histogram.values(), default=1),
        quarantined=sum(stream.quarantined for stream in streams),
    )
