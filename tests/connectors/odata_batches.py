"""Batches of an OData service, as a server reads and answers them: in JSON, and in parts of parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from requests.structures import CaseInsensitiveDict


class Answer(Exception):
    """What is answered; raised from anywhere."""

    def __init__(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}


@dataclass
class Call:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: Any
    raw_query: str = ""


def calls_in(batch: Call) -> list[Call]:
    """The calls within a batch. What is against the protocol fails the test."""
    if isinstance(batch.body, dict):
        requests = batch.body["requests"]
        assert len({one["id"] for one in requests}) == len(requests) <= 100
        return [_call(batch, one["method"], one["url"], one["headers"], one.get("body")) for one in requests]
    return [_http(batch, part) for part in _leaves(batch.headers["Content-Type"], batch.body)]


def packed(batch: Call, answers: Sequence[Answer]) -> Answer:
    """The answer to a batch."""
    if isinstance(batch.body, dict):
        told = [{"id": str(number), "status": one.status, "headers": one.headers, "body": one.body}
                for number, one in enumerate(answers)]  # fmt: skip
        return Answer(200, {"responses": told})
    methods = [call.method for call in calls_in(batch)]
    body = "".join(_shown(number, method, one)
                   for number, (method, one) in enumerate(zip(methods, answers, strict=False)))  # fmt: skip
    return Answer(202, f"{body}--answers--\r\n".encode(), {"Content-Type": "multipart/mixed; boundary=answers"})


def _shown(number: int, method: str, answer: Answer) -> str:
    """One answer; that of a change set that succeeded stands in a part of its own kind, one that failed does not."""
    body = "" if answer.body is None else answer.body.decode() if isinstance(answer.body, bytes) else json.dumps(
        answer.body, ensure_ascii=False)  # fmt: skip
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    inner = (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"HTTP/1.1 {answer.status} Said\r\nContent-Type: application/json\r\n{headers}\r\n{body}\r\n"
    )
    if method == "GET" or answer.status >= 400:
        return f"--answers\r\n{inner}"
    mark = f"changes{number}"
    return f"--answers\r\nContent-Type: multipart/mixed; boundary={mark}\r\n\r\n--{mark}\r\n{inner}--{mark}--\r\n"


def _leaves(kind: str, body: str) -> Iterator[str]:
    mark = re.search(r"boundary=([^;]+)", kind)
    assert mark, kind
    assert body.rstrip().endswith(f"--{mark[1]}--")
    for part in body.split(f"--{mark[1]}")[1:-1]:
        head, _, content = part.lstrip("\r\n").partition("\r\n\r\n")
        if "multipart/mixed" in head:
            inner = list(_leaves(head, content))
            assert len(inner) == 1, "a change set is carried out whole or not at all"
            yield from inner
        else:
            assert "application/http" in head
            yield content


def _http(batch: Call, content: str) -> Call:
    head, _, body = content.partition("\r\n\r\n")
    line, *lines = head.split("\r\n")
    method, target, protocol = line.split(" ")
    assert protocol == "HTTP/1.1"
    headers = dict(name.split(": ", 1) for name in lines)
    body = body.strip("\r\n")
    if body:
        assert int(headers["Content-Length"]) == len(body.encode()), (headers, body)
    return _call(batch, method, target, headers, json.loads(body) if body else None)


def _call(batch: Call, method: str, target: str, headers: dict[str, str], body: Any) -> Call:
    url = urlsplit(urljoin(batch.path, target))
    whole = CaseInsensitiveDict({**dict(batch.headers.items()), **headers})
    for name in ("If-Match", "If-None-Match"):
        if name not in CaseInsensitiveDict(headers):
            whole.pop(name, None)
    return Call(method, unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True)), whole, body, url.query)
