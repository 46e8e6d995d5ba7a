"""Errors as ``application/problem+json`` (RFC 9457): a stable code, the place, a remedy; in the caller's language."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Scope

from connectors.errors import ConnectorError
from mappings.errors import MappingError
from sync import language
from sync.errors import DatabaseUnavailable, Misused, NotFound, Refused, SchemaMismatch, SyncError
from sync.faults import reason
from sync.idempotency import InFlight
from sync.identity.errors import Forbidden, NotSignedIn, TooManyAttempts
from sync.language import Phrase

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
"""What lies below is told as a problem; everything else as a page."""

DATABASE_ERRORS = (SQLAlchemyError, psycopg.Error, sqlite3.Error)
"""What SQLAlchemy and the drivers below it raise."""

log = structlog.get_logger(__name__)


class Problem(SyncError):
    """An error of the interface itself, with its HTTP status and code."""

    default_remedy = "Read the description of the interface: /api/v1/openapi.json."

    def __init__(
        self,
        template: str,
        *,
        status: int,
        code: str,
        remedy: str | None = None,
        parameter: str | None = None,
        pointer: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(template, remedy=remedy, **params)
        self.status, self.code = status, code
        self.headers, self.more = dict(headers or {}), dict(more or {})
        self.parameter, self.pointer = parameter, pointer


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a request something is wrong: a JSON pointer into the body, or the name of a parameter."""

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None

    def told(self, chosen: str) -> dict[str, str]:
        """As JSON."""
        said = {"detail": _say(self.detail, chosen), "code": self.code}
        where = {"pointer": self.pointer, "parameter": self.parameter}
        return said | {name: value for name, value in where.items() if value is not None}


STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotSignedIn, 401),
    (Forbidden, 403),
    (TooManyAttempts, 429),
    (InFlight, 409),
    (NotFound, 404),
    (Misused, 422),
    (Refused, 409),
    (SchemaMismatch, 503),
    (DatabaseUnavailable, 503),
    (MappingError, 422),
    (ConnectorError, 502),
)
"""The first class that fits tells the status of an error."""

TITLES = {
    400: Phrase("The request is not right"),
    401: Phrase("Not signed in"),
    403: Phrase("Not allowed"),
    404: Phrase("There is nothing here"),
    405: Phrase("Not possible here"),
    406: Phrase("No such format"),
    409: Phrase("Not possible at this moment"),
    410: Phrase("No longer here"),
    412: Phrase("It was changed in the meantime"),
    413: Phrase("Too large"),
    414: Phrase("The address is too long"),
    415: Phrase("Not a format that is read here"),
    421: Phrase("Unknown host"),
    422: Phrase("Something in the request is not right"),
    429: Phrase("Too many requests"),
    502: Phrase("Another system did not answer"),
    503: Phrase("Not available"),
}
_UNFORESEEN = Phrase("Something unexpected happened")


def is_api(request: Request) -> bool:
    """Whether errors of this request are told as problems rather than as pages."""
    return request.url.path.startswith(PREFIX)


def of_error(request: Request, error: Exception) -> Response:
    """The answer to any exception. What nobody foresaw is told without its text, which may hold anything."""
    if isinstance(error, RequestValidationError):
        return _invalid(request, error)
    if isinstance(error, HTTPException):
        return _http(request, error)
    if isinstance(error, DATABASE_ERRORS):
        return _database(request, error)
    if isinstance(error, SyncError | ConnectorError | MappingError):
        return _told(request, error)
    log.error("an unforeseen error", exc_info=error)
    return respond(request, 500, "internal_error", _REPORT, "")


