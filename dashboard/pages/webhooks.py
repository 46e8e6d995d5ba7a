"""Webhooks: endpoints that are told of changes; their deliveries, tests, and what is sent once more."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from dashboard import showing
from dashboard.notices import redirect
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, Posted, status_of, told
from dashboard.rendering import render
from sync.delivery import services
from sync.delivery.services import TYPES, Created, Wanted
from sync.errors import Misused, SyncError
from sync.project import Project

reading = APIRouter(dependencies=[Depends(Requires(Permission.WEBHOOKS_READ))])
writing = APIRouter(dependencies=[Depends(Requires(Permission.WEBHOOKS_WRITE))])

PAGE = 30
OVERLAP = timedelta(hours=24)
"""How long the old secret signs too after a rotation from a page."""
EndpointId = Annotated[str, Path(max_length=20)]


@reading.get("/webhooks")
def show_all(request: Request) -> Response:
    """The endpoints and how they stand."""
    return _list(request)


@writing.post("/webhooks")
def create(request: Request, form: Form) -> Response:
    """A new endpoint; its secret is shown this once."""
    project = _project(request)
    try:
        wanted = _wanted(request, form)
        with project.database.transaction() as connection:
            allowed = project.settings.webhooks.allow_private
            by = principal_of(request).actor
            made = services.create(connection, project.vault, wanted, by=by, allow_private=allowed)
    except SyncError as error:
        return _list(request, error=error, form=form)
    return _one(request, made.endpoint.id, made=made)


@reading.get("/webhooks/{endpoint_id}")
def show(
    request: Request,
    endpoint_id: EndpointId,
    outcome: Literal["delivered", "failed", "given_up"] | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """One endpoint with its deliveries and what happened to it."""
    return _one(request, endpoint_id, outcome=outcome, before=before)


@writing.post("/webhooks/{endpoint_id}")
def act(request: Request, endpoint_id: EndpointId, form: Form) -> Response:
    """Change, test, enable, disable, rotate or remove an endpoint, or send a change once more."""
    project, said = _project(request), form.word("act")
    try:
        if said == "test":
            return _tested(request, endpoint_id)
        with project.database.transaction() as connection:
            made = _done(request, connection, endpoint_id, said, form)
    except SyncError as error:
        return _one(request, endpoint_id, error=error)
    if made is not None:
        return _one(request, endpoint_id, made=made)
    return redirect("/webhooks" if said == "remove" else f"/webhooks/{endpoint_id}", f"webhook-{said}")


router = APIRouter()
router.routes.extend([*reading.routes, *writing.routes])


def _done(request: Request, connection: Connection, endpoint_id: str, said: str, form: Posted) -> Created | None:
    project, by = _project(request), principal_of(request).actor
    if said == "rotate":
        return services.rotate(connection, project.vault, endpoint_id, by=by, overlap=OVERLAP)
    if said == "change":
        allowed = project.settings.webhooks.allow_private
        services.change(connection, endpoint_id, _wanted(request, form), by=by, allow_private=allowed)
    elif said == "replay":
        known, number = services.get(connection, endpoint_id), form.number("seq")
        if number is None:
            raise Misused("There is nothing of that kind to do.")
        services.replay(connection, known, number, number, by=by)
    elif said == "enable":
        services.enable(connection, endpoint_id, by=by)
    elif said == "disable":
        services.disable(connection, endpoint_id, by=by)
    elif said == "remove":
        services.remove(connection, endpoint_id, by=by)
    else:
        raise Misused("There is nothing of that kind to do.")
    return None


def _tested(request: Request, endpoint_id: str) -> RedirectResponse:
    project = _project(request)
    by, allowed = principal_of(request).actor, project.settings.webhooks.allow_private
    attempt = services.send_test(project.database, project.vault, endpoint_id, by=by, allow_private=allowed)
    accepted = attempt.outcome == "delivered"
    return redirect(f"/webhooks/{endpoint_id}", "webhook-tested" if accepted else "webhook-refused")


def _list(request: Request, *, error: SyncError | None = None, form: Posted | None = None) -> Response:
    with _project(request).database.reading() as connection:
        found = services.all_endpoints(connection)
        waiting = {one.id: services.queue_length(connection, one.id) for one in found}
    return render(
        request, "webhooks.html", status=200 if error is None else status_of(error), endpoints=found, waiting=waiting,
        types=TYPES, url=form.text("url", 2_000) if form else "", description=form.word("description") if form else "",
        chosen=form.many("type") if form else [], faults=[] if error is None else told(request, error),
        personal=showing.eyes_of(request).personal,
    )  # fmt: skip


def _one(
    request: Request, endpoint_id: str, *, outcome: str | None = None, before: int | None = None,
    made: Created | None = None, error: SyncError | None = None,
) -> Response:  # fmt: skip
    personal = showing.eyes_of(request).personal
    with _project(request).database.reading() as connection:
        endpoint = services.get(connection, endpoint_id)
        attempts = services.latest_attempts(connection, endpoint_id, outcome=outcome, before=before, limit=PAGE + 1)
        notices = services.latest_notices(connection, endpoint_id, limit=10)
        waiting = services.queue_length(connection, endpoint_id)
    status = 201 if made is not None else 200 if error is None else status_of(error)
    return render(
        request, "webhook.html", status=status, one=endpoint, attempts=attempts[:PAGE], waiting=waiting,
        more=attempts[PAGE - 1].id if len(attempts) > PAGE else None, newest=before is None, happened=notices,
        outcome=outcome, secret=made.secret.get_secret_value() if made is not None else "", types=TYPES,
        faults=[] if error is None else told(request, error), personal=personal,
    )  # fmt: skip


def _wanted(request: Request, form: Posted) -> Wanted:
    """What the form asks for; who may not read personal data cannot have it sent either."""
    thin = form.has("thin")
    if not thin:
        principal_of(request).require(Permission.PERSONAL_READ)
    payload = "thin" if thin else "full"
    return Wanted(form.text("url", 2_000), form.many("type"), form.text("description", 200), payload)


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found
