"""One table: what a status code means for the engine, when reading and when writing."""

from __future__ import annotations

from typing import NamedTuple

from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    CursorExpired,
    NeedsHuman,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.response import Response


class Meaning(NamedTuple):
    """The error to raise and its text; ``read`` and ``write`` differ where one record is at fault, not the stream."""

    read: type[ConnectorError]
    write: type[ConnectorError]
    template: str
    remedy: str | None = None


_REFUSED = "{connection}: {method} {path} was refused as wrong (status {status}){excerpt}"
_BUSY = "{connection}: {method} {path} failed on the other side (status {status}){excerpt}"
_MISSING = "{connection}: {method} {path} does not exist there (status {status}){excerpt}"
_MOVED = "{connection}: {method} {path} has moved and the new place was not followed (status {status}){excerpt}"
_OFFERED = "{connection}: {method} {path} is not offered there (status {status}){excerpt}"
_ADDRESS = "Check the connection's `base_url` and the path against the system's documentation."

MEANINGS: dict[int, Meaning] = {
    400: Meaning(StreamBroken, RecordRejected, _REFUSED),
    401: Meaning(
        BadCredentials, BadCredentials, "{connection}: the credentials were refused by {method} {path}{excerpt}"
    ),
    402: Meaning(NeedsHuman, NeedsHuman, "{connection}: {method} {path} asks for payment or a larger plan{excerpt}"),
    403: Meaning(
        PermissionMissing, PermissionMissing, "{connection}: {method} {path} is not allowed for this user{excerpt}"
    ),
    404: Meaning(BadConfiguration, RecordRejected, _MISSING, _ADDRESS),
    405: Meaning(BadConfiguration, BadConfiguration, _OFFERED, _ADDRESS),
    408: Meaning(RetryLater, RetryLater, _BUSY),
    409: Meaning(RetryLater, WriteConflict, "{connection}: {method} {path} met a conflict{excerpt}"),
    410: Meaning(CursorExpired, RecordRejected, "{connection}: {method} {path} is gone{excerpt}"),
    412: Meaning(StreamBroken, WriteConflict, "{connection}: {method} {path} expected another version{excerpt}"),
    421: Meaning(RetryLater, RetryLater, _BUSY),
    423: Meaning(RetryLater, RetryLater, "{connection}: {method} {path} is locked at the moment{excerpt}"),
    425: Meaning(RetryLater, RetryLater, _BUSY),
    501: Meaning(BadConfiguration, BadConfiguration, _OFFERED, _ADDRESS),
}  # fmt: skip

UNPROCESSED = frozenset({421, 425, 429})
"""Statuses that promise the request had no effect, so that even a create may be sent again."""


def meaning(status: int) -> Meaning:
    """What a status that is no success means; classes of codes not in the table are judged by their hundred."""
    known = MEANINGS.get(status)
    if known is not None:
        return known
    if status >= 500:
        return Meaning(RetryLater, RetryLater, _BUSY)
    if status >= 400:
        return Meaning(StreamBroken, RecordRejected, _REFUSED)
    return Meaning(BadConfiguration, BadConfiguration, _MOVED, _ADDRESS)


def error_of(response: Response, *, read: bool) -> ConnectorError:
    """The error for an answer that is no success: names connection, method, path, status and a masked excerpt."""
    found = meaning(response.status)
    kind = found.read if read else found.write
    return kind(
        found.template,
        remedy=found.remedy,
        connection=response.connection,
        method=response.method,
        path=response.path,
        status=response.status,
        excerpt=response.excerpt(),
    )
