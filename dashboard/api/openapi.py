"""The description of the interface: OpenAPI 3.1, made from the routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.openapi.utils import get_openapi

from dashboard.api import answers
from dashboard.api.routes import LONGEST_KEY, PREFIX
from dashboard.api.schemas import ProblemBody
from dashboard.permissions import SAFE, Permission, Requires, permissions_of

router = APIRouter(prefix=PREFIX, dependencies=[Depends(Requires(Permission.PUBLIC))], include_in_schema=False)

ABOUT = """The customer master: golden records, their history and origin, and how the syncs stand.

Every error is `application/problem+json` with a stable `code`. Lists go on with `next_cursor`. Every write takes an
`Idempotency-Key`: the same key with the same request gives the same answer for a day.
"""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=LONGEST_KEY,
        description="Sent again with the same request within a day, it gives the same answer and does nothing.",
    ),
]


@router.get("/openapi.json")
def description(request: Request) -> Response:
    """The description itself, for anybody: it tells nothing of the data."""
    return answers.answer(request, of(request.app))


def of(app: FastAPI) -> dict[str, Any]:
    """The description of an application's interface; made once."""
    known = getattr(app.state, "openapi", None)
    if known is None:
        known = app.state.openapi = _made(app)
    return dict(known)


def _made(app: FastAPI) -> dict[str, Any]:
    routes = [route for route in app.routes if getattr(route, "path", "").startswith(PREFIX)]
    made = get_openapi(title="kehu", version="1", openapi_version="3.1.0", description=ABOUT, routes=routes)
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["Problem"].pop("$defs", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `kehu_…`."},
    }
    for route in routes:
        _complete(made, route)
    return made


def _complete(made: dict[str, Any], route: Any) -> None:
    """What FastAPI does not know: the permission, and the request id of every answer."""
    for method in getattr(route, "methods", ()):
        operation = made["paths"].get(route.path, {}).get(method.lower())
        if operation is None:
            continue
        needed = permissions_of(route)[0]
        operation["security"] = [] if needed is Permission.PUBLIC else [{"key": []}]
        operation["x-permission"] = needed.value
        for response in operation["responses"].values():
            response.setdefault("headers", {})["X-Request-Id"] = {"schema": {"type": "string"}}
        if method not in SAFE:
            operation["responses"].setdefault("409", _conflict())


def _conflict() -> dict[str, Any]:
    return {
        "description": "The same Idempotency-Key is being worked on, or the state of things forbids it now.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "headers": {"X-Request-Id": {"schema": {"type": "string"}}},
    }
