"""``/api/v1/audit``: who did what, and the head of the chain to be kept outside."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from dashboard.api import paging, schemas
from dashboard.api.answers import answer
from dashboard.api.paging import Cursor, Limit
from dashboard.api.routes import resource
from dashboard.permissions import Permission
from sync import audit

router = resource("audit", Permission.AUDIT_READ)


class HeadOut(schemas.Schema):
    """The newest entry; keep `seq:hash` where the database's administrators cannot write."""

    seq: int
    hash: str


@router.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.AuditOut]}})
def list_entries(
    request: Request,
    actor: Annotated[str | None, Query(max_length=200, examples=["user:anna"])] = None,
    action: Annotated[str | None, Query(max_length=80, examples=["sign_in"])] = None,
    object: Annotated[str | None, Query(max_length=500, examples=["connection:erp"])] = None,
    limit: Limit = paging.DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List entries of the audit log, the newest first."""
    filters = {"actor": actor, "action": action, "object": object}
    before = paging.decode(cursor, filters, [int])
    with request.app.state.project.database.reading() as connection:
        found = audit.entries(connection, before=before[0] if before else None, limit=limit + 1, **filters)
    return answer(request, paging.page(found, limit, filters, lambda one: [one.seq], lambda one: one._asdict()))


@router.get("/head", response_model=None, responses={200: {"model": HeadOut}})
def get_head(request: Request) -> Response:
    """The newest entry's number and hash."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, audit.head(connection)._asdict())
