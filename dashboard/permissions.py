"""Every route says what it takes to see it; the application refuses to start with one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount


class Permission(StrEnum):
    """What a visitor must be allowed."""

    PUBLIC = "public"
    """Anybody on this machine: health, the way in, the stylesheet."""
    VIEW = "view"
    """Whoever came in by a one-time link."""


class NotSignedIn(Exception):
    """The visitor has no session."""


@dataclass(frozen=True)
class Requires:
    """A dependency that lets only visitors with the permission pass."""

    permission: Permission

    def __call__(self, request: Request) -> None:
        """Raises NotSignedIn unless the visitor has it."""
        if self.permission is Permission.PUBLIC:
            return
        if not request.app.state.access.session_holds(request.cookies.get(cookie_name(request), "")):
            raise NotSignedIn


def cookie_name(request: Request) -> str:
    """The session cookie; named by port, because cookies are shared between the ports of a machine."""
    return f"kehu_session_{request.url.port or 80}"


def undeclared(app: FastAPI) -> list[str]:
    """The paths of routes that declare no permission, or more than one."""
    return [path for path, permissions in declared(app) if len(permissions) != 1]


def declared(app: FastAPI) -> Iterator[tuple[str, list[Permission]]]:
    """Every route's path with the permissions it declares."""
    for route in app.routes:
        yield getattr(route, "path", repr(route)), _permissions(route)


def _permissions(route: BaseRoute) -> list[Permission]:
    if isinstance(route, APIRoute):
        return list(_required(route.dependant))
    if isinstance(route, Mount) and route.name == "static":
        return [Permission.PUBLIC]
    return []


def _required(dependant: Dependant) -> Iterator[Permission]:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Requires):
            yield inner.call.permission
        yield from _required(inner)
