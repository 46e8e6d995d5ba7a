"""The ways in and out: a one-time link, name and password, setting a password, signing out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from dashboard.permissions import (
    NotSignedIn,
    Permission,
    Requires,
    cookie_name,
    forget,
    form,
    is_secure,
    principal_of,
    session_token,
)
from dashboard.rendering import language_of, render
from sync import language
from sync.errors import SyncError
from sync.identity import links, sessions, signing_in
from sync.identity.signing_in import Visit
from sync.project import Project

public = APIRouter(dependencies=[Depends(Requires(Permission.PUBLIC))])
own = APIRouter(dependencies=[Depends(Requires(Permission.SELF))])

Token = Annotated[str, Query(max_length=200)]


@public.get("/enter")
def enter(request: Request, token: Token = "") -> Response:
    """Use a link of whoever may read the project's private files; signs in as the local administrator."""
    project, access = request.app.state.project, request.app.state.access
    made = signing_in.by_local_link(project.database, lambda: access.use(token), visit_of(request))
    if made is None:
        return render(request, "sign_in.html", status=401, fault="", name="")
    return signed_in(request, made)


@public.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The form."""
    return render(request, "sign_in.html", fault="", name="")


@public.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Name and password become a session; an earlier one in the same browser ends."""
    sent = await form(request)
    name, password = sent.get("name", ""), sent.get("password", "")
    try:
        made = await run_in_threadpool(_by_password, request, name, password)
    except SyncError as error:
        status = 429 if hasattr(error, "retry_after") else 401
        told = " ".join(language.told(error, language_of(request)))
        return render(request, "sign_in.html", status=status, fault=told, name=name[:120])
    return signed_in(request, made)


@public.get("/set-password")
def set_password_page(request: Request, token: Token = "") -> Response:
    """The form behind a one-time link of a user."""
    try:
        with request.app.state.project.database.reading() as connection:
            name = links.whose(connection, token)
    except NotSignedIn as error:
        told = " ".join(language.told(error, language_of(request)))
        return render(request, "sign_in.html", status=401, fault=told, name="")
    return render(request, "set_password.html", token=token, name=name, fault="")


@public.post("/set-password")
async def set_password(request: Request) -> Response:
    """Set the password, use the link up, and sign in."""
    sent = await form(request)
    try:
        made = await run_in_threadpool(_by_link, request, sent.get("token", ""), sent.get("password", ""))
    except NotSignedIn as error:
        told = " ".join(language.told(error, language_of(request)))
        return render(request, "sign_in.html", status=401, fault=told, name="")
    except SyncError as error:
        told = " ".join(language.told(error, language_of(request)))
        token = sent.get("token", "")[:200]
        return render(request, "set_password.html", status=422, token=token, name="", fault=told)
    return signed_in(request, made)


@own.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session."""
    visitor = principal_of(request)
    if visitor.session is not None:
        signing_in.sign_out(request.app.state.project.database, visitor.session, visitor.actor)
        forget(session_token(request))
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(cookie_name(request))
    return response


router = APIRouter()
router.routes.extend([*public.routes, *own.routes])


def _by_password(request: Request, name: str, password: str) -> str:
    project: Project = request.app.state.project
    return signing_in.by_password(project.database, name, password, visit_of(request))


def _by_link(request: Request, token: str, password: str) -> str:
    project: Project = request.app.state.project
    return signing_in.by_new_password(project.database, token, password, visit_of(request))


def signed_in(request: Request, token: str, response: Response | None = None) -> Response:
    """The cookie is out of reach for scripts and other sites; what it held before is ended."""
    earlier = session_token(request)
    if earlier:
        with request.app.state.project.database.transaction() as connection:
            sessions.end_token(connection, earlier)
        forget(earlier)
    response = response or RedirectResponse("/", status_code=303)
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(sessions.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )
    return response


def visit_of(request: Request) -> Visit:
    """Where a sign-in comes from."""
    address = "" if request.client is None else request.client.host
    return Visit(address, request.headers.get("user-agent", ""))
