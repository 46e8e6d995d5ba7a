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
from connectors.wording import Wording


class Meaning(NamedTuple):
    """The error to raise and its text; ``read`` and ``write`` differ where one record is at fault, not the stream."""

    read: type[ConnectorError]
    write: type[ConnectorError]
    wording: Wording


_REFUSED = Wording("{connection}: {method} {path} was refused as wrong (status {status}){excerpt}")
_UNKNOWN = Wording("{connection}: the credentials were refused by {method} {path}{excerpt}")
_UNPAID = Wording("{connection}: {method} {path} asks for payment or a larger plan{excerpt}")
_FORBIDDEN = Wording("{connection}: {method} {path} is not allowed for this user{excerpt}")
_MISSING = Wording(
    "{connection}: {method} {path} does not exist there (status {status}){excerpt}",
    remedy="Check the connection's `base_url` and the path against the system's documentation.",
)
_NOT_OFFERED = Wording(
    "{connection}: {method} {path} is not offered there (status {status}){excerpt}",
    remedy="Check the connection's `base_url` and the path against the system's documentation.",
)
_MOVED = Wording(
    "{connection}: {method} {path} has moved and the new place was not followed (status {status}){excerpt}",
    remedy="Check the connection's `base_url` and the path against the system's documentation.",
)
_BUSY = Wording("{connection}: {method} {path} failed on the other side (status {status}){excerpt}")
_CONFLICT = Wording("{connection}: {method} {path} met a conflict{excerpt}")
_GONE = Wording("{connection}: {method} {path} is gone{excerpt}")
_CHANGED = Wording("{connection}: {method} {path} expected another version{excerpt}")
_LOCKED = Wording("{connection}: {method} {path} is locked at the moment{excerpt}")

MEANINGS: dict[int, Meaning] = {
    400: Meaning(StreamBroken, RecordRejected, _REFUSED),
    401: Meaning(BadCredentials, BadCredentials, _UNKNOWN),
    402: Meaning(NeedsHuman, NeedsHuman, _UNPAID),
    403: Meaning(PermissionMissing, PermissionMissing, _FORBIDDEN),
    404: Meaning(BadConfiguration, RecordRejected, _MISSING),
    405: Meaning(BadConfiguration, BadConfiguration, _NOT_OFFERED),
    408: Meaning(RetryLater, RetryLater, _BUSY),
    409: Meaning(RetryLater, WriteConflict, _CONFLICT),
    410: Meaning(CursorExpired, RecordRejected, _GONE),
    412: Meaning(StreamBroken, WriteConflict, _CHANGED),
    421: Meaning(RetryLater, RetryLater, _BUSY),
    423: Meaning(RetryLater, RetryLater, _LOCKED),
    425: Meaning(RetryLater, RetryLater, _BUSY),
    501: Meaning(BadConfiguration, BadConfiguration, _NOT_OFFERED),
}

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
    return Meaning(BadConfiguration, BadConfiguration, _MOVED)


def error_of(response: Response, *, read: bool) -> ConnectorError:
    """The error for an answer that is no success: names connection, method, path, status and a masked excerpt."""
    found = meaning(response.status)
    kind = found.read if read else found.write
    return kind(
        found.wording.template,
        remedy=found.wording.remedy,
        connection=response.connection,
        method=response.method,
        path=response.path,
        status=response.status,
        excerpt=response.excerpt(),
    )
