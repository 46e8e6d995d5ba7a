"""What every route of the REST interface has: its permission, its errors in the description, ``Idempotency-Key``.

A resource is a file: ``router = resource("customers", Permission.CUSTOMERS_READ)``; routes that need another
permission than reading use a second router of the same name. ``dashboard.api.resources`` lists the files.

A write does its work inside ``unit_of_work``: the answer is then stored in the same transaction as the work. Work that
has transactions of its own (a merge, a replay) is answered after it; it has to be idempotent by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from dashboard.api import answers, schemas
from dashboard.api.problems import MEDIA_TYPE, Problem
from dashboard.permissions import SAFE, Permission, Requires, identify, permissions_of
from sync import idempotency
from sync.database import Database
from sync.idempotency import Answer, Claim
from sync.project import Project
from sync.vault import Vault

PREFIX = "/api/v1"
HEADER = "idempotency-key"
LONGEST_KEY = 200
_KEPT = ("content-type", "etag", "location")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ApiRoute(APIRoute):
    """A route whose writes may be sent twice."""

    def get_route_handler(self) -> Handler:
        """The handler, behind the check of ``Idempotency-Key``."""
        handler = super().get_route_handler()
        if set(self.methods or ()) <= SAFE:
            return handler

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            visitor = None if key is None else await identify(request)
            if key is None or visitor is None:
                return await handler(request)
            for permission in permissions_of(self):
                visitor.require(permission)
            claim = Claim(visitor.actor, _checked(key), _fingerprint(request, await request.body()))
            return await _once(request, handler, claim)

        return once


def resource(name: str, permission: Permission) -> APIRouter:
    """A router for ``/api/v1/<name>`` whose every route needs the permission."""
    return APIRouter(
        prefix=f"{PREFIX}/{name}",
        tags=[name],
        dependencies=[Depends(Requires(permission))],
        route_class=ApiRoute,
        responses=_errors(permission),
    )


def problem(status: int, about: str) -> dict[int | str, dict[str, Any]]:
    """How a route declares an error of its own: ``responses={**problem(404, "…")}``."""
    return {status: {"description": about, "content": {MEDIA_TYPE: {"schema": schemas.PROBLEM_REF}}}}


def _errors(permission: Permission) -> dict[int | str, dict[str, Any]]:
    common = {
        400: "The request cannot be read: `malformed_json`.",
        401: "No session and no valid key: `not_signed_in`.",
        403: f"The permission `{permission.value}` is missing: `forbidden`.",
        422: "A parameter or the body is not right; `errors` names the places.",
        429: "Asked too often: `too_many_requests`; `Retry-After` tells when to come back.",
        503: "The database does not answer: `database_unavailable`.",
    }
    declared: dict[int | str, dict[str, Any]] = {}
    for status, about in common.items():
        declared |= problem(status, about)
    return declared


class Unit:
    """The transaction of a write, and the way to answer it."""

    def __init__(self, request: Request, connection: Connection) -> None:
        self.connection, self._request = connection, request

    def answer(
        self, data: Any, *, status: int = 200, tag: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """The answer, which is stored along with the work for who sends the same key again."""
        made = answers.answer(self._request, data, status=status, tag=tag, headers=headers)
        claim: Claim | None = getattr(self._request.state, "claim", None)
        if claim is not None:
            _store(self._request.app.state.project.vault, self.connection, claim, made)
            self._request.state.claim = None
        return made


@contextmanager
def unit_of_work(request: Request) -> Iterator[Unit]:
    """One transaction for the work and its stored answer: both are committed, or neither."""
    database: Database = request.app.state.project.database
    with database.transaction() as connection:
        yield Unit(request, connection)


async def _once(request: Request, handler: Handler, claim: Claim) -> Response:
    project: Project = request.app.state.project
    database = project.database
    holding = idempotency.held(database, claim)
    await run_in_threadpool(holding.__enter__)
    try:
        known = await run_in_threadpool(_known, project, claim)
        if known is not None:
            return known
        request.state.claim = claim
        made = await handler(request)
        if request.state.claim is not None and made.status_code < 400:
            await run_in_threadpool(_store_after, project, claim, made)
        return made
    finally:
        await run_in_threadpool(holding.__exit__, None, None, None)


def _known(project: Project, claim: Claim) -> Response | None:
    with project.database.reading() as connection:
        stored = idempotency.find(connection, project.vault, claim)
    if stored is None:
        return None
    if stored.fingerprint != claim.fingerprint:
        raise Problem(
            "This Idempotency-Key was used for another request.",
            status=422,
            code="idempotency_key_reused",
            parameter="Idempotency-Key",
            remedy="Use a new key for each new request.",
        )
    headers = {**stored.answer.headers, "Idempotency-Replayed": "true"}
    return Response(stored.answer.body, stored.answer.status, headers)


def _store_after(project: Project, claim: Claim, made: Response) -> None:
    with project.database.transaction() as connection:
        _store(project.vault, connection, claim, made)


def _store(vault: Vault, connection: Connection, claim: Claim, made: Response) -> None:
    kept = {name: value for name, value in made.headers.items() if name in _KEPT}
    idempotency.store(connection, vault, claim, Answer(made.status_code, kept, bytes(made.body)))


def _checked(key: str) -> str:
    if 1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable():
        return key
    raise Problem(
        "An Idempotency-Key has 1 to {longest} printable ASCII characters.",
        status=422,
        code="bad_idempotency_key",
        parameter="Idempotency-Key",
        longest=LONGEST_KEY,
        remedy="Use a UUID.",
    )


def _fingerprint(request: Request, body: bytes) -> bytes:
    asked = "\n".join((request.method, request.url.path, request.url.query, ""))
    return hashlib.sha256(asked.encode() + body).digest()
