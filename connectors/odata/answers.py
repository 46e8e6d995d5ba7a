"""What an OData service answers: pages of rows with their links, and errors, in both versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import ConnectorError, StreamBroken
from connectors.response import Response

_KEY = re.compile(r"\(([^()]*)\)$")
_TAIL = re.compile(r"\s*CorrelationId:\s*[\w-]+\.?\s*$")
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One page. ``next`` leads to the following page and ``delta`` to later changes, both as the service wrote them."""

    rows: Sequence[dict[str, Any]]
    next: str | None
    delta: str | None
    total: int | None
    response: Response


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error body: its code, and its message with all details, masked and fit to be shown."""

    code: str
    reason: str


def answer_v4(response: Response) -> Answer:
    """A page of version 4. Raises ``StreamBroken`` for an answer without a list of rows."""
    found = response.json()
    rows = found.get("value") if isinstance(found, Mapping) else None
    return Answer(
        _rows(rows, response),
        _link(found, "@odata.nextLink", "@nextLink"),
        _link(found, "@odata.deltaLink", "@deltaLink"),
        None,
        response,
    )


def answer_v2(response: Response) -> Answer:
    """A page of version 2: ``{"d": {"results": […]}}``, or ``{"d": […]}`` of older services."""
    found = response.json()
    inner = found.get("d") if isinstance(found, Mapping) else None
    if isinstance(inner, list):
        return Answer(_rows(inner, response), None, None, None, response)
    inner = inner if isinstance(inner, Mapping) else {}
    count = str(inner.get("__count", ""))
    total = int(count) if count.isdecimal() else None
    return Answer(_rows(inner.get("results"), response), _link(inner, "__next"), None, total, response)


def deleted_key(row: Mapping[str, Any]) -> str | None:
    """The key of an entry that tells a deleted row; None if it is no such entry.

    ``…/$deletedEntity`` with ``id`` is version 4.0, ``@removed`` with ``@id`` or ``id`` is 4.01; the id is a key or
    a URL that ends with the key in parentheses.
    """
    context = row.get("@odata.context", row.get("@context", ""))
    if "@removed" not in row and not str(context).endswith("/$deletedEntity"):
        return None
    named = str(row.get("id") or row.get("@odata.id") or row.get("@id") or "")
    inside = _KEY.search(named)
    return (inside[1].strip("'") if inside else named) or None


def is_deleted(row: Mapping[str, Any]) -> bool:
    """Whether the entry tells a deleted row (whose key may be missing)."""
    return "@removed" in row or str(row.get("@odata.context", row.get("@context", ""))).endswith("/$deletedEntity")


def refusal(response: Response) -> Refusal:
    """The error that a body tells; for a body that is no OData error, an excerpt of it."""
    error = _error(response)
    message = error.get("message")
    if isinstance(message, Mapping):  # version 2: {"lang": "en", "value": "…"}
        message = message.get("value")
    inner = error.get("innererror")
    details = inner.get("errordetails") if isinstance(inner, Mapping) else error.get("details")
    texts = [_TAIL.sub("", str(message or "")), *_serious(details)]
    reason = " ".join(dict.fromkeys(text.strip() for text in texts if text and text.strip()))
    if not reason:
        reason = response.excerpt().removeprefix(": ") or f"status {response.status}"
    else:
        reason = response.redactor.excerpt(reason.encode(), LONGEST_REASON)
    return Refusal(str(error.get("code") or "")[:80], reason)


def _serious(details: Any) -> list[str]:
    """The messages of all details that are errors, not warnings."""
    items = [item for item in details if isinstance(item, Mapping)] if isinstance(details, list) else []
    return [str(item.get("message", "")) for item in items if item.get("severity", "error") == "error"]


def _error(response: Response) -> Mapping[str, Any]:
    try:
        found = response.json(lenient=True)
    except ConnectorError:
        return {}
    error = found.get("error") if isinstance(found, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _link(found: Any, *names: str) -> str | None:
    links = (found.get(name) for name in names) if isinstance(found, Mapping) else ()
    return next((link for link in links if isinstance(link, str) and link), None)


def _rows(rows: Any, response: Response) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise StreamBroken(
            "{connection}: {method} {path} answered no list of rows.",
            connection=response.connection,
            method=response.method,
            path=response.path,
            remedy="Check that the address is that of an OData service of the right version.",
        )
    return rows
