"""``/api/v1/users``: users and their roles. Passwords are set by one-time links only, never here."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Path, Request, Response
from pydantic import Field

from dashboard.api import paging, schemas
from dashboard.api.answers import answer
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.permissions import Permission, principal_of
from sync.identity import links, users
from sync.identity.permissions import Role
from sync.identity.users import User

reading = resource("users", Permission.USERS_READ)
writing = resource("users", Permission.USERS_WRITE)

Name = Annotated[str, Path(max_length=120, description="The user's name.", examples=["anna"])]
MISSING = problem(404, "No such user: `not_found`.")
LAST = problem(409, "The last administrator stays: `refused`; or `idempotency_in_flight`.")


class NewUser(schemas.Body):
    """A user to be made."""

    name: str = Field(min_length=1, max_length=120, examples=["bella"])
    role: Role = Field(examples=["viewer"])


class UserChange(schemas.Body):
    """What is to be changed of a user."""

    role: Role | None = Field(None, examples=["steward"])
    disabled: bool | None = None


class LinkOut(schemas.UserOut):
    """A user, and the token with which they set a password."""

    link_path: str = Field(description="append it to the service's address; it works once, for a day")


@reading.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.UserOut]}})
def list_users(request: Request, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Response:
    """List users, in order of name."""
    after = paging.decode(cursor, {}, [str])
    with request.app.state.project.database.reading() as connection:
        found = users.all_users(connection, after=after[0] if after else "", limit=limit + 1)
    return answer(request, paging.page(found, limit, {}, lambda one: [one.name], _shown))


@reading.get("/{name}", response_model=None, responses={200: {"model": schemas.UserOut}, **MISSING})
def get_user(request: Request, name: Name) -> Response:
    """Get one user."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, _shown(users.get(connection, name)))


@writing.post(
    "",
    status_code=201,
    response_model=None,
    responses={
        201: {"model": LinkOut, "description": "Made; the link to set a password is shown this once."},
        **problem(409, "There is such a user already: `refused`; or `idempotency_in_flight`."),
    },
)
def add_user(request: Request, body: NewUser, idempotency_key: IdempotencyKey = None) -> Response:
    """Make a user, and a one-time link by which they set a password."""
    who = principal_of(request).actor
    with unit_of_work(request) as unit:
        user = users.add(unit.connection, body.name, body.role, by=who)
        token = links.make(unit.connection, user.name, by=who)
        location = f"{request.url.path}/{quote(user.name)}"
        return unit.answer(_linked(user, token), status=201, headers={"Location": location})


@writing.patch("/{name}", response_model=None, responses={200: {"model": schemas.UserOut}, **MISSING, **LAST})
def change_user(request: Request, name: Name, body: UserChange, idempotency_key: IdempotencyKey = None) -> Response:
    """Change a user's role, or shut them out; their sessions end at once."""
    who = principal_of(request).actor
    with unit_of_work(request) as unit:
        user = users.get(unit.connection, name)
        if body.role is not None:
            user = users.set_role(unit.connection, name, body.role, by=who)
        if body.disabled is not None:
            change = users.disable if body.disabled else users.enable
            user = change(unit.connection, name, by=who)
        return unit.answer(_shown(user))


@writing.post("/{name}/link", status_code=201, response_model=None, responses={201: {"model": LinkOut}, **MISSING})
def make_link(request: Request, name: Name, idempotency_key: IdempotencyKey = None) -> Response:
    """Make a one-time link by which a user sets a new password; earlier links stop working."""
    with unit_of_work(request) as unit:
        token = links.make(unit.connection, name, by=principal_of(request).actor)
        return unit.answer(_linked(users.get(unit.connection, name), token), status=201)


def _shown(one: User) -> dict[str, Any]:
    return {name: value for name, value in one._asdict().items() if name != "id"}


def _linked(one: User, token: str) -> dict[str, Any]:
    return {**_shown(one), "link_path": f"/set-password?token={token}"}
