"""Answers of the REST interface: JSON by orjson, sparse fields, entity tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import xxhash
from fastapi import Request, Response

from dashboard.api.problems import Problem

MEDIA_TYPE = "application/json"
MOST_FIELDS = 100
CACHING = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept-Language"}
"""May be kept by the caller alone, who asks each time whether it still holds."""


def answer(
    request: Request,
    data: Any,
    *,
    status: int = 200,
    tag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Data as JSON, with an entity tag (of its bytes, if none is given); 304 for who holds it already."""
    body = orjson.dumps(data, option=orjson.OPT_UTC_Z)
    sent = {"ETag": tag or tag_of(body), **CACHING, **(headers or {})}
    if request.method == "GET" and status == 200 and matches(request.headers.get("if-none-match", ""), sent["ETag"]):
        return Response(None, 304, sent)
    return Response(body, status, sent, media_type=MEDIA_TYPE)


def tag_of(body: bytes) -> str:
    """The entity tag of bytes."""
    return f'"{xxhash.xxh3_64_hexdigest(body)}"'


def matches(header: str, tag: str) -> bool:
    """Whether an ``If-None-Match`` or ``If-Match`` header names the tag (weak comparison, RFC 9110)."""
    if not header:
        return False
    named = {part.strip().removeprefix("W/") for part in header.split(",")}
    return "*" in named or tag.removeprefix("W/") in named


def require_match(request: Request, tag: str) -> None:
    """Raises 412 where an ``If-Match`` header names another state of the resource."""
    wanted = request.headers.get("if-match", "")
    if wanted and not matches(wanted, tag):
        raise Problem(
            "It was changed in the meantime.", status=412, code="changed_meanwhile", remedy="Get it again, then decide."
        )


def chosen_fields(fields: str | None, known: Mapping[str, Any] | frozenset[str]) -> tuple[str, ...] | None:
    """The fields that ``?fields=a,b.c`` names, in order; None for all. Raises 422 for one there is not."""
    if fields is None or not fields.strip():
        return None
    names = tuple(dict.fromkeys(name.strip() for name in fields.split(",") if name.strip()))[:MOST_FIELDS]
    for name in names:
        if name.partition(".")[0] not in known:
            raise Problem(
                "There is no field {name}. There are: {known}.",
                status=422,
                code="unknown_field",
                parameter="fields",
                name=name[:60],
                known=", ".join(sorted(known)),
                remedy="Leave it out, or correct it.",
            )
    return names


def sparse(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Only these fields, always with the id; ``golden.name`` names a field within a field."""
    found: dict[str, Any] = {"id": data["id"]} if "id" in data else {}
    for name in names:
        outer, _, inner = name.partition(".")
        if not inner:
            found[outer] = data.get(outer)
        elif isinstance(data.get(outer), Mapping):
            part = found.setdefault(outer, {})
            if inner in data[outer] and isinstance(part, dict):
                part[inner] = data[outer][inner]
    return found
