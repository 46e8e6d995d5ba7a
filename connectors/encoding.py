"""From the caller's parameters and body to what goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
import requests

from connectors.auth.base import Outgoing

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]


def pairs(params: Params | None) -> list[tuple[str, str]]:
    """Names and texts: None is left out, lists are repeated, booleans are true/false, times are ISO 8601."""
    items = params.items() if isinstance(params, Mapping) else params or ()
    found: list[tuple[str, str]] = []
    for name, value in items:
        values = value if isinstance(value, (list, tuple)) else (value,)
        found += [(name, _text(item)) for item in values if item is not None]
    return found


def encoded(json: Any, form: Params | None, content: bytes | None) -> tuple[bytes | None, dict[str, str]]:
    """The body's bytes and its content type. Decimals become JSON numbers."""
    if json is not None:
        return _JSON.encode(json), {"Content-Type": "application/json"}
    if form is not None:
        return urlencode(pairs(form)).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return content, {}


def prepared(outgoing: Outgoing) -> requests.PreparedRequest:
    """The request as ``requests`` sends it."""
    request = requests.Request(
        outgoing.method, outgoing.url, params=outgoing.params, headers=outgoing.headers, data=outgoing.body
    )
    return request.prepare()


_JSON = msgspec.json.Encoder(decimal_format="number")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)
