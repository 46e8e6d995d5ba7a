"""The audit log: who did what, and whether anybody touched it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard import showing
from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync import audit
from sync.audit import Head

router = APIRouter(dependencies=[Depends(Requires(Permission.AUDIT_READ))])

PAGE = 50
_HEAD = re.compile(r"(?P<seq>\d{1,18}):(?P<hash>[0-9a-f]{64})")
Filter = Annotated[str, Query(max_length=500)]


@router.get("/audit")
def show(
    request: Request,
    actor: Filter = "",
    action: Filter = "",
    object: Filter = "",
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """The newest entries, those that fit all filters."""
    filters = {"actor": actor, "action": action, "object": object}
    given = {name: value.strip() or None for name, value in filters.items()}
    with request.app.state.project.database.reading() as connection:
        found = audit.entries(connection, before=before, limit=PAGE + 1, **given)
        head = audit.head(connection)
    more = found[PAGE - 1].seq if len(found) > PAGE else None
    return render(
        request, "audit.html", entries=found[:PAGE], head=head, more=more, first=before is None, filters=filters,
        pretty=showing.pretty,
    )  # fmt: skip


@router.get("/audit/verify")
def verify(request: Request, head: Annotated[str, Query(max_length=100)] = "") -> Response:
    """Whether the whole log is as it was written, and still holds an entry whose hash was kept outside."""
    written = _HEAD.fullmatch(head.strip().lower())
    anchor = None if written is None else Head(int(written["seq"]), written["hash"])
    with request.app.state.project.database.reading() as connection:
        found = audit.verify(connection, anchor)
    unread = bool(head.strip()) and anchor is None
    return render(request, "audit_verified.html", found=found, anchored=anchor is not None, unread=unread)
