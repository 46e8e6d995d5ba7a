"""``/api/v1/customers``: golden records, what became of them, and where every value comes from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
import xxhash
from fastapi import Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from dashboard.api import paging, schemas
from dashboard.api.answers import answer, chosen_fields, sparse
from dashboard.api.paging import Cursor, Limit
from dashboard.api.problems import Problem
from dashboard.api.routes import PREFIX, problem, resource
from dashboard.permissions import Permission, principal_of
from sync import provenance
from sync.errors import NotFound
from sync.master import lookup, queries
from sync.master.identity import parse_public_id, public_id
from sync.master.lookup import CustomerRow
from sync.master.search import index, query, terms
from sync.master.search.query import Place
from sync.master.search.terms import Condition
from sync.privacy.masking import HIDDEN, masked, masked_body, masked_id, masked_name, masked_part, masked_value
from sync.project import Project

router = resource("customers", Permission.CUSTOMERS_READ)

IN_PASSING = 200
"""So many changes a search takes into the index before it answers."""

CustomerId = Annotated[
    str, Path(max_length=40, description="A customer's id, today's or an older one.", examples=["C6H4NS4FB2FJSK"])
]
Fields = Annotated[
    str | None,
    Query(max_length=1_000, description="Only these, separated by commas, e.g. `name,golden.emails`."),
]
MERGED: dict[int | str, dict[str, Any]] = {
    308: {"description": "The id was merged away; Location leads to the survivor, as does the header Merged-Into."},
    **problem(404, "No such id was ever issued: `not_found`."),
    **problem(
        410,
        "Merged away, with `?redirect=false`: `merged`; the body's `merged_into` names the survivor. "
        "Or the person was erased: `erased`.",
    ),
}


class Filters(BaseModel):
    """What a list of customers may be narrowed to; all of it must fit."""

    model_config = ConfigDict(extra="forbid")

    q: str | None = Field(
        None,
        max_length=200,
        description="Words; each at the beginning of a name's part (Chinese: anywhere in it), or its pinyin or "
        "initials, of an email, a phone or an identifier. Or a customer's id.",
        examples=["zhang"],
    )
    email: str | None = Field(None, max_length=254, description="Exactly this email.")
    phone: str | None = Field(None, max_length=40, description="Exactly this phone number.")
    identifier: str | None = Field(None, max_length=120, description="Exactly this number, or `scheme:number`.")
    status: Literal["active", "merged", "deleted", "erased"] = Field("active", description="What became of them.")
    kind: Literal["person", "organisation"] | None = None
    tag: str | None = Field(None, max_length=200, description="With this tag.")
    connection: str | None = Field(None, max_length=80, description="With a record in this system.")
    updated_since: AwareDatetime | None = Field(None, description="Changed at or after; in order of change.")
    fields: str | None = Field(
        None, max_length=1_000, description="Only these, separated by commas, e.g. `name,golden.emails`."
    )
    limit: int = Field(paging.DEFAULT, ge=1, le=paging.MOST, description="How many to answer at most.")
    cursor: str | None = Field(
        None, max_length=paging.LONGEST_CURSOR, description="`next_cursor` of the page before; with the same filters."
    )

    @property
    def asked(self) -> dict[str, Any]:
        """What a cursor is bound to."""
        return self.model_dump(exclude={"fields", "limit", "cursor"}, exclude_none=True)


@router.get(
    "",
    response_model=None,
    responses={200: {"model": schemas.Page[schemas.CustomerOut]}},
)
def list_customers(request: Request, filters: Annotated[Filters, Query()]) -> Response:
    """List and search customers, in a stable order without end."""
    names = chosen_fields(filters.fields, schemas.CUSTOMER_FIELDS)
    project: Project = request.app.state.project
    personal = sees_personal(request)
    conditions = _conditions(filters, project.settings.region, personal)
    by_change = filters.updated_since is not None
    kinds = [str, int] if by_change else [int]
    after = _place(paging.decode(filters.cursor, filters.asked, kinds))
    headers = {}
    if conditions or by_change:
        index.catch_up(project.database, IN_PASSING)
    with project.database.reading() as connection:
        if filters.q is not None and parse_public_id(filters.q) is not None:
            found = _by_id(connection, filters.q)
        elif conditions or by_change:
            headers = {"Search-Behind": str(index.behind(connection))}
            found = query.customers(
                connection, conditions, updated_since=filters.updated_since, after=after, limit=filters.limit + 1
            )
        else:
            found = lookup.customers(
                connection, status=filters.status, after=after.id if after else None, limit=filters.limit + 1
            )
    page = paging.page(found, filters.limit, filters.asked, _placed(by_change), lambda row: shown(row, names, personal))
    return answer(request, page, headers=headers)


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
        row, led = _found(request, connection, id, "", redirect)
    if led is not None:
        return led
    personal = sees_personal(request)
    return answer(request, shown(row, names, personal), tag=tag_of(row, names, personal))


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
    personal = sees_personal(request)
    page = paging.page(found, limit, {"of": id}, lambda one: [one.seq], lambda one: _change(one, row.kind, personal))
    return answer(request, page)


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
    personal = sees_personal(request)
    return answer(request, {"data": [_source(one, row.kind, personal) for one in sources], "next_cursor": None})


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
    personal = sees_personal(request)
    data = [_explained(one, row.kind, personal) for one in fields]
    return answer(request, {"data": data, "next_cursor": None})


def sees_personal(request: Request) -> bool:
    """Whether the caller may read personal data unmasked."""
    return principal_of(request).may(Permission.PERSONAL_READ)


def _conditions(filters: Filters, region: str | None, personal: bool) -> list[Condition]:
    """What is asked of the search index. Raises 422 where that is asked of customers that are no longer.

    Who may not read contacts finds by whole ones only: by their beginnings one could spell them out.
    """
    asked: list[Condition] = [] if filters.q is None else terms.words(filters.q)
    if not personal:
        asked = [terms.whole_contacts(one) for one in asked]
    makers: tuple[tuple[str | None, Callable[[str], Condition]], ...] = (
        (filters.email, terms.email),
        (filters.phone, lambda text: terms.phone(text, region)),
        (filters.identifier, terms.identifier),
        (filters.kind, terms.of_kind),
        (filters.tag, terms.tagged),
        (filters.connection, terms.known_to),
    )
    asked += [made(text) for text, made in makers if text is not None]
    if filters.status != "active" and (asked or filters.updated_since is not None):
        raise Problem(
            "Customers that are no longer can be listed, not searched.",
            status=422,
            code="not_searchable",
            parameter="status",
            remedy="Leave out the filters, or ask for active customers.",
        )
    return asked


def _by_id(connection: Connection, customer_id: str) -> list[CustomerRow]:
    row, _old = lookup.customer(connection, customer_id)
    return [] if row is None else [row]


def _place(place: list[Any] | None) -> Place | None:
    if place is None:
        return None
    *moment, number = place
    if not moment:
        return Place(number)
    try:
        return Place(number, datetime.fromisoformat(moment[0]))
    except ValueError:
        raise paging.refused() from None


def _placed(by_change: bool) -> Callable[[CustomerRow], list[Any]]:
    if by_change:
        return lambda row: [_iso(row), row.id]
    return lambda row: [row.id]


def _iso(row: CustomerRow) -> str:
    moment = lookup.moment(row.changed_at)
    return moment if isinstance(moment, str) else moment.isoformat()


def shown(row: CustomerRow, names: tuple[str, ...] | None, personal: bool) -> dict[str, Any]:
    """A customer as it is answered; the golden record goes out as it is stored unless parts of it are asked for."""
    inside = names is not None and any(name.startswith("golden.") for name in names)
    found = whole(*row)
    if inside or not personal:
        found["golden"] = masked(orjson.loads(row.golden), personal, kind=row.kind)
    if not personal:
        found["name"] = masked_name(row.kind, row.name)
    return found if names is None else sparse(found, names)


def whole(
    number: int, version: int, status: str, kind: str, name: str | None, golden: str, members: int, changed_at: Any
) -> dict[str, Any]:
    """All of a customer, unmasked, from the columns of its row."""
    return {
        "id": public_id(number),
        "version": version,
        "status": status,
        "kind": kind,
        "name": name,
        "members": members,
        "updated_at": lookup.moment(changed_at),
        "golden": orjson.Fragment(golden),
    }


def tag_of(row: CustomerRow, names: tuple[str, ...] | None = None, personal: bool = True) -> str:
    """The entity tag of a customer: its version, which of its fields, and whether they are masked."""
    part = "" if names is None else "-" + xxhash.xxh3_64_hexdigest(",".join(names).encode())[:8]
    return f'"{row.version}{part}{"" if personal else "-masked"}"'


def _found(
    request: Request, connection: Connection, customer_id: str, below: str, redirect: bool
) -> tuple[CustomerRow, Response | None]:
    """The row, and for an older id the answer that leads to today's. Raises NotFound, or Problem 410."""
    row, old = lookup.customer(connection, customer_id)
    if row is None:
        raise NotFound("There is no customer {customer}.", customer=customer_id, remedy="Check the address.")
    if row.status == "erased":
        raise Problem(
            "The person was erased.", status=410, code="erased", remedy="Forget the id and what you hold of it."
        )
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


