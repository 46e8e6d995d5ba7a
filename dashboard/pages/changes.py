"""The change feed, newest first: what consumers are told, and why it happened."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard import showing
from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync.feed import tokens
from sync.feed.events import changed_fields
from sync.master import queries
from sync.master.bulk import bulk_for
from sync.master.queries import ChangeView
from sync.privacy.masking import masked_body

router = APIRouter(dependencies=[Depends(Requires(Permission.CHANGES_READ))])
PAGE = 50


class Line(NamedTuple):
    """An event with the names of its fields and the body that the visitor may see."""

    change: ChangeView
    fields: list[str]
    body: dict[str, Any]


@router.get("/changes")
def show(request: Request, before: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
    """The latest events, and where the feed stands."""
    with request.app.state.project.database.reading() as connection:
        found = queries.latest_changes(connection, PAGE + 1, before)
        bounds = tokens.bounds(bulk_for(connection))
        token = tokens.encode(tokens.now(connection))
    personal = showing.eyes_of(request).personal
    lines = [
        Line(one, changed_fields(one.body), one.body if personal else masked_body(one.body, "person"))
        for one in found[:PAGE]
    ]
    more = found[PAGE - 1].seq if len(found) > PAGE else None
    return render(
        request, "changes.html", lines=lines, bounds=bounds, token=token, more=more, newest=before is None,
        pretty=showing.pretty,
    )  # fmt: skip
