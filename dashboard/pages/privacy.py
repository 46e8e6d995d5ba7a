"""The person behind a customer: single fields unmasked for a reason that is kept, and the person erased, whole."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response

from dashboard import showing
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.posting import Form, status_of, told
from dashboard.rendering import render
from mappings.sensitivity import is_personal
from mappings.survivorship import FIELDS
from sync.errors import Misused, NotFound, SyncError
from sync.master import queries
from sync.privacy import erasing, revealing
from sync.privacy.erasing import Erasure
from sync.project import Project

revealed = APIRouter(dependencies=[Depends(Requires(Permission.CUSTOMERS_REVEAL))])
erased = APIRouter(dependencies=[Depends(Requires(Permission.CUSTOMERS_ERASE))])
CustomerId = Annotated[str, Path(max_length=40)]


@revealed.get("/customers/{customer_id}/reveal")
def ask_to_reveal(request: Request, customer_id: CustomerId) -> Response:
    """The form: which fields, and what for."""
    return _reveal(request, customer_id)


@revealed.post("/customers/{customer_id}/reveal")
def reveal(request: Request, customer_id: CustomerId, form: Form) -> Response:
    """The fields, unmasked, this once; who looked and why is in the audit log."""
    try:
        with _project(request).database.transaction() as connection:
            by, reason = principal_of(request).actor, form.text("reason", revealing.LONGEST)
            found = revealing.reveal(connection, customer_id, form.many("field"), reason, by=by)
    except SyncError as error:
        return _reveal(request, customer_id, error=error, chosen=form.many("field"))
    return _reveal(request, customer_id, found=found)


@erased.get("/customers/{customer_id}/erase")
def ask_to_erase(request: Request, customer_id: CustomerId) -> Response:
    """What an erasure would take, or the receipt of the one that was."""
    return _erase(request, customer_id)


@erased.post("/customers/{customer_id}/erase")
def erase(request: Request, customer_id: CustomerId, form: Form) -> Response:
    """Erase the person, if the id was typed once more and the customer is as it was seen."""
    try:
        if form.word("confirm").upper() != customer_id.upper():
            raise Misused("Type the customer’s id to confirm.", remedy="It stands above the field.")
        by = principal_of(request).actor
        done = erasing.erase(_project(request), customer_id, by=by, version=form.number("version"))
    except SyncError as error:
        return _erase(request, customer_id, error=error)
    return _erase(request, customer_id, done=done)


router = APIRouter()
router.routes.extend([*revealed.routes, *erased.routes])


def _reveal(
    request: Request,
    customer_id: str,
    *,
    found: dict[str, Any] | None = None,
    error: SyncError | None = None,
    chosen: list[str] | None = None,
) -> Response:
    with _project(request).database.reading() as connection:
        customer = queries.get(connection, customer_id, with_sources=False)
    if customer is None:
        raise HTTPException(404)
    return render(
        request,
        "reveal.html",
        status=200 if error is None else status_of(error),
        customer=customer,
        name=showing.eyes_of(request).name(customer.kind, customer.name) or customer.id,
        fields=[name for name in FIELDS if name in customer.golden and is_personal(customer.kind, name)],
        chosen=chosen or [],
        found=found,
        faults=[] if error is None else told(request, error),
    )


def _erase(
    request: Request, customer_id: str, *, done: Erasure | None = None, error: SyncError | None = None
) -> Response:
    project = _project(request)
    try:
        found = erasing.precheck(project, customer_id)
    except NotFound:
        raise HTTPException(404) from None
    if done is None:
        with project.database.reading() as connection:
            done = erasing.of_customer(connection, found.customer)
    return render(
        request,
        "erase.html",
        status=200 if error is None else status_of(error),
        found=found,
        done=done,
        faults=[] if error is None else told(request, error),
        pretty=showing.pretty,
    )


def _project(request: Request) -> Project:
    found: Project = request.app.state.project
    return found
