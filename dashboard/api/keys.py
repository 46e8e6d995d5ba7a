"""``/api/v1/keys``: API keys. Whoever may not manage all keys sees and makes their own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import Field

from dashboard.api import paging, schemas
from dashboard.api.answers import answer
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.permissions import Permission, principal_of
from sync.errors import NotFound
from sync.identity import keys
from sync.identity.errors import Forbidden
from sync.identity.keys import LONGEST_DAYS, KeyView
from sync.identity.permissions import SCOPES, Role
from sync.identity.principals import Principal

reading = resource("keys", Permission.KEYS_READ)
writing = resource("keys", Permission.KEYS_WRITE)

KeyId = Annotated[str, Path(max_length=20, description="The key's public id.", examples=["abcdefghijkl"])]


class NewKey(schemas.Body):
    """A key to be made."""

    name: str = Field(min_length=1, max_length=120, description="what it is for", examples=["web shop"])
    scopes: list[Annotated[str, Field(max_length=60, json_schema_extra={"enum": sorted(SCOPES)})]] = Field(
        min_length=1, max_length=50, examples=[["customers:read", "changes:read"]]
    )
    days: int | None = Field(365, ge=1, le=LONGEST_DAYS, description="how long it lives; null: until it is revoked")


@reading.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.KeyOut]}})
def list_keys(request: Request, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Response:
    """List API keys: your own; an administrator sees all."""
    visitor = principal_of(request)
    after = paging.decode(cursor, {}, [str])
    with request.app.state.project.database.reading() as connection:
        found = keys.all_keys(connection, user_id=_only(visitor), after=after[0] if after else "", limit=limit + 1)
    return answer(request, paging.page(found, limit, {}, lambda one: [one.id], _shown))


@writing.post(
    "",
    status_code=201,
    response_model=None,
    responses={201: {"model": schemas.KeyCreated, "description": "Made; the secret is shown this once."}},
)
def create_key(request: Request, body: NewKey, idempotency_key: IdempotencyKey = None) -> Response:
    """Make an API key of your own, with at most the permissions you have."""
    visitor = principal_of(request)
    beyond = sorted((set(body.scopes) & SCOPES) - visitor.permissions)
    if visitor.key is not None and beyond:
        raise Forbidden("{user} has not the permission {scopes}.", user=visitor.actor, scopes=", ".join(beyond)[:400])
    with unit_of_work(request) as unit:
        made = keys.create(unit.connection, body.name, visitor.user, body.scopes, by=visitor.actor, days=body.days)
        data = {**_shown(made.key), "secret": made.secret}
        return unit.answer(data, status=201, headers={"Location": f"{request.url.path}/{made.key.id}"})


@reading.get(
    "/{id}",
    response_model=None,
    responses={200: {"model": schemas.KeyOut}, **problem(404, "No such key, or not yours: `not_found`.")},
)
def get_key(request: Request, id: KeyId) -> Response:
    """Get one API key, without its secret."""
    with request.app.state.project.database.reading() as connection:
        return answer(request, _shown(_own(keys.get(connection, id), principal_of(request))))


@writing.delete(
    "/{id}",
    response_model=None,
    responses={200: {"model": schemas.KeyOut}, **problem(404, "No such key, or not yours: `not_found`.")},
)
def revoke_key(request: Request, id: KeyId, idempotency_key: IdempotencyKey = None) -> Response:
    """Revoke an API key."""
    visitor = principal_of(request)
    with unit_of_work(request) as unit:
        _own(keys.get(unit.connection, id), visitor)
        return unit.answer(_shown(keys.revoke(unit.connection, id, by=visitor.actor)))


def _only(visitor: Principal) -> int | None:
    return None if visitor.role is Role.ADMIN else visitor.user_id


def _own(found: KeyView, visitor: Principal) -> KeyView:
    if visitor.role is not Role.ADMIN and found.user != visitor.user:
        raise NotFound("There is no API key {key}.", key=found.id, remedy="Check the address.")
    return found


def _shown(one: KeyView) -> dict[str, Any]:
    return {**one._asdict(), "scopes": list(one.scopes)}
