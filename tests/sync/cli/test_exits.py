"""Exit codes say what a script should do next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from connectors import errors as connector_errors
from mappings.errors import SpecError
from sync.cli.exits import Exit, exit_code, worst
from sync.errors import BrokerUnavailable, DatabaseUnavailable, Misused, NotFound, Refused, SchemaMismatch


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (typer.Abort(), Exit.INTERRUPTED),
        (Misused("?"), Exit.USAGE),
        (NotFound("?"), Exit.USAGE),
        (connector_errors.BadCredentials("?"), Exit.CONFIGURATION),
        (connector_errors.AddressRefused("?"), Exit.CONFIGURATION),
        (connector_errors.StreamBroken("?"), Exit.CONFIGURATION),
        (SpecError("?"), Exit.CONFIGURATION),
        (SchemaMismatch("?"), Exit.CONFIGURATION),
        (connector_errors.RetryLater("?"), Exit.UPSTREAM),
        (connector_errors.WaitUntil("?", until=datetime.now(UTC)), Exit.UPSTREAM),
        (DatabaseUnavailable("?"), Exit.UPSTREAM),
        (BrokerUnavailable("?"), Exit.UPSTREAM),
        (Refused("?"), Exit.FAULT),
        (RuntimeError("?"), Exit.FAULT),
    ],
)
def test_an_error_ends_the_command_with_its_code(error: Exception, code: Exit) -> None:
    assert exit_code(error) is code


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], Exit.OK),
        ([Exit.OK, Exit.QUARANTINED], Exit.QUARANTINED),
        ([Exit.QUARANTINED, Exit.UPSTREAM], Exit.UPSTREAM),
        ([Exit.UPSTREAM, Exit.CONFIGURATION], Exit.CONFIGURATION),
        ([Exit.CONFIGURATION, Exit.FAULT, Exit.OK], Exit.FAULT),
        ([Exit.FAULT, Exit.INTERRUPTED], Exit.INTERRUPTED),
    ],
)
def test_of_several_codes_the_worst_counts(codes: list[Exit], code: Exit) -> None:
    assert worst(codes) is code
