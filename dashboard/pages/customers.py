"""Looking customers up: search, list, and one customer with the origin of every value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from dashboard.permissions import Permission, Requires
from dashboard.rendering import render
from sync import provenance
from sync.master import queries

router = APIRouter(dependencies=[Depends(Requires(Permission.CUSTOMERS_READ))])
PAGE = 50


@router.get("/customers")
def search(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """A page of customers that contain all words, in order of id."""
    with request.app.state.project.database.reading() as connection:
        found = queries.search(connection, q, limit=PAGE + 1, after=after or None)
    page, more = found[:PAGE], len(found) > PAGE
    return render(request, "customers.html", q=q, customers=page, more=page[-1].id if more else "", first=not after)


@router.get("/customers/{customer_id}")
def show(request: Request, customer_id: str) -> Response:
    """One customer; an older id leads to the customer it stands for now."""
    project = request.app.state.project
    with project.database.reading() as connection:
        found = queries.get(connection, customer_id[:40])
        if found is None:
            raise HTTPException(404)
        if found.asked:
            return RedirectResponse(f"/customers/{found.id}", status_code=308, headers={"Merged-Into": found.id})
        fields = provenance.of_customer(connection, found, project.survivorship)
        changes = queries.history(connection, found.id)
    return render(request, "customer.html", customer=found, fields=fields, changes=changes, plain=plain, pretty=pretty)


def plain(value: object, word: Callable[[str], str] = str) -> list[str]:
    """A golden value as lines of text: one for each entry of a list. ``word`` puts names of fields into words."""
    entries = value if isinstance(value, list) else [value]
    return [_line(entry, word) for entry in entries]


def pretty(value: object) -> str:
    """Nested data as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _line(entry: object, word: Callable[[str], str]) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    known = {key: value for key, value in entry.items() if value not in (None, "")}
    main = known.pop("value", None) or known.pop("text", None)
    rest = ", ".join(_part(key, value, word) for key, value in known.items())
    if main is None:
        return rest
    return f"{main} ({rest})" if rest else str(main)


def _part(key: str, value: object, word: Callable[[str], str]) -> str:
    if isinstance(value, bool):  # a refused consent must not look like a given one
        return word(key if value else f"not {key}")
    return f"{word(key)}: {value}"
