"""``/api/v1/me``: who is asking, and what they may do."""

from __future__ import annotations

from fastapi import Request, Response

from dashboard.api import schemas
from dashboard.api.answers import answer
from dashboard.api.routes import resource
from dashboard.permissions import Permission, form_token, principal_of

router = resource("me", Permission.SELF)


@router.get("", response_model=None, responses={200: {"model": schemas.MeOut}})
def me(request: Request) -> Response:
    """Who is asking, and what they may do."""
    visitor = principal_of(request)
    data = {
        "user": visitor.user,
        "role": visitor.role,
        "key": visitor.key,
        "permissions": sorted(visitor.permissions),
        "csrf_token": None if visitor.session is None else form_token(request),
    }
    return answer(request, data)
