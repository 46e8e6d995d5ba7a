"""Several calls in one, by Microsoft Graph's JSON batching: each has its own headers, answer and status.

What is done together is only ever quicker: a call that was throttled inside, that failed there, or that no answer tells
of, has no answer here and is made alone, with all patience of the HTTP client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from requests.structures import CaseInsensitiveDict

from connectors.errors import BadConfiguration, RecordRejected, StreamBroken
from connectors.msgraph.service import IMMUTABLE
from connectors.odata.client import ODataClient
from connectors.odata.literals import url
from connectors.response import Response

TOGETHER = 20
"""Graph takes no more."""
_PASSING = frozenset({401, 408, 429})


@dataclass(frozen=True, slots=True)
class Part:
    """One call; ``path`` is relative to the version of the interface, percent-encoded, with its query."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def together(client: ODataClient, parts: Sequence[Part]) -> list[Response | None]:
    """The answers to up to twenty calls, in their order; None for those that have to be made alone.

    Each counts for the limit of calls as it would alone. A batch that is refused as a whole has no answers.
    """
    if len(parts) < 2:
        return [None] * len(parts)
    reading = all(part.method == "GET" for part in parts)
    asked = {"requests": [_asked(number, part) for number, part in enumerate(parts)]}
    try:
        response = client.http.post("$batch", json=asked, read=reading, idempotent=reading, weight=float(len(parts)))
    except (BadConfiguration, RecordRejected, StreamBroken):
        return [None] * len(parts)
    told = response.json(lenient=True)
    answers = told.get("responses") if isinstance(told, Mapping) else None
    by_number = {str(one.get("id")): one for one in answers or () if isinstance(one, Mapping)}
    return [_answer(by_number.get(str(number)), part, response) for number, part in enumerate(parts)]


def seen_together(
    client: ODataClient, paths: Sequence[str], params: Mapping[str, Any]
) -> Iterator[Mapping[str, Any] | None]:
    """The entities at these paths, in their order; None for those that are not there."""
    for start in range(0, len(paths), TOGETHER):
        parts = [Part("GET", url(path, params)) for path in paths[start : start + TOGETHER]]
        for path, answer in zip(paths[start:], together(client, parts), strict=False):
            if answer is None or not (answer.ok or answer.status == 404):
                yield client.one(path, params)
            else:
                yield client.entity(answer) if answer.ok else None


def _asked(number: int, part: Part) -> dict[str, Any]:
    asked: dict[str, Any] = {"id": str(number), "method": part.method, "url": f"/{part.path}"}
    headers = {"Prefer": IMMUTABLE, **part.headers}
    if part.body is not None:
        asked["body"] = dict(part.body)
        headers["Content-Type"] = "application/json"
    return asked | {"headers": headers}


def _answer(told: Mapping[str, Any] | None, part: Part, whole: Response) -> Response | None:
    status = told.get("status") if told is not None else None
    if told is None or not isinstance(status, int) or status >= 500 or status in _PASSING:
        return None
    body, headers = told.get("body"), told.get("headers")
    return Response(
        connection=whole.connection,
        method=part.method,
        url=f"{whole.url.partition('/$batch')[0]}/{part.path.partition('?')[0]}",
        status=status,
        headers=CaseInsensitiveDict(headers if isinstance(headers, Mapping) else {}),
        body=b"" if body is None else msgspec.json.encode(body),
        redactor=whole.redactor,
    )
