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


def worst(codes: list[Exit]) -> Exit:
    """The exit code of several parts: a fault outweighs the rest, quarantine outweighs success."""
    order = [Exit.INTERRUPTED, Exit.FAULT, Exit.CONFIGURATION, Exit.UPSTREAM, Exit.USAGE, Exit.QUARANTINED, Exit.OK]
    return min(codes, key=order.index, default=Exit.OK)
