"""Every route says what it takes to use it; the application refuses to start with one that does not.

A request comes from an API key (``Authorization: Bearer kehu_…``; cookies are then ignored) or from a session's cookie.
What changes something by cookie must prove that it comes from a page of ours: same origin, and the session's token.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Mount

from sync import audit
from sync.database import Database
from sync.identity import keys, sessions
from sync.identity.errors import Forbidden, NotSignedIn
from sync.identity.permissions import Permission
from sync.identity.principals import Principal, digest

__all__ = ["Forbidden", "NotSignedIn", "Permission", "Requires", "declared", "identify", "principal_of", "undeclared"]

REMEMBERED = 1.0
"""Seconds for which a process believes a key or cookie it has looked up: so long a revoked one may still work."""
MOST_REMEMBERED = 10_000
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Requires:
    """A dependency that lets only visitors with the permission pass."""

    permission: Permission

    async def __call__(self, request: Request) -> None:
        """Raises NotSignedIn, or Forbidden, unless the visitor has it; acts as the visitor from here on."""
        if self.permission is Permission.PUBLIC:
            if request.method not in SAFE:
                _require_same_origin(request)
            return
        visitor = await identify(request)
        if visitor is None:
            raise NotSignedIn("Nobody is signed in.")
        visitor.require(self.permission)
        if request.method not in SAFE and visitor.session is not None:
            await _require_own_page(request)
        audit.act_as(visitor.actor)


async def identify(request: Request) -> Principal | None:
    """Who sends the request; None for nobody we know. Looked up once a request."""
    if not hasattr(request.state, "principal"):
        request.state.principal = await _looked_up(request)
    found: Principal | None = request.state.principal
    return found


def principal_of(request: Request) -> Principal:
    """Who sends a request that has passed ``Requires``."""
    found: Principal = request.state.principal
    return found


def is_secure(request: Request) -> bool:
    """Whether the browser reached us by HTTPS, itself or through a proxy."""
    public: str = request.app.state.project.settings.web.public_url or ""
    known = public.startswith("https://") and public.partition("//")[2] == request.headers.get("host", "").lower()
    return request.url.scheme == "https" or known


def cookie_name(request: Request) -> str:
    """The session cookie; named by port, because cookies are shared between the ports of a machine."""
    return f"kehu_session_{request.url.port or 80}"


def session_token(request: Request) -> str:
    """The value of the session's cookie; empty if there is none."""
    return request.cookies.get(cookie_name(request), "")


def form_token(request: Request) -> str:
    """What a form of ours carries in its field ``csrf``, and a script in the header ``X-CSRF-Token``."""
    return sessions.csrf_token(session_token(request))


def recalled(token: str) -> tuple[bytes, Principal] | None:
    """Who a key or cookie was found to be a moment ago, and what it is remembered by; None: look it up."""
    number = digest(token)
    known = _remembered.get(number)
    return (number, known[1]) if known is not None and known[0] > time.monotonic() else None


def forget(token: str) -> None:
    """This process believes nothing about a token any more, e.g. after signing out."""
    _remembered.pop(digest(token), None)


def undeclared(app: FastAPI) -> list[str]:
    """The paths of routes that declare no permission, or more than one."""
    return [path for path, permissions in declared(app) if len(permissions) != 1]


def declared(app: FastAPI) -> Iterator[tuple[str, list[Permission]]]:
    """Every route's path with the permissions it declares."""
    for route in app.routes:
        yield getattr(route, "path", repr(route)), permissions_of(route)


def permissions_of(route: BaseRoute) -> list[Permission]:
    """The permissions that a route declares; there should be one."""
    if isinstance(route, APIRoute):
        return list(_required(route.dependant))
    if isinstance(route, Mount) and route.name == "static":
        return [Permission.PUBLIC]
    return []


_remembered: dict[bytes, tuple[float, Principal]] = {}


async def _looked_up(request: Request) -> Principal | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme:
        by_key = scheme.lower() == "bearer"
        return await _recall(request, key.strip(), by_key=True) if by_key else None
    return await _recall(request, session_token(request), by_key=False)


async def _recall(request: Request, token: str, *, by_key: bool) -> Principal | None:
    if not token:
        return None
    number, now = digest(token), time.monotonic()
    known = _remembered.get(number)
    if known is not None and known[0] > now:
        return known[1]
    found = await run_in_threadpool(_from_database, request.app.state.project.database, token, by_key)
    _remembered.pop(number, None)
    if found is not None:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[number] = (now + REMEMBERED, found)
    return found


def _from_database(database: Database, token: str, by_key: bool) -> Principal | None:
    with database.reading() as connection:
        if not by_key:
            return sessions.principal(connection, token)
        found = keys.principal(connection, token)
        stale = found is not None and keys.use_is_news(connection, str(found.key))
    if stale and found is not None:
        with database.transaction() as connection:
            keys.note_use(connection, str(found.key))
    return found


async def _require_own_page(request: Request) -> None:
    _require_same_origin(request)
    sent = request.headers.get("x-csrf-token") or await _form_field(request, "csrf")
    if not sessions.csrf_fits(session_token(request), sent):
        raise Forbidden(
            "The page that sent this is too old, or not one of ours.", remedy="Load the page again, then repeat it."
        )


def _require_same_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    other = origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    if other or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This came from another site.", remedy="Open the page here, then repeat it.")


async def _form_field(request: Request, name: str) -> str:
    return (await form(request)).get(name, "")


async def form(request: Request) -> dict[str, str]:
    """The fields of a posted form (urlencoded); empty for anything else. The guard has capped its size."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return {key: values[-1] for key, values in parse_qs(body, max_num_fields=100, keep_blank_values=True).items()}
    except ValueError:
        return {}


def _required(dependant: Dependant) -> Iterator[Permission]:
    for inner in dependant.dependencies:
        call: Any = inner.call
        if isinstance(call, Requires):
            yield call.permission
        yield from _required(inner)
