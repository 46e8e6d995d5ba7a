"""``/api/v1/webhooks``: endpoints that are told of changes, their delivery log, tests and replays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request, Response
from pydantic import Field, SecretStr

from dashboard.api import paging, schemas
from dashboard.api.answers import answer, require_match
from dashboard.api.changes import Kind
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.api.wording import told
from dashboard.permissions import Permission, principal_of
from sync.delivery import services
from sync.delivery.services import LONGEST_OVERLAP, TYPES, Attempt, Created, Endpoint, Notice, Wanted
from sync.feed import tokens
from sync.master.identity import parse_public_id
from sync.project import Project

reading = resource("webhooks", Permission.WEBHOOKS_READ)
writing = resource("webhooks", Permission.WEBHOOKS_WRITE)

WebhookId = Annotated[str, Path(max_length=20, description="The endpoint's id.", examples=["we_abcdefghijkl"])]
MISSING = problem(404, "No such webhook: `not_found`.")
STALE = problem(412, "`If-Match` names another state: `changed_meanwhile`.")
Url = Annotated[str, Field(max_length=2_000, description="https, public", examples=["https://shop.example/hooks"])]
Types = Annotated[list[Kind], Field(max_length=len(TYPES), description="only these events; empty: all")]
About = Annotated[str, Field(max_length=200, examples=["web shop"])]
Payload = Annotated[
    Literal["full", "thin"],
    Field(description="thin: which fields changed, without their values; full needs the permission `personal:read`"),
]
Secret = Annotated[
    SecretStr | None, Field(max_length=120, description="`whsec_` and 24 to 64 bytes in base64; null: one is made")
]


class NewWebhook(schemas.Body):
    """An endpoint to be made."""

    url: Url
    types: Types = Field(default_factory=list)
    description: About = ""
    payload: Payload = "full"
    secret: Secret = None


class WebhookChange(schemas.Body):
    """What is to be different; what is left out stays."""

    url: Url | None = None
    types: Types | None = None
    description: About | None = None
    payload: Payload | None = None


class Rotation(schemas.Body):
    """A new secret."""

    overlap_hours: int = Field(24, ge=0, le=LONGEST_OVERLAP, description="how long the old one signs too")
    secret: Secret = None


class Range(schemas.Body):
    """Changes to be delivered once more."""

    after: str = Field(max_length=tokens.LONGEST, description="the token before the first, from the change feed")
    until: str | None = Field(None, max_length=tokens.LONGEST, description="the token of the last; null: up to now")
    customer: str | None = Field(None, max_length=40, description="only this customer's")


class WebhookOut(schemas.Schema):
    """An endpoint, without its secret."""

    id: str
    url: str
    description: str
    types: list[str]
    payload: Literal["full", "thin"]
    state: Literal["active", "disabled"]
    reason: Literal["by_hand", "gone", "failing"] | None = Field(description="why it is disabled")
    token: str = Field(description="changes up to here are delivered, or wait")
    waiting: int = Field(description="changes that are taken in and not yet delivered")
    failures: int = Field(description="in a row")
    failing_since: datetime | None
    delivered_at: datetime | None = Field(description="the latest success")
    old_secret_until: datetime | None
    created_by: str
    created_at: datetime
    changed_at: datetime


class WebhookCreated(WebhookOut):
    """An endpoint with its secret."""

    secret: str = Field(description="verifies the signatures; it is shown this once")


class DeliveryOut(schemas.Schema):
    """One attempt."""

    id: int
    type: str
    customer: str | None
    seq: int | None = Field(description="the change; null: a test")
    at: datetime
    milliseconds: int
    outcome: Literal["delivered", "failed", "given_up"]
    attempt: int
    status: int | None
    error: str | None
    answer: str = Field(description="the beginning of the receiver's answer, secrets and personal data masked")


class DeliveryWhole(DeliveryOut):
    """One attempt with its request."""

    request: dict[str, Any] = Field(description="values only with the permission `personal:read`; no signature")


class NoticeOut(schemas.Schema):
    """Something that happened to an endpoint."""

    id: int
    at: datetime
    kind: Literal["failing", "recovered", "held", "released", "given_up", "disabled", "enabled", "lost"]
    text: str


class ReplayOut(schemas.Schema):
    """A replay that was asked for."""

    changes: int = Field(description="how many are delivered once more")


@reading.get("", response_model=None, responses={200: {"model": schemas.Page[WebhookOut]}})
def list_webhooks(request: Request, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Response:
    """List the endpoints."""
    after = paging.decode(cursor, {}, [str])
    with request.app.state.project.database.reading() as connection:
        found = services.all_endpoints(connection, after=after[0] if after else "", limit=limit + 1)
        page = paging.page(found, limit, {}, lambda one: [one.id], lambda one: _shown(connection, one))
    return answer(request, page)


@reading.get("/{id}", response_model=None, responses={200: {"model": WebhookOut}, **MISSING})
def get_webhook(request: Request, id: WebhookId) -> Response:
    """Get one endpoint, without its secret."""
    with request.app.state.project.database.reading() as connection:
        found = services.get(connection, id)
        return answer(request, _shown(connection, found), tag=_tag(found))


@writing.post("", status_code=201, response_model=None, responses={201: {"model": WebhookCreated}})
def create_webhook(request: Request, body: NewWebhook, idempotency_key: IdempotencyKey = None) -> Response:
    """Make an endpoint: it is told of every change from now on."""
    project = _project(request)
    _may(request, body.payload)
    with unit_of_work(request) as unit:
        wanted = Wanted(body.url, body.types, body.description, body.payload)
        made = services.create(
            unit.connection,
            project.vault,
            wanted,
            by=principal_of(request).actor,
            allow_private=project.settings.webhooks.allow_private,
            secret=_told(body.secret),
        )
        location = f"{request.url.path}/{made.endpoint.id}"
        data = _with_secret(unit.connection, made)
        return unit.answer(data, status=201, tag=_tag(made.endpoint), headers={"Location": location})


@writing.patch("/{id}", response_model=None, responses={200: {"model": WebhookOut}, **MISSING, **STALE})
def change_webhook(
    request: Request, id: WebhookId, body: WebhookChange, idempotency_key: IdempotencyKey = None
) -> Response:
    """Change an endpoint; what waits is sent in the new way."""
    project = _project(request)
    with unit_of_work(request) as unit:
        known = services.get(unit.connection, id)
        require_match(request, _tag(known))
        _may(request, body.payload or known.payload)
        found = services.change(
            unit.connection,
            id,
            Wanted(body.url, body.types, body.description, body.payload),
            by=principal_of(request).actor,
            allow_private=project.settings.webhooks.allow_private,
        )
        return unit.answer(_shown(unit.connection, found), tag=_tag(found))


@writing.delete("/{id}", status_code=204, response_model=None, responses={204: {"description": "Gone."}, **MISSING})
def remove_webhook(request: Request, id: WebhookId, idempotency_key: IdempotencyKey = None) -> Response:
    """Remove an endpoint with its queue and its log."""
    with unit_of_work(request) as unit:
        services.remove(unit.connection, id, by=principal_of(request).actor)
    return Response(status_code=204)


@writing.post("/{id}/enable", response_model=None, responses={200: {"model": WebhookOut}, **MISSING})
def enable_webhook(request: Request, id: WebhookId, idempotency_key: IdempotencyKey = None) -> Response:
    """Go on where an endpoint stopped."""
    with unit_of_work(request) as unit:
        found = services.enable(unit.connection, id, by=principal_of(request).actor)
        return unit.answer(_shown(unit.connection, found), tag=_tag(found))


@writing.post("/{id}/disable", response_model=None, responses={200: {"model": WebhookOut}, **MISSING})
def disable_webhook(request: Request, id: WebhookId, idempotency_key: IdempotencyKey = None) -> Response:
    """Send nothing more; what changes meanwhile waits for as long as changes are kept."""
    with unit_of_work(request) as unit:
        found = services.disable(unit.connection, id, by=principal_of(request).actor)
        return unit.answer(_shown(unit.connection, found), tag=_tag(found))


@writing.post("/{id}/rotate", response_model=None, responses={200: {"model": WebhookCreated}, **MISSING})
def rotate_secret(request: Request, id: WebhookId, body: Rotation, idempotency_key: IdempotencyKey = None) -> Response:
    """Make a new secret; the old one signs too for a while."""
    project = _project(request)
    with unit_of_work(request) as unit:
        made = services.rotate(
            unit.connection,
            project.vault,
            id,
            by=principal_of(request).actor,
            overlap=timedelta(hours=body.overlap_hours),
            secret=_told(body.secret),
        )
        return unit.answer(_with_secret(unit.connection, made), tag=_tag(made.endpoint))


@writing.post("/{id}/test", response_model=None, responses={200: {"model": DeliveryOut}, **MISSING})
def send_test(request: Request, id: WebhookId, idempotency_key: IdempotencyKey = None) -> Response:
    """Send a message that tells of nothing, now; the answer says whether it was accepted."""
    project = _project(request)
    attempt = services.send_test(
        project.database,
        project.vault,
        id,
        by=principal_of(request).actor,
        allow_private=project.settings.webhooks.allow_private,
    )
    return answer(request, _delivery(request, attempt))


@writing.post("/{id}/replay", status_code=202, response_model=None, responses={202: {"model": ReplayOut}, **MISSING})
def replay_changes(request: Request, id: WebhookId, body: Range, idempotency_key: IdempotencyKey = None) -> Response:
    """Deliver a range of changes once more, in order and with the same ids."""
    customer = None if body.customer is None else parse_public_id(body.customer)
    if body.customer is not None and customer is None:
        raise tokens.BadToken("{customer} is no customer's id.", customer=body.customer, remedy="Check the id.")
    first = tokens.decode(body.after).seq + 1
    with unit_of_work(request) as unit:
        known = services.get(unit.connection, id)
        last = known.position if body.until is None else tokens.decode(body.until).seq
        by = principal_of(request).actor
        count = services.replay(unit.connection, known, first, last, by=by, customer_id=customer)
        return unit.answer({"changes": count}, status=202)


@reading.get("/{id}/deliveries", response_model=None, responses={200: {"model": schemas.Page[DeliveryOut]}, **MISSING})
def list_deliveries(
    request: Request,
    id: WebhookId,
    outcome: Annotated[
        Literal["delivered", "failed", "given_up"] | None, Query(description="Only with this outcome.")
    ] = None,
    limit: Limit = paging.DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """The delivery log of an endpoint, the newest attempt first."""
    filters = {"of": id, "outcome": outcome}
    before = paging.decode(cursor, filters, [int])
    with request.app.state.project.database.reading() as connection:
        services.get(connection, id)
        found = services.latest_attempts(
            connection, id, outcome=outcome, before=before[0] if before else None, limit=limit + 1
        )
    page = paging.page(found, limit, filters, lambda one: [one.id], lambda one: _delivery(request, one))
    return answer(request, page)


@reading.get("/{id}/deliveries/{number}", response_model=None, responses={200: {"model": DeliveryWhole}, **MISSING})
def get_delivery(
    request: Request, id: WebhookId, number: Annotated[int, Path(ge=1, lt=1 << 63, examples=[1])]
) -> Response:
    """Get one attempt with its request, which is made again from the change."""
    personal = principal_of(request).may(Permission.PERSONAL_READ)
    with request.app.state.project.database.reading() as connection:
        endpoint = services.get(connection, id)
        attempt = services.get_attempt(connection, id, number)
        sent = services.request_of(connection, endpoint, attempt, personal=personal)
    return answer(request, {**_delivery(request, attempt), "request": sent})


@reading.get("/{id}/notices", response_model=None, responses={200: {"model": schemas.Page[NoticeOut]}, **MISSING})
def list_notices(request: Request, id: WebhookId, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Response:
    """What happened to an endpoint: when it began to fail, recovered, was disabled; the newest first."""
    before = paging.decode(cursor, {"of": id}, [int])
    with request.app.state.project.database.reading() as connection:
        services.get(connection, id)
        found = services.latest_notices(connection, id, before=before[0] if before else None, limit=limit + 1)
    page = paging.page(found, limit, {"of": id}, lambda one: [one.id], lambda one: _notice(request, one))
    return answer(request, page)


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found


def _may(request: Request, payload: str) -> None:
    """Who may not read personal data cannot have it sent either."""
    if payload == "full":
        principal_of(request).require(Permission.PERSONAL_READ)


def _told(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _tag(one: Endpoint) -> str:
    return f'"{one.revision}"'


def _with_secret(connection: Any, made: Created) -> dict[str, Any]:
    return {**_shown(connection, made.endpoint), "secret": made.secret.get_secret_value()}


def _shown(connection: Any, one: Endpoint) -> dict[str, Any]:
    here = tokens.now(connection)._replace(seq=one.position)
    hidden = {"position", "revision", "resume_at"}
    shown = {name: value for name, value in one._asdict().items() if name not in hidden}
    waiting = services.queue_length(connection, one.id)
    return {**shown, "types": list(one.types), "token": tokens.encode(here), "waiting": waiting}


def _delivery(request: Request, one: Attempt) -> dict[str, Any]:
    shown = {name: value for name, value in one._asdict().items() if name not in ("endpoint_id", "url")}
    return {**shown, "error": told(request, one.error)}


def _notice(request: Request, one: Notice) -> dict[str, Any]:
    return {"id": one.id, "at": one.at, "kind": one.kind, "text": told(request, one.text)}
