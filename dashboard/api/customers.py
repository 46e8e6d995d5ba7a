"""``/api/v1/customers``: golden records, what became of them, and where every value comes from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import Path, Query, Request, Response
from sqlalchemy import Connection

from dashboard.api import paging, schemas
from dashboard.api.answers import answer, chosen_fields, sparse
from dashboard.api.paging import Cursor, Limit
from dashboard.api.problems import Problem, not_found
from dashboard.api.routes import PREFIX, problem, resource
from dashboard.permissions import Permission
from sync import provenance
from sync.master import lookup, queries
from sync.master.identity import public_id
from sync.master.lookup import CustomerRow

router = resource("customers", Permission.CUSTOMERS_READ)

CustomerId = Annotated[str, Path(max_length=40, description="A customer's id, today's or an older one.")]
Fields = Annotated[
    str | None,
    Query(max_length=1_000, description="Only these, separated by commas, e.g. `name,golden.emails`."),
]
MERGED: dict[int | str, dict[str, Any]] = {
    308: {"description": "The id was merged away; Location leads to the survivor, as does the header Merged-Into."},
    **problem(404, "No such id was ever issued: `not_found`."),
    **problem(410, "Merged away, with `?redirect=false`: `merged`; the body's `merged_into` names the survivor."),
}


@router.get("", response_model=None, responses={200: {"model": schemas.Page[schemas.CustomerOut]}})
def list_customers(
    request: Request,
    status: Annotated[Literal["active", "merged", "deleted"], Query(description="What became of them.")] = "active",
    kind: Annotated[Literal["person", "organisation"] | None, Query()] = None,
    fields: Fields = None,
    limit: Limit = paging.DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List customers, in a stable order."""
    names = chosen_fields(fields, schemas.CUSTOMER_FIELDS)
    filters = {"status": status, "kind": kind}
    after = paging.decode(cursor, filters, [int])
    with request.app.state.project.database.reading() as connection:
        found = lookup.customers(
            connection, status=status, kind=kind, after=after[0] if after else None, limit=limit + 1
        )
    return answer(request, paging.page(found, limit, filters, lambda row: [row.id], lambda row: shown(row, names)))


@router.get(
    "/{id}",
    response_model=None,
    responses={200: {"model": schemas.CustomerOut}, 304: {"description": "You hold it already."}, **MERGED},
)
def get_customer(
    request: Request,
    id: CustomerId,
    fields: Fields = None,
    redirect: Annotated[bool, Query(description="false: answer 410 for an older id instead of leading on.")] = True,
) -> Response:
    """Get one customer."""
    names = chosen_fields(fields, schemas.CUSTOMER_FIELDS)
    with request.app.state.project.database.reading() as connection:
        row, old = lookup.customer(connection, id)
    if row is None:
        raise not_found("There is no customer {customer}.", customer=id)
    if old is not None:
        return _lead_on(request, row, "", redirect=redirect)
    return answer(request, shown(row, names), tag=tag_of(row, names))


@router.get(
    "/{id}/history",
    response_model=None,
    responses={200: {"model": schemas.Page[schemas.ChangeOut]}, **MERGED},
)
def get_history(
    request: Request, id: CustomerId, limit: Limit = paging.DEFAULT, cursor: Cursor = None, redirect: bool = True
) -> Response:
    """What became of a customer, newest first."""
    before = paging.decode(cursor, {"of": id}, [int])
    with request.app.state.project.database.reading() as connection:
        row, led = _found(request, connection, id, "/history", redirect)
        if led is not None:
            return led
        found = queries.history(connection, public_id(row.id), limit + 1, before[0] if before else None)
    return answer(request, paging.page(found, limit, {"of": id}, lambda one: [one.seq], _change))


@router.get(
    "/{id}/source-records",
    response_model=None,
    responses={200: {"model": schemas.Page[schemas.SourceRecordOut]}, **MERGED},
)
def get_source_records(request: Request, id: CustomerId, redirect: bool = True) -> Response:
    """The source records that a customer stands for."""
    with request.app.state.project.database.reading() as connection:
        row, led = _found(request, connection, id, "/source-records", redirect)
        if led is not None:
            return led
        sources = queries.sources_of(connection, row.id)
    return answer(request, {"data": [_source(one) for one in sources], "next_cursor": None})


@router.get(
    "/{id}/lineage",
    response_model=None,
    responses={200: {"model": schemas.Page[schemas.LineageOut]}, **MERGED},
)
def get_lineage(request: Request, id: CustomerId, redirect: bool = True) -> Response:
    """Why every field has its value: which source records, by which rule, and what came second."""
    project = request.app.state.project
    with project.database.reading() as connection:
        row, led = _found(request, connection, id, "/lineage", redirect)
        if led is not None:
            return led
        view = queries.get(connection, public_id(row.id))
        fields = [] if view is None else provenance.of_customer(connection, view, project.survivorship)
    data = [{**one._asdict(), "runner_up_source": one.runner_up_source or None} for one in fields]
    return answer(request, {"data": data, "next_cursor": None})


def shown(row: CustomerRow, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A customer as it is answered; the golden record goes out as it is stored unless parts of it are asked for."""
    inside = names is not None and any(name.startswith("golden.") for name in names)
    golden: Any = orjson.loads(row.golden) if inside else orjson.Fragment(row.golden)
    whole = {
        "id": public_id(row.id),
        "version": row.version,
        "status": row.status,
        "kind": row.kind,
        "name": row.name,
        "members": row.members,
        "updated_at": lookup.moment(row.changed_at),
        "golden": golden,
    }
    return whole if names is None else sparse(whole, names)


def tag_of(row: CustomerRow, names: tuple[str, ...] | None = None) -> str:
    """The entity tag of a customer: its version, and which of its fields."""
    part = "" if names is None else f"-{','.join(names)}"
    return f'"{row.version}{part}"'


def _found(
    request: Request, connection: Connection, customer_id: str, below: str, redirect: bool
) -> tuple[CustomerRow, Response | None]:
    """The row, and for an older id the answer that leads to today's. Raises NotFound, or Problem 410."""
    row, old = lookup.customer(connection, customer_id)
    if row is None:
        raise not_found("There is no customer {customer}.", customer=customer_id)
    return row, None if old is None else _lead_on(request, row, below, redirect=redirect)


def _lead_on(request: Request, row: CustomerRow, below: str, *, redirect: bool) -> Response:
    into = public_id(row.id)
    if not redirect:
        raise Problem(
            "This customer was merged into {into}.",
            status=410,
            code="merged",
            into=into,
            more={"merged_into": into},
            headers={"Merged-Into": into},
            remedy="Use the id in `merged_into` from now on.",
        )
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(None, 308, {"Location": f"{PREFIX}/customers/{into}{below}{query}", "Merged-Into": into})


def _change(one: queries.ChangeView) -> dict[str, Any]:
    return {"seq": one.seq, "type": one.type, "version": one.version, "at": one.at, "body": one.body}


def _source(one: queries.SourceView) -> dict[str, Any]:
    return {
        "connection": one.connection,
        "stream": one.stream,
        "id": one.source_id,
        "part": one.part,
        "changed_at": one.changed_at,
        "canonical": one.canonical,
    }
