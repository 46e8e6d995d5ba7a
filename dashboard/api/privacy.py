"""``/api/v1/customers/{id}/…``: what concerns the person behind a customer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field

from dashboard.api import schemas
from dashboard.api.customers import CustomerId
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.routes import problem, resource, unit_of_work
from dashboard.permissions import Permission, principal_of
from sync.privacy import revealing

revealed = resource("customers", Permission.CUSTOMERS_REVEAL)

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
    responses={200: {"model": RevealedOut}, **problem(404, "No such id was ever issued: `not_found`.")},
)
def reveal_customer(request: Request, id: CustomerId, body: Reveal, idempotency_key: IdempotencyKey = None) -> Response:
    """Read personal data of one customer without the permission to read all: the audit log tells who did, and why."""
    with unit_of_work(request) as unit:
        by = principal_of(request).actor
        found = revealing.reveal(unit.connection, id, body.fields, body.reason, by=by)
        return unit.answer({"id": id, "golden": found}, headers={"Cache-Control": "no-store"})
