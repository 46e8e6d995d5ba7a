"""``/api/v1/resolve``: a record in, the customers that it most probably is out. Nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field, model_validator

from dashboard.api import answers, schemas
from dashboard.api.customers import sees_personal
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.routes import problem, resource
from dashboard.permissions import Permission
from mappings.customer import Customer
from sync.matching import finding
from sync.matching.finding import Candidate, Found
from sync.privacy.masking import masked_name

router = resource("resolve", Permission.CUSTOMERS_RESOLVE)


class Wanted(schemas.Body):
    """A canonical customer, or a raw record with the stream whose mapping reads it."""

    customer: Customer | None = Field(
        None, examples=[{"kind": "person", "name": "张伟", "phones": [{"value": "13800138000"}]}]
    )
    connection: str | None = Field(None, max_length=80)
    stream: str | None = Field(None, max_length=120)
    record: dict[str, Any] | None = Field(None, description="as the system sends it", max_length=2_000)
    limit: Annotated[int, Field(ge=1, le=50)] = 5

    @model_validator(mode="after")
    def _one_of_both(self) -> Wanted:
        raw = [one is not None for one in (self.connection, self.stream, self.record)]
        if any(raw) if self.customer is not None else not all(raw):
            raise ValueError("give either customer, or connection, stream and record")
        return self


class CandidateOut(schemas.Schema):
    """A customer that the record may be."""

    customer: str
    name: str | None
    kind: str
    weight: float = Field(description="evidence of the strongest record, log2 odds")
    verdict: str | None = Field(description="same, review or different; null: the model has no thresholds")
    rule: str
    record: dict[str, str] = Field(description="the strongest record: connection, stream, id, part")
    steps: list[dict[str, Any]] = Field(description="how the weight comes about")
    veto: str | None


class FoundOut(schemas.Schema):
    """One customer in the record."""

    part: str = Field(description="empty: the record itself")
    canonical: dict[str, Any] = Field(description="how the record was understood")
    compared: int = Field(description="records that share a key with it")
    candidates: list[CandidateOut]


class ResolvedOut(schemas.Schema):
    """What was found."""

    data: list[FoundOut]


@router.post(
    "",
    response_model=None,
    responses={200: {"model": ResolvedOut}, **problem(404, "No such connection or stream: `not_found`.")},
)
def resolve_record(request: Request, body: Wanted, idempotency_key: IdempotencyKey = None) -> Response:
    """Find the customers that a record most probably is, by the match model in force, with the reasons."""
    project = request.app.state.project
    request.state.claim = None  # nothing is done, so nothing is kept
    with project.database.reading() as connection:
        if body.customer is not None:
            given = body.customer.model_dump(mode="json", exclude_none=True, exclude_unset=True)
            customer = finding.normalised(given, project.settings.region)
            found = [finding.find(connection, project.matcher, customer, body.limit)]
        else:
            mapping = project.mapping(str(body.connection), str(body.stream))
            found = finding.find_raw(connection, project.matcher, mapping, body.record or {}, body.limit)
    personal = sees_personal(request)
    shown = {"data": [_shown(one, personal) for one in found]}
    return answers.answer(request, shown, headers={"Cache-Control": "no-store"})


def _shown(found: Found, personal: bool) -> dict[str, Any]:
    """The caller's own record as it is; of ours, what the caller may see."""
    return {**found._asdict(), "candidates": [_candidate(one, personal) for one in found.candidates]}


def _candidate(one: Candidate, personal: bool) -> dict[str, Any]:
    return {**one._asdict(), "name": one.name if personal else masked_name(one.kind, one.name)}
