"""``/api/v1/stewardship``: what people know about customers, said over HTTP. The caller is who decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import Field

from dashboard.api import answers, paging, schemas
from dashboard.api.customers import sees_personal
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.paging import Cursor, Limit
from dashboard.api.problems import Problem, language_of
from dashboard.api.routes import problem, resource
from dashboard.permissions import Permission, principal_of
from sync import language
from sync.master import lookup
from sync.master.identity import public_id
from sync.privacy.masking import HIDDEN, masked_name, masked_value
from sync.stewardship import services
from sync.stewardship.effect import Work
from sync.stewardship.errors import Blocker, MergeBlocked
from sync.stewardship.log import Entry
from sync.stewardship.records import CustomerRef
from sync.stewardship.review import Side

reading = resource("stewardship", Permission.STEWARDSHIP_READ)
writing = resource("stewardship", Permission.STEWARDSHIP_WRITE)

Record = Annotated[
    str,
    Field(
        min_length=1,
        max_length=900,
        description="CONNECTION/STREAM/KEY, a part of a record with `#` and its name",
        examples=["erp/customers/C001"],
    ),
]
CustomerRefText = Annotated[str, Field(min_length=1, max_length=40, examples=["C6H4NS4FB2FJSK"])]
UNKNOWN = problem(
    404, "No such customer, record or decision: `unknown_customer`, `unknown_record`, `unknown_decision`."
)
SAID = {
    **UNKNOWN,
    **problem(412, "With `If-Match`: the customer was changed in the meantime: `changed_meanwhile`."),
}


class SideOut(schemas.Schema):
    """A record of a pair, and its customer."""

    record: str
    customer: str
    name: str | None
    members: int


class PairOut(schemas.Schema):
    """Two customers that may be one, by their strongest pair of records."""

    left: SideOut
    right: SideOut
    weight: float
    rule: str
    pairs: int
    records: int = Field(description="so many source records a decision touches")


class BlockerOut(schemas.Schema):
    """What stands against a merge."""

    code: str
    detail: str
    params: dict[str, Any]


class MergeCheckOut(schemas.Schema):
    """What a merge would be about, and what stands against it."""

    customers: list[str]
    blockers: list[BlockerOut]


class CustomerSeen(schemas.Schema):
    """A customer before or after a decision."""

    id: str
    kind: str
    name: str | None
    records: list[str]


class OutcomeOut(schemas.Schema):
    """What became of a decision."""

    decision: int | None = Field(description="its number; null with `dry_run`")
    before: list[CustomerSeen]
    after: list[CustomerSeen]


class DecisionOut(schemas.Schema):
    """What somebody decided."""

    decision: int
    act: str
    verdict: str | None
    field: str | None
    value: Any
    target: int | None
    by: str
    reason: str
    at: datetime
    undone_by: int | None
    sides: list[list[str]]


class PinOut(schemas.Schema):
    """A value that no sync overwrites."""

    decision: int
    field: str
    value: Any
    record: str
    holds: bool = Field(description="false: a later pin of the field gives the value")


class Said(schemas.Body):
    """What every decision may say."""

    reason: str = Field("", max_length=4_000, description="Why; kept with the decision.")
    dry_run: bool = Field(False, description="Only tell what would become of it.")


class Decide(Said):
    """A word on two source records."""

    left: Record
    right: Annotated[Record, Field(examples=["erp/customers/10"])]
    verdict: services.Verdict = Field(examples=["undecided"])


class Customers(schemas.Body):
    """Some customers."""

    customers: list[CustomerRefText] = Field(min_length=1, max_length=50, examples=[["C6H4NS4FB2FJSK"]])


class Merge(Said, Customers):
    """Customers that are one."""


class Exclude(Said):
    """A record that does not belong to its customer."""

    customer: CustomerRefText
    record: Record


class Pin(Said):
    """A value that no sync overwrites."""

    customer: CustomerRefText
    field: str = Field(max_length=60, examples=["name"])
    value: Any = Field(None, description="as the golden record holds it; null keeps the field empty", examples=["Acme"])
    record: Record | None = Field(None, description="the record it stays with; default: the senior one")


class Unpin(Said):
    """A field that the sources rule again."""

    customer: CustomerRefText
    field: str = Field(max_length=60, examples=["name"])


class Unmerge(Said):
    """A customer whose last merge is taken back."""

    customer: CustomerRefText


class Undo(Said):
    """A decision that is taken back."""

    decision: Annotated[int, Field(ge=1, lt=1 << 63)]


@reading.get("/queue", response_model=None, responses={200: {"model": schemas.Page[PairOut]}})
def list_queue(request: Request, limit: Limit = paging.DEFAULT, cursor: Cursor = None) -> Response:
    """Pairs that may be one customer, those first whose decision touches most records. A decided pair is out of it."""
    project = request.app.state.project
    place = paging.decode(cursor, {}, [int, float, int, int])
    after = None if place is None else services.Place(*place)
    with project.database.reading() as connection:
        found = services.queue(connection, project.matcher, limit + 1, after)
    personal = sees_personal(request)
    page = paging.page(found, limit, {}, lambda one: one.place or (), lambda one: _pair(one, personal))
    return answers.answer(request, page)


def _pair(one: services.Candidate, personal: bool) -> dict[str, Any]:
    return {
        "left": _side(one.left, personal),
        "right": _side(one.right, personal),
        "weight": one.weight,
        "rule": one.rule,
        "pairs": one.pairs,
        "records": one.records,
    }


@reading.get("/decisions", response_model=None, responses={200: {"model": schemas.Page[DecisionOut]}, **UNKNOWN})
def list_decisions(
    request: Request,
    about: Annotated[str | None, Query(max_length=900, description="Only about this customer or record.")] = None,
    limit: Limit = paging.DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """What was decided, the newest first."""
    filters = {"about": about}
    before = paging.decode(cursor, filters, [int])
    with request.app.state.project.database.reading() as connection:
        found = services.log(connection, about, limit + 1, before[0] if before else None)
    personal = sees_personal(request)
    page = paging.page(found, limit, filters, lambda one: [one.decision], lambda one: _entry(one, personal))
    return answers.answer(request, page)


@reading.get("/customers/{id}/pins", response_model=None, responses={200: {"model": schemas.Page[PinOut]}, **UNKNOWN})
def list_pins(
    request: Request,
    id: Annotated[str, Path(max_length=40, description="The customer's id.", examples=["C6H4NS4FB2FJSK"])],
) -> Response:
    """The pins of a customer."""
    with request.app.state.project.database.reading() as connection:
        found = services.pins(connection, id)
    personal = sees_personal(request)
    data = [
        one._asdict() | ({} if personal else {"value": masked_value("person", one.field, one.value)}) for one in found
    ]
    return answers.answer(request, {"data": data, "next_cursor": None})


@writing.post("/merge-precheck", response_model=None, responses={200: {"model": MergeCheckOut}})
def precheck_merge(request: Request, body: Customers, idempotency_key: IdempotencyKey = None) -> Response:
    """Everything that stands against merging customers, at once. Nothing is changed."""
    with request.app.state.project.database.reading() as connection:
        found = services.precheck(connection, body.customers)
    blockers = [_blocker(request, one) for one in found.blockers]
    return answers.answer(request, {"customers": [one.public_id for one in found.customers], "blockers": blockers})


@writing.post("/decide", response_model=None, responses={200: {"model": OutcomeOut}, **SAID})
def decide(request: Request, body: Decide, idempotency_key: IdempotencyKey = None) -> Response:
    """Say of two source records whether they are one customer: `same`, `different` or `undecided`."""
    by = _steward(request, body)
    return _said(request, body, lambda c: services.decide(c, by, body.left, body.right, body.verdict))


@writing.post(
    "/merge",
    response_model=None,
    responses={200: {"model": OutcomeOut}, **SAID, **problem(409, "`merge_blocked`; `blockers` names all reasons.")},
)
def merge(request: Request, body: Merge, idempotency_key: IdempotencyKey = None) -> Response:
    """Say that customers are one. `If-Match` takes the tag of the first."""
    by = _steward(request, body)
    try:
        return _said(request, body, lambda c: services.merge(c, by, body.customers), body.customers[0])
    except MergeBlocked as error:
        blockers = [_blocker(request, one) for one in error.blockers]
        more = {"blockers": blockers}
        raise Problem(
            error.template, status=409, code=error.code, remedy=error.remedy, more=more, **error.params
        ) from None


@writing.post("/exclude", response_model=None, responses={200: {"model": OutcomeOut}, **SAID})
def exclude(request: Request, body: Exclude, idempotency_key: IdempotencyKey = None) -> Response:
    """Say that a source record does not belong to the customer, and stays out."""
    by = _steward(request, body)
    return _said(request, body, lambda c: services.exclude(c, by, body.customer, body.record), body.customer)


@writing.post("/pin", response_model=None, responses={200: {"model": OutcomeOut}, **SAID})
def pin(request: Request, body: Pin, idempotency_key: IdempotencyKey = None) -> Response:
    """Give a field a value that no sync overwrites."""
    by = _steward(request, body)

    def work(connection: Any) -> int:
        return services.pin(connection, by, body.customer, body.field, body.value, body.record)

    return _said(request, body, work, body.customer)


@writing.post("/unpin", response_model=None, responses={200: {"model": OutcomeOut}, **SAID})
def unpin(request: Request, body: Unpin, idempotency_key: IdempotencyKey = None) -> Response:
    """Let the sources rule a field again."""
    by = _steward(request, body)
    return _said(request, body, lambda c: services.unpin(c, by, body.customer, body.field), body.customer)


@writing.post("/unmerge", response_model=None, responses={200: {"model": OutcomeOut}, **SAID})
def unmerge(request: Request, body: Unmerge, idempotency_key: IdempotencyKey = None) -> Response:
    """Take a merge back, and make sure that the customers are apart."""
    by, settle = _steward(request, body), _engine(request).settle
    return _said(request, body, lambda c: services.unmerge(c, by, body.customer, settle), body.customer)


@writing.post("/undo", response_model=None, responses={200: {"model": OutcomeOut}, **SAID})
def undo(request: Request, body: Undo, idempotency_key: IdempotencyKey = None) -> Response:
    """Take a decision back, whichever; what it had taken back holds again."""
    by = _steward(request, body)
    return _said(request, body, lambda c: services.undo(c, by, body.decision))


def _steward(request: Request, body: Said) -> services.Steward:
    return services.Steward(principal_of(request).actor, body.reason)


def _engine(request: Request) -> services.Engine:
    project = request.app.state.project
    return services.Engine(project.matcher, project.survivorship)


def _said(request: Request, body: Said, work: Work, customer: str | None = None) -> Response:
    """Do it, or only say what would become of it; the customer is looked at inside the same transaction."""
    database, wanted = request.app.state.project.database, request.headers.get("if-match", "")

    def checked(connection: Any) -> int:
        if customer is not None and wanted:
            row, _old = lookup.customer(connection, customer)
            tag = "" if row is None else str(row.version)
            if not any(answers.matches(wanted, f'"{tag}{end}"') for end in ("", "-masked")):
                answers.require_match(request, f'"{tag}"')
        return work(connection)

    act = services.rehearse if body.dry_run else services.carry_out
    outcome = act(database, checked, _engine(request))
    personal = sees_personal(request)
    shown = {
        "decision": None if body.dry_run else outcome.decision,
        "before": _seen(outcome.before, personal),
        "after": _seen(outcome.after, personal),
    }
    return answers.answer(request, shown)


def _seen(found: Sequence[CustomerRef], personal: bool) -> list[dict[str, Any]]:
    return [
        {
            "id": public_id(one.id),
            "kind": one.kind,
            "name": one.name if personal else masked_name(one.kind, one.name),
            "records": [record.address for record in one.records],
        }
        for one in found
    ]


def _side(one: Side, personal: bool) -> dict[str, Any]:
    return one._asdict() | ({} if personal else {"name": masked_name("person", one.name)})


def _entry(one: Entry, personal: bool) -> dict[str, Any]:
    told = one._asdict()
    if not personal and one.field is not None:
        told["value"] = masked_value("person", one.field, one.value)
    if not personal and one.reason:
        told["reason"] = HIDDEN
    return told


def _blocker(request: Request, one: Blocker) -> dict[str, Any]:
    said = language.text(one.template, one.params, language_of(request.scope))
    return {"code": one.code, "detail": said, "params": one.params}
