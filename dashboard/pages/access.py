"""The way in: a one-time link becomes a session, and a session can be ended."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from dashboard.permissions import Permission, Requires, cookie_name
from dashboard.rendering import render
from sync.access import SESSION_SECONDS

router = APIRouter(dependencies=[Depends(Requires(Permission.PUBLIC))])


@router.get("/enter")
def enter(request: Request, token: str = "") -> Response:
    """Use a link's token; the session's cookie is out of reach for scripts and other sites."""
    access = request.app.state.access
    if not access.use(token):
        return render(request, "sign_in.html", status=401)
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        cookie_name(request),
        access.session_token(),
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
    )
    return response
