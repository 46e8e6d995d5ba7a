"""``/api/v1/crosswalk``: from a record of a source system to the customer, one by one and in bulk."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import Field, StringConstraints

from dashboard.api import schemas
from dashboard.api.answers import answer
from dashboard.api.openapi import IdempotencyKey
from dashboard.api.routes import problem, resource
from dashboard.permissions import Permission
from sync.errors import NotFound
from sync.master import lookup
from sync.master.lookup import Address

router = resource("crosswalk", Permission.CUSTOMERS_READ)

MOST = 1_000
Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
SourceId = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Part = Annotated[str, StringConstraints(max_length=200)]


class Key(schemas.Body):
    """What names a source record."""

    connection: Name
    stream: Name
    id: SourceId
    part: Part = ""


class Keys(schemas.Body):
    """Many source records."""

    keys: list[Key] = Field(
        min_length=1,
        max_length=MOST,
        examples=[[{"connection": "erp", "stream": "customers", "id": "C001"}]],
    )


@router.get(
    "",
    response_model=None,
    responses={
        200: {"model": schemas.CrosswalkOut},
        **problem(404, "No such record, or not resolved yet: `not_found`."),
    },
)
def look_up(
    request: Request,
    connection: Annotated[Name, Query(description="The connection's name.", examples=["erp"])],
    stream: Annotated[Name, Query(description="The stream's name.", examples=["customers"])],
    id: Annotated[SourceId, Query(description="The record's id in its system.", examples=["C001"])],
    part: Annotated[Part, Query(description="A part of the record, e.g. `branch:3`.")] = "",
) -> Response:
    """Which customer a source record belongs to."""
    address = Address(connection, stream, id, part)
    with request.app.state.project.database.reading() as reading:
        found = lookup.owners(reading, [address])
    if address not in found:
        named = "/".join(filter(None, address))[:200]
        raise NotFound("There is no source record {record}.", record=named, remedy="Check the address.")
    return answer(request, _shown(address, found))


@router.post(
    "/lookup",
    response_model=None,
    responses={200: {"model": schemas.Page[schemas.CrosswalkOut]}},
)
def look_up_many(request: Request, body: Keys, idempotency_key: IdempotencyKey = None) -> Response:
    """Which customers up to 1,000 source records belong to, in the order asked."""
    addresses = [Address(key.connection, key.stream, key.id, key.part) for key in body.keys]
    with request.app.state.project.database.reading() as reading:
        found = lookup.owners(reading, addresses)
    return answer(request, {"data": [_shown(address, found) for address in addresses], "next_cursor": None})


def _shown(address: Address, found: dict[Address, str]) -> dict[str, Any]:
    return {
        "connection": address.connection,
        "stream": address.stream,
        "id": address.source_id,
        "part": address.part,
        "customer": found.get(address),
    }
