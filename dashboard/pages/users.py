"""Users and roles: adding, changing, shutting out; passwords are set by one-time links only."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import render
from sync.errors import Misused, SyncError
from sync.identity import links, users
from sync.identity.permissions import PERMISSIONS, Role

reading = APIRouter(dependencies=[Depends(Requires(Permission.USERS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.USERS_WRITE))])

SHOWN = (*sorted(set(Permission) - {Permission.PUBLIC, Permission.SELF}),)


class Link(NamedTuple):
    """A one-time link; it is shown this once."""

    user: str
    address: str


@reading.get("/users")
def show(request: Request) -> Response:
    """The users, and what each role may do."""
    return _page(request)


@writing.post("/users")
def act(request: Request, form: Form) -> Response:
    """Add a user, give another role, shut out or let in, or make a link to set a password."""
    by, said, name = principal_of(request).actor, form.word("act"), form.word("name")
    try:
        with request.app.state.project.database.transaction() as connection:
            made = _done(request, connection, said, name, form, by)
    except SyncError as error:
        return _page(request, error=error)
    return _page(request, link=made) if made else redirect("/users", f"user-{said}")


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _done(request: Request, connection: Connection, said: str, name: str, form: Posted, by: str) -> Link | None:
    if said == "add":
        user = users.add(connection, name, _role(form), by=by)
        return _link(request, user.name, links.make(connection, user.name, by=by))
    if said == "link":
        return _link(request, name, links.make(connection, name, by=by))
    if said == "role":
        users.set_role(connection, name, _role(form), by=by)
    elif said == "disable":
        users.disable(connection, name, by=by)
    elif said == "enable":
        users.enable(connection, name, by=by)
    else:
        raise Misused("There is nothing of that kind to do.")
    return None


def _page(request: Request, *, link: Link | None = None, error: SyncError | None = None) -> Response:
    with request.app.state.project.database.reading() as connection:
        found = users.all_users(connection)
    return render(
        request,
        "users.html",
        status=201 if link else 200 if error is None else status_of(error),
        users=found,
        link=link,
        roles=list(Role),
        permissions=SHOWN,
        granted=PERMISSIONS,
        faults=[] if error is None else told(request, error),
    )


def _link(request: Request, user: str, token: str) -> Link:
    return Link(user, f"{str(request.base_url).rstrip('/')}/set-password?token={token}")


def _role(form: Posted) -> Role:
    try:
        return Role(form.word("role"))
    except ValueError:
        raise Misused("There is no such role.") from None
