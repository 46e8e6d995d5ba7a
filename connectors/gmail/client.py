"""Calls to Google: limits that come as 403, pages, and messages in batches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.parser import BytesParser
from typing import Any

import msgspec

from connectors.contract import Context
from connectors.errors import ConnectorError, StreamBroken
from connectors.gmail.config import GmailConfig
from connectors.gmail.login import login
from connectors.http import Client
from connectors.response import Response

PER_DAY = frozenset({"dailyLimitExceeded", "quotaExceeded"})
LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}) | PER_DAY
TOGETHER = 50
"""Messages in a batch: more are allowed and not advised."""
_BOUNDARY = "kehu-batch"
_STATUS = re.compile(rb"^HTTP/\d(?:\.\d)? (\d{3})")


class GoogleClient(Client):
    """A client for which a 403 that speaks of limits is what a 429 is to others. Google does not say how long."""

    def _refusal(self, call: Any, response: Response) -> Exception:
        reason = reason_of(response) if response.status in (403, 429) and "Retry-After" not in response.headers else ""
        if reason in LIMITS:
            return self._throttled(response, 3600.0 if reason in PER_DAY else None)
        return super()._refusal(call, response)


def google(config: GmailConfig, context: Context, base_url: str) -> GoogleClient:
    """A client of one of Google's interfaces."""
    client = GoogleClient(context, base_url, auth=login(config))
    known = (config.service_account, config.client_secret, config.refresh_token)
    client.redactor.add(*(secret for secret in known if secret is not None))
    return client


def reason_of(response: Response) -> str:
    """The reason in an error body, in the form of either generation; empty if there is none."""
    try:
        found = response.json(lenient=True)
    except ConnectorError:
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    error = error if isinstance(error, dict) else {}
    told = [*_items(error.get("errors")), *_items(error.get("details"))]
    return next((str(item["reason"]) for item in told if item.get("reason")), "")


def answered(response: Response) -> dict[str, Any]:
    """The answer as an object. Raises ``StreamBroken`` for anything else."""
    found = response.json(lenient=True)
    if isinstance(found, dict):
        return found
    raise StreamBroken(
        "{connection}: {path} answered something else than an object.",
        connection=response.connection,
        path=response.path,
    )


def listed(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list; Google leaves an empty list out."""
    return _items(answer.get(name))


def batch_body(paths: Sequence[str]) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a batch of GET calls (multipart/mixed of application/http)."""
    parts = [
        f"--{_BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\nGET /{path}\r\n\r\n"
        for number, path in enumerate(paths)
    ]
    headers = {"Content-Type": f"multipart/mixed; boundary={_BOUNDARY}", "Accept": "multipart/mixed"}
    return ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode(), headers


def batch_answers(response: Response) -> list[dict[str, Any]]:
    """The bodies of the calls of a batch that succeeded. The others are left out, to be asked for singly."""
    head = f"Content-Type: {response.headers.get('Content-Type', '')}\r\n\r\n".encode()
    found: list[dict[str, Any]] = []
    for part in BytesParser().parsebytes(head + response.body).walk():
        content = None if part.is_multipart() else part.get_payload(decode=True)
        status = _STATUS.match(content) if isinstance(content, bytes) else None
        if status is None or status[1] != b"200" or not isinstance(content, bytes):
            continue
        try:
            body = msgspec.json.decode(re.split(rb"\r?\n\r?\n", content, maxsplit=1)[-1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        found += [body] if isinstance(body, dict) else []
    return found


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
