"""Looking customers up: found as one types, by name, pinyin, initials, email, phone or number."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NamedTuple

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import Connection

from dashboard import showing
from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync.master import lookup
from sync.master.identity import parse_public_id, public_id
from sync.master.lookup import CustomerRow
from sync.master.search import index, query, terms
from sync.master.search.query import Place
from sync.project import Project

router = APIRouter(dependencies=[Depends(Requires(Permission.CUSTOMERS_READ))])
PAGE = 50
IN_PASSING = 200
"""So many changes a search takes into the index before it answers."""


class Found(NamedTuple):
    """A customer in a list, as the visitor may see it."""

    id: str
    name: str
    kind: str
    email: str
    phone: str
    members: int
    changed_at: datetime


@router.get("/customers")
def search(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """A page of customers that fit all words, in order of id."""
    project: Project = request.app.state.project
    asked = q.strip()
    found = named(request, asked, PAGE + 1, parse_public_id(after) if after else None)
    behind = 0
    if asked:
        with project.database.reading() as connection:
            behind = index.behind(connection)
    page, more = found[:PAGE], len(found) > PAGE
    last = page[-1].id if more else ""
    return render(request, "customers.html", q=q, customers=page, more=last, first=not after, behind=behind)


def named(request: Request, asked: str, limit: int, after: int | None = None) -> list[Found]:
    """Customers that fit all words, in order of id after a number, as the visitor may find and see them."""
    project: Project = request.app.state.project
    eyes = showing.eyes_of(request)
    if asked:
        index.catch_up(project.database, IN_PASSING)
    with project.database.reading() as connection:
        rows = _rows(connection, asked, after, eyes.personal, limit)
    return [_shown(row, eyes) for row in rows]


def _rows(connection: Connection, asked: str, after: int | None, personal: bool, limit: int) -> list[CustomerRow]:
    if not asked:
        return lookup.customers(connection, after=after, limit=limit)
    if parse_public_id(asked) is not None:
        row, _old = lookup.customer(connection, asked)
        return [] if row is None else [row]
    conditions = terms.words(asked)
    if not personal:  # by the beginnings of contacts one could spell them out
        conditions = [terms.whole_contacts(one) for one in conditions]
    if not conditions:
        return []
    place = None if after is None else Place(after)
    return query.customers(connection, conditions, after=place, limit=limit)


def _shown(row: CustomerRow, eyes: showing.Eyes) -> Found:
    golden = eyes.fields(row.kind, orjson.loads(row.golden))
    first = {field: (golden.get(field) or [{}])[0].get("value", "") for field in ("emails", "phones")}
    name = eyes.name(row.kind, row.name)
    return Found(public_id(row.id), name, row.kind, first["emails"], first["phones"], row.members, _instant(row))


def _instant(row: CustomerRow) -> datetime:
    moment = lookup.moment(row.changed_at)
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