def _change(one: queries.ChangeView, kind: str, personal: bool) -> dict[str, Any]:
    body = one.body if personal else masked_body(one.body, kind)
    return {"seq": one.seq, "type": one.type, "version": one.version, "at": one.at, "body": body}


def _source(one: queries.SourceView, kind: str, personal: bool) -> dict[str, Any]:
    return {
        "connection": one.connection,
        "stream": one.stream,
        "id": one.source_id if personal else masked_id(one.source_id),
        "part": one.part if personal else masked_part(one.part),
        "changed_at": one.changed_at,
        "canonical": masked(one.canonical, personal, kind=kind),
    }


def _explained(one: provenance.Explained, kind: str, personal: bool) -> dict[str, Any]:
    told = {**one._asdict(), "runner_up_source": one.runner_up_source or None}
    if personal:
        return told
    told |= {name: masked_value(kind, one.field, told[name]) for name in ("value", "runner_up")}
    told["sources"] = list(map(_unnamed, one.sources))
    return told | {"runner_up_source": _unnamed(one.runner_up_source) if one.runner_up_source else None}


def _unnamed(source: str) -> str:
    """`connection/stream/id`, and a part after a blank, without the id."""
    connection, stream, _id = source.split("/", 2)
    return f"{connection}/{stream}/{HIDDEN}"
