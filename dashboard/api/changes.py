"""``/api/v1/changes``: the change feed, by long polling or as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import Header, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from dashboard.api import schemas
from dashboard.api.problems import Problem
from dashboard.api.routes import PREFIX, problem, resource
from dashboard.api.waiting import Feed, feed_of
from dashboard.permissions import Permission, identify, principal_of
from sync.feed import tokens
from sync.feed.events import TYPES
from sync.feed.reading import MOST, Batch
from sync.feed.tokens import Token, TokenExpired

router = resource("changes", Permission.CHANGES_READ)

LONGEST_WAIT = 60
MOST_FOLLOWING = 5_000
"""Consumers that one process lets wait."""
HEARTBEAT = 15.0
"""Seconds after which a silent stream shows that it lives; then the consumer's permission is looked up again."""
LONGEST_STREAM = 3_600.0
EVENT_STREAM = "text/event-stream"

Kind = Literal[
    "customer.created",
    "customer.updated",
    "customer.merged",
    "customer.split",
    "customer.erased",
    "customer.deleted",
]


class VersionsOut(schemas.Schema):
    """A customer's version before and after a change."""

    before: int | None
    after: int


class EventOut(schemas.Schema):
    """One event of the change feed; docs/change-feed.md tells what is in `data`."""

    type: Literal[Kind, "customer.snapshot"]
    token: str = Field(description="goes on after this event")
    at: str
    customer: str = Field(examples=["C0123456789ABC"])
    version: VersionsOut
    changed: list[str] = Field(description="the names of the changed fields of the golden record")
    cause: dict[str, Any] | None = Field(description="`kind`: sync, replay, decision, resume, erasure; and its numbers")
    data: dict[str, Any] = Field(description="the values only with the permission `personal:read`")


class ChangesOut(schemas.Schema):
    """Some events, in commit order."""

    data: list[EventOut]
    token: str = Field(description="send it as `after`")
    more: bool = Field(description="whether more are there already")


@router.get(
    "",
    response_model=None,
    responses={
        200: {"model": ChangesOut, "content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problem(410, "The changes after the token are no longer kept: `token_expired`; `start_again` tells where."),
    },
)
async def follow_changes(
    request: Request,
    after: Annotated[
        str | None, Query(max_length=tokens.LONGEST, description="`token` of the answer or event before.")
    ] = None,
    start: Annotated[
        Literal["snapshot", "now"],
        Query(description="Without `after`: begin with all customers as they are, or with the changes from now on."),
    ] = "snapshot",
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a change.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many to answer at most.")] = 500,
    type: Annotated[list[Kind] | None, Query(max_length=len(TYPES), description="Only these.")] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=tokens.LONGEST, description="Of a stream that goes on: instead of `after`.")
    ] = None,
) -> Response:
    """Follow every change of every customer, without gaps, in the order of the commits.

    Without `after` come first the customers as they are (`customer.snapshot`), then what changes. With `wait` the
    answer comes as soon as there is a change. With `Accept: text/event-stream` the changes come as server-sent events,
    which go on at `Last-Event-ID`.
    """
    feed, types = feed_of(request.app), frozenset[str](type or ())
    personal = principal_of(request).may(Permission.PERSONAL_READ)
    token, asked = await _place(request, last_event_id or after, start)
    streams = EVENT_STREAM in request.headers.get("accept", "")
    if (streams or wait) and feed.following >= MOST_FOLLOWING:
        raise Problem(
            "Too many consumers wait here already.",
            status=503,
            code="too_many_consumers",
            headers={"Retry-After": "5"},
            remedy="Ask without `wait`, or later.",
        )
    batch = await _first(feed, token, limit, types)
    if streams:
        frames = _stream(request, feed, batch, limit, types)
        return StreamingResponse(frames, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
    if asked and wait and not batch.events:
        batch = await _awaited(feed, batch, limit, types, time.monotonic() + wait)
    return Response(_page(batch, personal), media_type="application/json")


async def _place(request: Request, text: str | None, start: str) -> tuple[Token, bool]:
    """Where to go on, and whether the consumer said so."""
    if text:
        return tokens.decode(text), True
    database = request.app.state.project.database

    def beginning() -> Token:
        with database.reading() as connection:
            return tokens.start(connection) if start == "snapshot" else tokens.now(connection)

    return await run_in_threadpool(beginning), False


async def _first(feed: Feed, token: Token, limit: int, types: frozenset[str]) -> Batch:
    try:
        return await feed.read(token, limit, types)
    except TokenExpired as error:
        raise Problem(
            error.template,
            status=410,
            code=error.code,
            remedy=error.remedy,
            more={"start_again": f"{PREFIX}/changes?start=snapshot"},
        ) from None


async def _awaited(feed: Feed, batch: Batch, limit: int, types: frozenset[str], end: float) -> Batch:
    with feed.followed():
        while not batch.events:
            left = end - time.monotonic()
            if not batch.more:
                if left <= 0:
                    break
                await feed.news(batch.token, left)
            batch = await feed.read(batch.token, limit, types)
    return batch


def _page(batch: Batch, personal: bool) -> bytes:
    events = b",".join([event.json(personal=personal) for event in batch.events])
    more = b"true" if batch.more else b"false"
    return b'{"data":[' + events + b'],"token":"' + tokens.encode(batch.token).encode() + b'","more":' + more + b"}"


async def _stream(
    request: Request, feed: Feed, batch: Batch, limit: int, types: frozenset[str]
) -> AsyncIterator[bytes]:
    """Frames for as long as the consumer listens and may; it comes back by itself at the latest after an hour."""
    yield b"retry: 2000\n\n"
    end = time.monotonic() + LONGEST_STREAM
    looked_up = time.monotonic()
    personal = principal_of(request).may(Permission.PERSONAL_READ)
    with feed.followed():
        while time.monotonic() < end:
            if time.monotonic() - looked_up > HEARTBEAT:
                del request.state.principal
                visitor = await identify(request)
                if visitor is None or not visitor.may(Permission.CHANGES_READ):
                    return
                personal, looked_up = visitor.may(Permission.PERSONAL_READ), time.monotonic()
            if batch.events:
                yield b"".join([event.frame(personal=personal) for event in batch.events])
            if not batch.more:
                reached = batch.token
                await feed.news(reached, HEARTBEAT)
                if not feed.tail.behind(reached):
                    yield f"id: {tokens.encode(reached)}\n\n".encode()  # alive; where to go on, if all was filtered out
            batch = await feed.read(batch.token, limit, types)
