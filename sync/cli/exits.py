"""Exit codes: what a script may rely on."""

from __future__ import annotations

from enum import IntEnum

import typer
from typer.exceptions import TyperException

from connectors.errors import NeedsHuman, RetryLater, StreamBroken, WaitUntil
from mappings.errors import SpecError
from sync.errors import BrokerUnavailable, DatabaseUnavailable, Misused, SchemaMismatch


class Exit(IntEnum):
    """What became of the command."""

    OK = 0
    FAULT = 1
    USAGE = 2
    CONFIGURATION = 3
    QUARANTINED = 4
    UPSTREAM = 5
    INTERRUPTED = 130


def exit_code(error: BaseException) -> Exit:
    """The exit code of an error that ended a command."""
    if isinstance(error, typer.Abort):
        return Exit.INTERRUPTED
    if isinstance(error, Misused | TyperException):
        return Exit.USAGE
    if isinstance(error, NeedsHuman | StreamBroken | SpecError | SchemaMismatch):
        return Exit.CONFIGURATION
    if isinstance(error, RetryLater | WaitUntil | DatabaseUnavailable | BrokerUnavailable):
        return Exit.UPSTREAM
    return Exit.FAULT


def exit_of_code(code: str | None) -> Exit:
    """The exit code of an error of which only the ``code`` is kept, as on the row of a run that failed."""
    if code in _UPSTREAM:
        return Exit.UPSTREAM
    return Exit.CONFIGURATION if code in _CONFIGURATION else Exit.FAULT


_UPSTREAM = frozenset({"retry_later", "wait_until", "database_unavailable", "broker_unavailable"})
_CONFIGURATION = frozenset(
    {
        *("needs_human", "bad_credentials", "permission_missing"),
        *("bad_configuration", "configuration_faults", "address_refused"),
        *("stream_broken", "stream_missing", "listing_incomplete", "cursor_expired", "schema_drift", "endless_pages"),
        *("mapping_invalid", "mapping_unusable", "cannot_backfill", "schema_mismatch", "schema_newer"),
    }
)


def worst(codes: list[Exit]) -> Exit:
    """The exit code of several parts: a fault outweighs the rest, quarantine outweighs success."""
    order = [Exit.INTERRUPTED, Exit.FAULT, Exit.CONFIGURATION, Exit.UPSTREAM, Exit.USAGE, Exit.QUARANTINED, Exit.OK]
    return min(codes, key=order.index, default=Exit.OK)