def respond(
    request: Request,
    status: int,
    code: str,
    detail: str,
    remedy: str,
    *,
    errors: Sequence[Place] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A problem. ``detail`` and ``remedy`` are in the caller's language already, or phrases."""
    chosen = language_of(request.scope)
    body: dict[str, Any] = {
        "type": f"urn:kehu:problem:{code}",
        "title": _say(TITLES.get(status, _UNFORESEEN), chosen),
        "status": status,
        "code": code,
        "detail": _say(detail, chosen),
        "instance": request.url.path,
        "request_id": request.scope.get("state", {}).get("request_id", ""),
    }
    if remedy:
        body["remedy"] = _say(remedy, chosen)
    if errors:
        body["errors"] = [place.told(chosen) for place in errors]
    sent = {"Content-Language": chosen, "Vary": "Accept-Language", **(headers or {})}
    return Response(orjson.dumps({**body, **(more or {})}), status, sent, media_type=MEDIA_TYPE)


def language_of(scope: Scope) -> str:
    """The first language of ours in Accept-Language, else the project's."""
    wanted = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")[:400]
    preferred = [part.partition(";")[0].strip() for part in wanted.split(",")]
    known = next((one for one in preferred if language.known(one)), None)
    project = getattr(getattr(scope.get("app"), "state", None), "project", None)
    return language.choose(known, None if project is None else project.settings.language)


def refuse(scope: Scope, problem: Problem) -> ASGIApp:
    """The answer of the guard, which stands before everything else."""
    if not scope["path"].startswith(PREFIX):
        return PlainTextResponse(str(problem), status_code=problem.status)
    return _told(Request(scope), problem)


def unknown_host() -> Problem:
    """The Host header names somebody else (DNS rebinding)."""
    return Problem(
        "Unknown host.", status=421, code="unknown_host", remedy="Use the address that kehu.yaml tells under `web:`."
    )


def cross_site() -> Problem:
    """A page of another site asks."""
    return Problem("Not from other sites.", status=403, code="cross_site", remedy="Call from a program, with a key.")


def address_too_long() -> Problem:
    """The query string is too long."""
    return Problem("The address is too long.", status=414, code="address_too_long", remedy="Ask for less at once.")


def not_text() -> Problem:
    """The address holds a NUL."""
    return Problem("The address is not text.", status=422, code="not_text", remedy="Leave out %00.")


def too_large(limit: int) -> Problem:
    """The body is too long."""
    return Problem(
        "The body may have {limit} bytes.", status=413, code="too_large", limit=limit, remedy="Send less at once."
    )


_REPORT = Phrase("An unexpected error stopped this. The log tells more under this request's id.")


def _told(request: Request, error: SyncError | ConnectorError | MappingError) -> Response:
    chosen = language_of(request.scope)
    detail, remedy = language.told(error, chosen)
    if isinstance(error, Problem):
        places = _place_of(error, detail)
        return respond(
            request, error.status, error.code, detail, remedy, errors=places, headers=error.headers, more=error.more
        )
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    headers = {"WWW-Authenticate": 'Bearer realm="kehu"'} if status == 401 else {}
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after)
    return respond(request, status, error.code, detail, remedy, headers=headers)


def _place_of(error: Problem, detail: str) -> list[Place]:
    if error.parameter is None and error.pointer is None:
        return []
    return [Place(detail, error.code, error.pointer, error.parameter)]


def _database(request: Request, error: Exception) -> Response:
    log.error("the database failed", kind=type(error).__name__)
    detail = Phrase("The database does not answer.")
    return respond(request, 503, "database_unavailable", detail, Phrase("Try again in a moment."))


def _http(request: Request, error: HTTPException) -> Response:
    known = {404: "not_found", 405: "method_not_allowed", 400: "bad_request", 413: "too_large"}
    code = known.get(error.status_code, f"http_{error.status_code}")
    title = TITLES.get(error.status_code, _UNFORESEEN)
    return respond(request, error.status_code, code, title, Phrase("Check the address."), headers=error.headers)


def places_of(error: RequestValidationError) -> list[Place]:
    """Where a request that was refused is wrong, at most twenty places."""
    return [_wrong(dict(details)) for details in error.errors()[:20]]


def _invalid(request: Request, error: RequestValidationError) -> Response:
    places = places_of(error)
    malformed = any(place.code == "json_invalid" for place in places)
    status, code = (400, "malformed_json") if malformed else (422, "invalid_request")
    return respond(
        request, status, code, TITLES[status], Phrase("Correct the places named in `errors`."), errors=places
    )


def _wrong(details: dict[str, Any]) -> Place:
    where, *place = details["loc"]
    kind = details["type"]
    if kind == "json_invalid":
        return Place(Phrase("The body is not JSON."), kind, pointer="")
    said = _SAID.get(kind) or reason(details)
    if where == "body":
        return Place(said, kind, pointer="".join(f"/{_escaped(part)}" for part in place))
    return Place(said, kind, parameter=".".join(map(str, place)))


_SAID = {
    "missing": Phrase("it must be given"),
    "extra_forbidden": Phrase("there is nothing of this name"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), Phrase("a JSON object is wanted")),
}


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _say(words: str, chosen: str) -> str:
    return language.text(words.template, words.params, chosen) if isinstance(words, Phrase) else words
