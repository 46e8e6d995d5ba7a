"""Customers page by page: ordered by their last change, in pages as large as the points for queries allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from connectors.errors import PermissionMissing, StreamBroken
from connectors.graphql import GraphQL, TooCostly
from connectors.paging import cursor_pages
from connectors.response import Response
from connectors.rest.slicing import Envelope, Opener, Sliced, Slicer, find
from connectors.rest.stamps import reader
from connectors.shopify.documents import IDS, LARGEST_PAGE, between

AT_ONCE = 50
"""Customers that are asked for by id in one call."""
SHOWN = ("displayName", "firstName", "lastName", "defaultEmailAddress", "defaultPhoneNumber")
"""What Shopify withholds without its approval; a customer has at least one of them."""
ENOUGH = 5
"""So many customers, and none of them has a name or a contact: they are withheld."""

_opener = Opener("data.customers.nodes")
_nodes = Opener("data.nodes")
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_slicer = Slicer(("id",), ("updatedAt",), reader("iso"))


@dataclass(frozen=True, slots=True)
class Step:
    """Some customers, where to go on (None: nowhere), and the answer they came with, where there is one."""

    cut: Sliced
    next: Any = None
    response: Response | None = None


class Pages:
    """Lists customers of one shop; ``document`` is the listing with all wanted fields."""

    def __init__(self, graph: GraphQL, document: str) -> None:
        self._graph, self._document = graph, document

    def steps(self, size: int, since: datetime | None, until: datetime | None, after: str | None) -> Iterator[Step]:
        """All pages from a position on, of what changed within the bounds."""
        ask = self._asker(self._document, {"query": between(since, until)}, size)

        def fetch(place: Mapping[str, Any]) -> tuple[Sequence[Any], tuple[Sliced, Any, Response]]:
            response = ask(place)
            page = _opener.open(response.utf8())
            cut = _slicer.slice(page)
            ensure_shown(cut, self._graph.http.connection)
            return cut.rows, (cut, page.rest, response)

        for batch in cursor_pages(fetch, lambda found: self._following(found[1]), param="after", start=after):
            cut, _, response = batch.response
            yield Step(cut, batch.next, response)

    def ids(self) -> Iterator[list[str]]:
        """The ids of all customers."""
        ask = self._asker(IDS, {}, LARGEST_PAGE)

        def fetch(place: Mapping[str, Any]) -> tuple[Sequence[Any], Any]:
            found = ask(place).json()
            return find(found, "data.customers.nodes") or [], found

        for batch in cursor_pages(fetch, self._following, param="after"):
            yield [str(node["id"]) for node in batch.items]

    def _asker(self, document: str, variables: Mapping[str, Any], size: int) -> Callable[[Mapping[str, Any]], Response]:
        """Asks for one page, for a smaller one where that is too costly, and for all following in the same size."""
        size = max(1, min(size, LARGEST_PAGE))

        def ask(place: Mapping[str, Any]) -> Response:
            nonlocal size
            while True:
                try:
                    return self._graph.ask(document, {**variables, **place, "first": size}).response
                except TooCostly:
                    if size == 1:
                        raise
                    size //= 2

        return ask

    def _following(self, rest: Any) -> str | None:
        info = find(rest, "data.customers.pageInfo")
        following = info.get("endCursor") if isinstance(info, dict) and info.get("hasNextPage") else None
        if not isinstance(info, dict) or (info.get("hasNextPage") and not following):
            raise StreamBroken(
                "{connection}: a page of customers does not tell whether more follow.",
                connection=self._graph.http.connection,
            )
        return following


def named(graph: GraphQL, document: str, keys: Sequence[str]) -> Sliced:
    """The customers of these ids that are there, a few in each call; ``document`` asks for several by id."""
    lines: list[bytes] = []
    for first in range(0, len(keys), AT_ONCE):
        response = graph.ask(document, {"ids": list(keys[first : first + AT_ONCE])}).response
        found = _nodes.open(response.utf8()).slices or msgspec.Raw(b"[]")
        lines += map(bytes, _raws.decode(found))
    return sliced([line for line in lines if line not in (b"null", b"{}")])


def sliced(lines: Sequence[bytes]) -> Sliced:
    """Customers that came one in a line."""
    return _slicer.slice(Envelope(None, msgspec.Raw(b"[" + b",".join(lines) + b"]")))


def ensure_shown(cut: Sliced, connection: str) -> None:
    """Raise ``PermissionMissing`` where names and contacts are withheld from all of several customers."""
    if len(cut.records) < ENOUGH or any(_shown(msgspec.json.decode(r.body)) for r in cut.records):
        return
    raise PermissionMissing(
        "{connection}: Shopify shows customers without names, email addresses and phone numbers.",
        remedy="Give the app access to protected customer data (name, email, phone, address), then sync again.",
        connection=connection,
    )


def _shown(customer: Mapping[str, Any]) -> bool:
    return any(customer.get(name) for name in SHOWN)
