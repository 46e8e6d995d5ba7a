"""Opaque cursors: where a list goes on, bound to the filters it was asked with.

A cursor is the last row's place in the order, so that pages are stable while rows come and go, and lists have no end
that a counter would set. It is encoded, not secret: it grants nothing, and every part of it is checked.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import orjson
import xxhash
from fastapi import Query

from dashboard.api.problems import Problem

DEFAULT, MOST = 50, 500
LONGEST_CURSOR = 400

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many to answer at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before; with the same filters."),
]
_Item = TypeVar("_Item")


def encode(place: Sequence[Any], filters: Mapping[str, Any]) -> str:
    """The cursor that goes on after a place."""
    return base64.urlsafe_b64encode(orjson.dumps([_mark(filters), *place])).decode().rstrip("=")


def decode(cursor: str | None, filters: Mapping[str, Any], kinds: Sequence[type]) -> list[Any] | None:
    """The place behind a cursor; None for the beginning. Raises 422 for one that is not ours or of other filters."""
    if not cursor:
        return None
    try:
        mark: Any
        place: list[Any]
        mark, *place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise refused() from None
    right = len(place) == len(kinds) and all(type(one) is kind for one, kind in zip(place, kinds, strict=True))
    if not right or mark != _mark(filters):
        raise refused()
    if any(isinstance(one, int) and not -(1 << 63) <= one < 1 << 63 for one in place):
        raise refused()
    if any(isinstance(one, str) and not _is_text(one) for one in place):
        raise refused()
    return place


def page(
    found: Sequence[_Item],
    limit: int,
    filters: Mapping[str, Any],
    place: Callable[[_Item], Sequence[Any]],
    shown: Callable[[_Item], Any],
) -> dict[str, Any]:
    """A page of a list that was asked for with ``limit + 1`` rows."""
    rows = found[:limit]
    following = encode(place(rows[-1]), filters) if len(found) > limit else None
    return {"data": [shown(row) for row in rows], "next_cursor": following}


def _mark(filters: Mapping[str, Any]) -> str:
    given = {name: value for name, value in filters.items() if value is not None}
    return xxhash.xxh3_64_hexdigest(orjson.dumps(given, option=orjson.OPT_SORT_KEYS, default=str))[:8]


def _is_text(value: str) -> bool:
    return "\x00" not in value and len(value) <= LONGEST_CURSOR


def refused() -> Problem:
    """A cursor that is not ours, or belongs to other filters."""
    return Problem(
        "This cursor does not belong to this list.",
        status=422,
        code="bad_cursor",
        parameter="cursor",
        remedy="Send the cursor with the filters it was answered to, or begin again without it.",
    )
