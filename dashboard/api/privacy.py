"""``/api/v1/customers/{id}/…``: what concerns the person behind a customer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import Field

from dashboard.api import answers, schemas
from dashboard.api.customers import CustomerId
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.problems import language_of
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.permissions import Permission, principal_of
from sync.errors import Misused
from sync.privacy import erasing, receipts, reporting, revealing
from sync.privacy.printing import printed

revealed = resource("customers", Permission.CUSTOMERS_REVEAL)
erased = resource("customers", Permission.CUSTOMERS_ERASE)
erasures = resource("erasures", Permission.CUSTOMERS_ERASE)

GONE = problem(404, "No such id was ever issued: `not_found`.")

Reason = Annotated[
    str,
    Field(
        min_length=revealing.SHORTEST,
        max_length=revealing.LONGEST,
        description="What it is needed for; the audit log keeps it. No personal data.",
        examples=["ticket 4711: delivery failed"],
    ),
]


class Reveal(schemas.Body):
    """What is to be seen, and what for."""

    reason: Reason
    fields: list[Annotated[str, Field(max_length=60)]] = Field(
        default_factory=list, max_length=40, description="None: all.", examples=[["phones"]]
    )


class RevealedOut(schemas.Schema):
    """The fields asked for, unmasked."""

    id: str
    golden: dict[str, Any]


@revealed.post(
    "/{id}/reveal",
    response_model=None,
    responses={200: {"model": RevealedOut}, **GONE},
)
def reveal_customer(request: Request, id: CustomerId, body: Reveal, idempotency_key: IdempotencyKey = None) -> Response:
    """Read personal data of one customer without the permission to read all: the audit log tells who did, and why."""
    with unit_of_work(request) as unit:
        by = principal_of(request).actor
        found = revealing.reveal(unit.connection, id, body.fields, body.reason, by=by)
        return unit.answer({"id": id, "golden": found}, headers={"Cache-Control": "no-store"})


class ReportOut(schemas.Schema):
    """Everything held on a person."""

    customer: str
    ids: list[str] = Field(description="today's id and all that lead to it")
    status: str
    golden: dict[str, Any]
    consents: list[dict[str, Any]] = Field(description="per channel and purpose, with source and time")
    origin: list[dict[str, Any]]
    records: list[dict[str, Any]] = Field(description="by system: what it is for, what came, what was understood")
    quarantine: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    receivers: list[dict[str, Any]]


class PrecheckOut(schemas.Schema):
    """What an erasure would take."""

    customer: str
    version: int
    kind: str
    records: list[dict[str, str]] = Field(description="delete them in their systems too")
    ids: list[str]
    contacts: int = Field(description="so many keep the person away; nobody else has them")
    shared_contacts: int = Field(description="others have these too: they keep nobody away")
    blockers: list[str]


class Erase(schemas.Body):
    """That it is meant."""

    confirm: str = Field(max_length=40, description="The customer's id, once more.", examples=["C6H4NS4FB2FJSK"])


class ErasureOut(schemas.Schema):
    """An erasure. It is done when it has a receipt; until then, files are being deleted."""

    id: str
    customer: str
    state: str
    requested_by: str
    requested_at: str
    finished_at: str | None
    counts: dict[str, Any]
    receipt: dict[str, Any] | None = Field(description="signed by Ed25519; without personal data")


class VerifiedOut(schemas.Schema):
    """Whether it is ours."""

    valid: bool


class Receipt(schemas.Body):
    """A receipt as it was issued."""

    receipt: dict[str, Any] = Field(examples=[{"kind": receipts.KIND, "signature": "AAAA"}])


@revealed.post(
    "/{id}/report",
    response_model=None,
    responses={200: {"model": ReportOut, "content": {"text/html": {"schema": {"type": "string"}}}}, **GONE},
)
def report_customer(request: Request, id: CustomerId, idempotency_key: IdempotencyKey = None) -> Response:
    """Everything held on the person, by source; with `Accept: text/html` as a page to print. Audited."""
    project = request.app.state.project
    with unit_of_work(request) as unit:
        found = reporting.report(unit.connection, project, id, by=principal_of(request).actor)
        request.state.claim = None  # a report is not kept for a second asking: it is made anew
        unkept = {"Cache-Control": "no-store"}
        if "text/html" in request.headers.get("accept", ""):
            return Response(printed(found, language_of(request.scope)), headers=unkept, media_type="text/html")
        return unit.answer(found, headers=unkept)


@erased.post("/{id}/erasure-precheck", response_model=None, responses={200: {"model": PrecheckOut}, **GONE})
def precheck_erasure(request: Request, id: CustomerId, idempotency_key: IdempotencyKey = None) -> Response:
    """What an erasure would take, and what to know before. Nothing is changed."""
    found = erasing.precheck(request.app.state.project, id)
    return answers.answer(request, found._asdict(), tag=f'"{found.version}"')


@erased.post(
    "/{id}/erase",
    response_model=None,
    responses={200: {"model": ErasureOut}, **GONE, **problem(412, "It was changed in the meantime.")},
)
def erase_customer(request: Request, id: CustomerId, body: Erase, idempotency_key: IdempotencyKey = None) -> Response:
    """Erase the person, whole; with `If-Match`, only if the customer is still as the precheck showed it.

    It may be sent again: whoever is erased already has a receipt, which is answered.
    """
    if body.confirm != id:
        raise Misused("The id in `confirm` is not the one in the address.", remedy="Send the customer's id twice.")
    project = request.app.state.project
    if request.headers.get("if-match"):
        answers.require_match(request, f'"{erasing.precheck(project, id).version}"')
    done = erasing.erase(project, id, by=principal_of(request).actor)
    return answers.answer(request, done._asdict())


@erasures.get(
    "/{id}",
    response_model=None,
    responses={200: {"model": ErasureOut}, **problem(404, "No such erasure: `not_found`.")},
)
def get_erasure(
    request: Request,
    id: Annotated[str, Path(max_length=40, description="The erasure's id.", examples=["E0123456789ABCDEF"])],
) -> Response:
    """Get an erasure with its receipt."""
    with request.app.state.project.database.reading() as connection:
        return answers.answer(request, erasing.get(connection, id)._asdict())


@erasures.post("/verify", response_model=None, responses={200: {"model": VerifiedOut}})
def verify_receipt(request: Request, body: Receipt, idempotency_key: IdempotencyKey = None) -> Response:
    """Whether a receipt was issued here and not changed since."""
    with request.app.state.project.database.reading() as connection:
        return answers.answer(request, {"valid": receipts.verify(connection, body.receipt)})
