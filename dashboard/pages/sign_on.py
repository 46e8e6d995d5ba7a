"""The way in by single sign-on: to the provider, and back with an answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from dashboard.pages.access import signed_in, visit_of
from dashboard.permissions import Permission, Requires, is_secure
from dashboard.rendering import language_of, render
from sync import language
from sync.errors import NotFound, SyncError
from sync.identity import signing_in
from sync.identity.sign_on import Provider, require_https
from sync.project import Project

COOKIE, BACK = "kehu_sign_on", "/sign-on/callback"
MINUTES = 10
ONWARDS = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>kehu</title>'
"""A page of our own, so that the browser sends the session's cookie: after a redirect from elsewhere it would not."""

router = APIRouter(dependencies=[Depends(Requires(Permission.PUBLIC))])


@router.get("/sign-on")
async def begin(request: Request) -> Response:
    """Send the browser to the provider; a cookie binds the answer to it."""
    token = request.app.state.access.sign_on_token(MINUTES * 60)
    try:
        provider = provider_of(request)
        address = await run_in_threadpool(provider.address, token)
    except SyncError as error:
        return _told(request, error)
    response = RedirectResponse(address, status_code=303)
    response.set_cookie(
        COOKIE, token, max_age=MINUTES * 60, httponly=True, samesite="lax", secure=is_secure(request), path="/sign-on"
    )
    return response


@router.get(BACK)
async def come_back(request: Request) -> Response:
    """Believe the provider's answer, or not."""
    token = request.cookies.get(COOKIE, "")
    answer = {name: value for name, value in request.query_params.items() if len(value) <= 4_000}
    try:
        provider = provider_of(request)
        if not request.app.state.access.knows_sign_on(token):
            answer["state"] = ""  # too late, or another browser
            token = token or "-"
        made = await run_in_threadpool(_signed_in_as, request, provider, token, answer)
    except SyncError as error:
        return _told(request, error)
    response = signed_in(request, made, HTMLResponse(ONWARDS))
    response.delete_cookie(COOKIE, path="/sign-on")
    return response


def _signed_in_as(request: Request, provider: Provider, token: str, answer: dict[str, str]) -> str:
    person = provider.person(token, answer)
    database = request.app.state.project.database
    return signing_in.by_sign_on(database, person, visit_of(request))


def provider_of(request: Request) -> Provider:
    """The provider of the settings. Raises NotFound where there is none, Misused for one without HTTPS."""
    project: Project = request.app.state.project
    settings = project.settings.web.sign_on
    if settings is None:
        raise NotFound("Single sign-on is not set up.", remedy="Sign in with name and password.")
    require_https(settings)
    ours = project.settings.web.public_url or f"{request.url.scheme}://{urlsplit(str(request.url)).netloc}"
    known: dict[str, Any] = getattr(request.app.state, "providers", {})
    if known.get("settings") != (settings, ours):
        made = Provider(settings, project.sign_on_secret(), ours + BACK)
        known = request.app.state.providers = {"settings": (settings, ours), "provider": made}
    found: Provider = known["provider"]
    return found


def _told(request: Request, error: SyncError) -> Response:
    told = " ".join(language.told(error, language_of(request)))
    status = 404 if isinstance(error, NotFound) else 403
    return render(request, "sign_in.html", status=status, fault=told, name="")
