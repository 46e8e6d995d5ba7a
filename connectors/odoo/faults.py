"""What Odoo's errors mean. They are named by the Python exception of the server, in both protocols.

JSON-2 answers them with a status of 4xx or 5xx and ``{"name": …, "message": …, "debug": …}``; JSON-RPC with status 200
and the same under ``error.data`` (odoo/http.py, ``serialize_exception``). ``debug`` is a traceback and never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)

LONGEST_REASON = 300
_REFUSED = {"AccessDenied", "SessionExpiredException", "SessionExpired", "Unauthorized"}
_OF_THE_RECORD = {"ValidationError", "UserError", "RedirectWarning", "Warning", "except_orm", "UnprocessableEntity"}
_PASSING = (
    "OperationalError", "InterfaceError", "PoolError", "SerializationFailure", "TransactionRollbackError",
    "LockNotAvailable", "DeadlockDetected", "QueryCanceled", "ConcurrencyError", "TooManyRequests", "MemoryError",
)  # fmt: skip
_BY_RULE = "security restrictions"
"""Part of the text with which a record rule (not a missing right) forbids one record."""


class Fault(NamedTuple):
    """An error of the server: the Python exception's name without its module, and its text."""

    kind: str
    text: str
    unique: bool = False


def fault_of(told: Any) -> Fault | None:
    """The error that an answer's object tells; None for what is no error of Odoo."""
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str) or "message" not in told:
        return None
    kind = told["name"].rpartition(".")[2]
    lines = [line.strip() for line in str(told["message"] or kind).splitlines() if line.strip()]
    text = " ".join(lines)[:LONGEST_REASON]
    unique = kind == "UniqueViolation" or "duplicate key" in text.lower() or "already exists" in text.lower()
    return Fault(kind, text, unique)


def error_for(fault: Fault, *, connection: str, call: str, write: bool) -> ConnectorError:
    """The error as one of ours. ``call`` is model and method; ``write``: it was about one record."""
    where = {"connection": connection, "call": call, "reason": fault.text}
    if fault.kind in _REFUSED:
        return BadCredentials("{connection}: Odoo refused the login: {reason}.", **where)
    if fault.kind == "OperationalError" and "does not exist" in fault.text:
        return no_database(connection)
    if fault.kind.startswith(_PASSING):
        return RetryLater("{connection}: Odoo could not carry out {call} now: {reason}", **where)
    if fault.kind == "AccessError" and not (write and _BY_RULE in fault.text):
        return PermissionMissing("{connection}: Odoo does not allow {call}: {reason}", **where)
    if write:
        kind = WriteConflict if fault.unique else RecordRejected
        return kind("{connection}: Odoo refused the record: {reason}", rule=fault.text, **where)
    if fault.kind in _OF_THE_RECORD or fault.kind != "NotFound":
        return StreamBroken("{connection}: {call} failed in Odoo ({kind}): {reason}", kind=fault.kind, **where)
    return BadConfiguration(
        "{connection}: Odoo knows no {call}: {reason}",
        setting="protocol",
        remedy="Check the settings `base_url` and `protocol` of the connection.",
        **where,
    )


def no_database(connection: str) -> BadConfiguration:
    """The server has not the database that the settings name."""
    return BadConfiguration(
        "{connection}: the Odoo server has no such database.",
        setting="database",
        connection=connection,
        remedy="Check the settings `database`, `base_url` and `protocol` of the connection.",
    )
