"""Several calls to an OData service in one request, each with its own headers, answer and status.

Two forms: JSON (OData JSON 4.01, section 19) and ``multipart/mixed`` (OData 4.0 part 1, section 11.7, and version 2),
in which every change is a change set of its own, so that none takes another with it.

What is done together is only ever quicker: a call that was throttled inside, that failed there, or that no answer tells
of, has no answer here (None), and its record is begun again alone, with a look at what is there.
"""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any

import msgspec
from requests.structures import CaseInsensitiveDict

from connectors.response import Response

CONTINUE = {"Prefer": "odata.continue-on-error"}
"""Without it a service may stop at the first call that it refuses."""
_NOT_FOR_GOOD = frozenset({401, 405, 408, 421, 425, 429, 501})
"""Statuses, besides those of 500 and more, that say nothing of the call as it would go alone."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One call. ``path`` is relative to the service, percent-encoded, with its query; ``allow`` are statuses, besides
    2xx, that the asker handles itself; ``idempotent``: the call may be made again when its answer did not come.
    """

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    allow: frozenset[int] = frozenset()
    idempotent: bool = False

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"


class Form(ABC):
    """How calls are packed into one request."""

    @abstractmethod
    def packed(self, asks: Sequence[Ask]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the request."""

    @abstractmethod
    def parts(self, whole: Response) -> Sequence[tuple[str, int, Mapping[str, str], bytes]]:
        """Of each answer the number of its call, status, headers and body. Raises ``ValueError`` for no such answer."""

    def answers(self, whole: Response, asks: Sequence[Ask]) -> list[Response | None]:
        """The answers to the calls, in their order; None for those that have to be made alone."""
        try:
            told = {number: rest for number, *rest in self.parts(whole)}
        except (ValueError, TypeError, KeyError, AttributeError, LookupError):
            return [None] * len(asks)
        return [_answer(told.get(str(number)), ask, whole) for number, ask in enumerate(asks)]


class JsonForm(Form):
    """``{"requests": [...]}``, answered by ``{"responses": [...]}``."""

    def packed(self, asks: Sequence[Ask]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the request."""
        requests = []
        for number, ask in enumerate(asks):
            one: dict[str, Any] = {"id": str(number), "method": ask.method, "url": ask.path, "headers": _headers(ask)}
            requests.append(one if ask.body is None else one | {"body": ask.body})
        return json.dumps({"requests": requests}).encode(), {"Content-Type": "application/json", **CONTINUE}

    def parts(self, whole: Response) -> Sequence[tuple[str, int, Mapping[str, str], bytes]]:
        """The answers, which name their calls."""
        found = []
        for one in msgspec.json.decode(whole.body)["responses"]:
            body = one.get("body")
            content = b"" if body is None else msgspec.json.encode(body)
            found.append((str(one["id"]), int(one["status"]), one.get("headers") or {}, content))
        return found


class MultipartForm(Form):
    """``multipart/mixed``: answers come in the order of the calls. ``prefix`` goes before the paths of the calls."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def packed(self, asks: Sequence[Ask]) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the request."""
        mark = f"batch_{secrets.token_hex(8)}"
        parts = (self._part(number, ask) for number, ask in enumerate(asks))
        body = _joined(mark, parts)
        return body, {"Content-Type": f"multipart/mixed; boundary={mark}", "Accept": "multipart/mixed", **CONTINUE}

    def parts(self, whole: Response) -> Sequence[tuple[str, int, Mapping[str, str], bytes]]:
        """The answers in their order, whether in a change set or not."""
        content = f"Content-Type: {whole.headers.get('Content-Type', '')}\r\n\r\n".encode("latin-1")
        message = BytesParser().parsebytes(content + whole.body)
        if not message.is_multipart():
            raise ValueError("no parts")
        leaves = [leaf for part in message.get_payload() if isinstance(part, Message) for leaf in _leaf(part)]
        return [(str(number), *_taken_apart(leaf)) for number, leaf in enumerate(leaves)]

    def _part(self, number: int, ask: Ask) -> bytes:
        call = _http(ask, self._prefix)
        if ask.reads:
            return b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n" + call
        mark = f"changes_{number}_{secrets.token_hex(6)}"
        inner = (
            b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
            + f"Content-ID: {number}\r\n\r\n".encode()
            + call
        )
        return f"Content-Type: multipart/mixed; boundary={mark}\r\n\r\n".encode() + _joined(mark, [inner])


def _http(ask: Ask, prefix: str) -> bytes:
    body = b"" if ask.body is None else json.dumps(ask.body, ensure_ascii=False).encode()
    headers = _headers(ask) | ({"Content-Length": str(len(body))} if body else {})
    lines = [
        f"{ask.method} {prefix}{ask.path} HTTP/1.1",
        *(f"{name}: {_one_line(value)}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + (b"" if body else b"\r\n")


def _one_line(value: str) -> str:
    """A header's value without the line breaks that a forged entity tag might hold."""
    return " ".join(str(value).split("\n")).replace("\r", " ")


def _headers(ask: Ask) -> dict[str, str]:
    given = {"Accept": "application/json", **ask.headers}
    return given if ask.body is None else given | {"Content-Type": "application/json"}


def _joined(mark: str, parts: Sequence[bytes] | Iterator[bytes]) -> bytes:
    return b"".join(f"--{mark}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{mark}--\r\n".encode()


def _leaf(part: Message) -> Iterator[Message]:
    """The answer in a part: itself, or the first and only one of a change set. An empty change set has none to show."""
    if not part.is_multipart():
        yield part
        return
    inner = [one for one in part.get_payload() if isinstance(one, Message)]
    if len(inner) != 1:
        raise ValueError("not one answer to one change")
    yield inner[0]


def _taken_apart(leaf: Message) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body of an answer within an answer."""
    content = leaf.get_payload(decode=True)
    if not isinstance(content, bytes):
        raise ValueError("no answer")
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    protocol, status = line.split()[:2]
    if not protocol.startswith(b"HTTP/"):
        raise ValueError("no answer of HTTP")
    message = BytesParser().parsebytes(rest)
    body = message.get_payload(decode=True)
    return int(status), dict(message.items()), body.strip() if isinstance(body, bytes) else b""


def _answer(told: Sequence[Any] | None, ask: Ask, whole: Response) -> Response | None:
    if told is None:
        return None
    status, headers, body = told
    if status >= 500 or status < 200 or (status in _NOT_FOR_GOOD and status not in ask.allow):
        return None
    return Response(
        connection=whole.connection,
        method=ask.method,
        url=f"{whole.url.partition('/$batch')[0]}/{ask.path.partition('?')[0]}",
        status=status,
        headers=CaseInsensitiveDict(headers),
        body=body,
        redactor=whole.redactor,
    )
