"""``/api/v1/quarantine``: records that did not fit; trying them again, or leaving them out."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

import orjson
from fastapi import Path, Query, Request, Response
from pydantic import Field

from dashboard.api import paging, schemas
from dashboard.api.answers import answer
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.api.wording import told
from dashboard.permissions import Permission, principal_of
from sync import audit
from sync.privacy.masking import HIDDEN, hidden, masked_id
from sync.runs import services
from sync.runs.services import Quarantined
from sync.runs.wording import Wording

reading = resource("quarantine", Permission.QUARANTINE_READ)
writing = resource("quarantine", Permission.QUARANTINE_WRITE)

MOST = 1_000
LONGEST_PAYLOAD = 200_000
Number = Annotated[int, Field(ge=1, lt=1 << 63)]


class Chosen(schemas.Body):
    """Some records in quarantine."""

    ids: list[Number] = Field(min_length=1, max_length=MOST, examples=[[1]])


class Ignored(Chosen):
    """Some records in quarantine, and why they are to stay out."""

    note: str = Field("", max_length=500)


class Count(schemas.Schema):
    """How many records it was."""

    records: int


class ReplayedOut(schemas.Schema):
    """What became of one record."""

    id: int
    landed: bool
    code: str | None
    message: str | None


@reading.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.QuarantinedOut]}})
def list_quarantine(
    request: Request,
    state: Annotated[Literal["open", "ignored", "resolved"], Query()] = "open",
    code: Annotated[str | None, Query(max_length=60, description="Only with this error code.")] = None,
    path: Annotated[str | None, Query(max_length=400, description="Only where this field is at fault.")] = None,
    limit: Limit = paging.DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List records in quarantine, the oldest first."""
    filters = {"state": state, "code": code, "path": path}
    after = paging.decode(cursor, filters, [int])
    with request.app.state.project.database.reading() as connection:
        found = services.quarantined(
            connection, code=code, path=path, state=state, after_id=after[0] if after else 0, limit=limit + 1
        )
    return answer(request, paging.page(found, limit, filters, lambda one: [one.id], lambda one: _shown(request, one)))


@reading.get(
    "/{id}",
    response_model=None,
    responses={200: {"model": schemas.QuarantinedWhole}, **problem(404, "No such record: `not_found`.")},
)
def get_quarantined(
    request: Request, id: Annotated[int, Path(ge=1, lt=1 << 63, description="The record's number.", examples=[1])]
) -> Response:
    """Get one record in quarantine, with what came."""
    with request.app.state.project.database.reading() as connection:
        found = services.show_quarantined(connection, id)
    payload = _payload(found.payload)
    if not principal_of(request).may(Permission.PERSONAL_READ):
        payload = hidden(payload)
    return answer(request, {**_shown(request, found), "payload": payload})


@writing.post("/ignore", response_model=None, responses={200: {"model": Count}})
def ignore(request: Request, body: Ignored, idempotency_key: IdempotencyKey = None) -> Response:
    """Leave records out for as long as they come with the same content."""
    with unit_of_work(request) as unit:
        count = services.ignore_quarantined(unit.connection, body.ids, body.note)
        who = principal_of(request).actor
        audit.record(unit.connection, who, "quarantine.ignored", "quarantine", {"ids": body.ids, "records": count})
        return unit.answer({"records": count})


@writing.post("/replay", response_model=None, responses={200: {"model": schemas.Page[ReplayedOut]}})
def replay(request: Request, body: Chosen, idempotency_key: IdempotencyKey = None) -> Response:
    """Map and land records again, e.g. after the mapping was corrected."""
    project = request.app.state.project
    outcome = services.replay(project, body.ids)
    landed = sum(one.failure is None for one in outcome)
    with unit_of_work(request) as unit:
        details = {"ids": body.ids, "landed": landed}
        audit.record(unit.connection, principal_of(request).actor, "quarantine.replayed", "quarantine", details)
        return unit.answer({"data": [_replayed(request, one) for one in outcome], "next_cursor": None})


def _replayed(request: Request, one: services.Replayed) -> dict[str, Any]:
    failure = one.failure
    return {
        "id": one.id,
        "landed": failure is None,
        "code": None if failure is None else failure.code,
        "message": None if failure is None else told(request, failure.message),
    }


def _shown(request: Request, one: Quarantined) -> dict[str, Any]:
    personal = principal_of(request).may(Permission.PERSONAL_READ)
    message = one.message if personal else without_value(one.message)
    return {
        "id": one.id,
        "connection": one.connection,
        "stream": one.stream,
        "source_id": one.source_id if personal else masked_id(one.source_id),
        "state": one.state,
        "code": one.code,
        "path": one.path,
        "value": one.value if personal or not one.value else HIDDEN,
        "rule": one.rule,
        "message": told(request, message),
        "remedy": told(request, one.remedy),
        "attempts": one.attempts,
        "run_id": one.run_id,
        "first_seen_at": one.first_seen_at,
        "last_seen_at": one.last_seen_at,
        "note": one.note,
    }


def without_value(message: Wording) -> Wording:
    """The text without what stood in the record."""
    params = {name: part if name in _NOT_OF_RECORDS else HIDDEN for name, part in message.params.items()}
    return message._replace(params=params)


_NOT_OF_RECORDS = frozenset({"path", "rule", "field", "kind", "limit", "longest", "known", "scheme", "expected"})
"""Places of texts that are filled from the mapping or the program, never from the record itself."""


def _payload(payload: bytes) -> Any:
    if len(payload) <= LONGEST_PAYLOAD:
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(payload)
    return payload[:LONGEST_PAYLOAD].decode(errors="replace")
