"""What the palette finds: pages, connections, customers."""

from __future__ import annotations

from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard import navigation
from dashboard.pages.customers import named
from dashboard.permissions import Permission, Requires, principal_of
from dashboard.rendering import language_of, render
from sync.language import text

router = APIRouter(dependencies=[Depends(Requires(Permission.SELF))])
MOST = 8
MOST_CUSTOMERS = 5


class Found(NamedTuple):
    """Something to go to."""

    name: str
    address: str
    hint: str = ""


@router.get("/palette")
def palette(request: Request, q: Annotated[str, Query(max_length=100)] = "") -> Response:
    """A list of what fits the words, as the palette shows it."""
    wanted = q.strip().casefold()
    found = [one for one in (*_pages(request), *_connections(request)) if wanted in one.name.casefold()][:MOST]
    return render(request, "palette.html", found=[*found, *_customers(request, q.strip())], q=q.strip())


def _pages(request: Request) -> list[Found]:
    chosen = language_of(request)
    return [
        Found(text(place.label.template, {}, chosen), place.address, f"g {place.letter}")
        for group in navigation.menu(request, principal_of(request))
        for place in group.places
    ]


def _connections(request: Request) -> list[Found]:
    if not principal_of(request).may(Permission.CONNECTIONS_READ):
        return []
    configured = request.app.state.project.settings.connections
    return [Found(name, f"/connections/{quote(name)}", own.connector) for name, own in configured.items()]


def _customers(request: Request, words: str) -> list[Found]:
    if not words or not principal_of(request).may(Permission.CUSTOMERS_READ):
        return []
    customers = named(request, words, MOST_CUSTOMERS)
    found = [Found(one.name or one.id, f"/customers/{one.id}", one.id) for one in customers]
    return [*found, Found(f"“{words}”", "/customers?" + urlencode({"q": words}), "…")]
