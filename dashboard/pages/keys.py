"""API keys: made, shown once, revoked. Whoever may not manage all keys sees and makes their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import render
from sync.errors import Misused, NotFound, SyncError
from sync.identity import keys
from sync.identity.keys import Created, KeyView
from sync.identity.permissions import SCOPES, Role
from sync.identity.principals import Principal

reading = APIRouter(dependencies=[Depends(Requires(Permission.KEYS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.KEYS_WRITE))])

NEVER = "never"


@reading.get("/keys")
def show(request: Request) -> Response:
    """The keys, without their secrets."""
    return _page(request)


@writing.post("/keys")
def act(request: Request, form: Form) -> Response:
    """Make a key, which is shown this once, or revoke one."""
    visitor, said = principal_of(request), form.word("act")
    try:
        if said == "create":
            return _page(request, made=_created(request, form, visitor))
        if said == "revoke":
            with request.app.state.project.database.transaction() as connection:
                _own(keys.get(connection, form.word("key")), visitor)
                keys.revoke(connection, form.word("key"), by=visitor.actor)
            return redirect("/keys", "key-revoked")
        raise Misused("There is nothing of that kind to do.")
    except SyncError as error:
        return _page(request, error=error, form=form)


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _page(
    request: Request, *, made: Created | None = None, error: SyncError | None = None, form: Posted | None = None
) -> Response:
    visitor = principal_of(request)
    with request.app.state.project.database.reading() as connection:
        found = keys.all_keys(connection, user_id=None if visitor.role is Role.ADMIN else visitor.user_id)
    status = 200 if error is None else status_of(error)
    return render(
        request,
        "keys.html",
        status=201 if made else status,
        keys=found,
        made=made,
        scopes=sorted(SCOPES & visitor.permissions),
        chosen=form.many("scope") if form else ["customers:read"],
        name=form.word("name") if form else "",
        faults=[] if error is None else told(request, error),
        now=datetime.now(UTC),
    )


def _created(request: Request, form: Posted, visitor: Principal) -> Created:
    days: Any = None if form.word("days") == NEVER else form.number("days") or 365
    with request.app.state.project.database.transaction() as connection:
        return keys.create(connection, form.word("name"), visitor.user, form.many("scope"), by=visitor.actor, days=days)


def _own(found: KeyView, visitor: Principal) -> None:
    if visitor.role is not Role.ADMIN and found.user != visitor.user:
        raise NotFound("There is no API key {key}.", key=found.id, remedy="Check the address.")
