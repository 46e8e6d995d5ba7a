"""Records that did not fit: by cause, and one by one with field, value, rule and remedy."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync.errors import NotFound
from sync.runs import services

router = APIRouter(dependencies=[Depends(Requires(Permission.QUARANTINE_READ))])
PAGE = 50
CAUSES = 50
LONGEST_PAYLOAD = 20_000


@router.get("/quarantine")
def show_all(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    path: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Causes with their counts, and a page of records."""
    with request.app.state.project.database.reading() as connection:
        grouped = services.causes(connection)[:CAUSES]
        causes = [(cause, services.show_quarantined(connection, cause.example_id)) for cause in grouped]
        records = services.quarantined(connection, path=path or None, after_id=after, limit=PAGE)
    more = records[-1].id if len(records) == PAGE else None
    return render(request, "quarantine.html", causes=causes, records=records, more=more, chosen=path)


@router.get("/quarantine/{record_id}")
def show(request: Request, record_id: int) -> Response:
    """One record in quarantine, with the record as it came."""
    with request.app.state.project.database.reading() as connection:
        try:
            found = services.show_quarantined(connection, record_id)
        except (NotFound, OverflowError):
            raise HTTPException(404) from None
    payload = found.payload[:LONGEST_PAYLOAD].decode(errors="replace")
    return render(request, "quarantined.html", record=found, payload=payload)
