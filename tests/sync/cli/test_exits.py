"""Exit codes say what a script should do next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import typer

import sync.runs.run  # noqa: F401 - so that the errors of runs are there
from connectors import errors as connector_errors
from mappings.errors import SpecError
from sync.cli.exits import Exit, exit_code, exit_of_code, worst
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


OURS = ("connectors", "mappings", "sync")


def _kinds(*families: type[Exception]) -> Iterator[type[Exception]]:
    for family in families:
        if family.__module__.partition(".")[0] in OURS:
            yield family
        yield from _kinds(*family.__subclasses__())


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        (
            (connector_errors.RetryLater, connector_errors.WaitUntil, DatabaseUnavailable, BrokerUnavailable),
            Exit.UPSTREAM,
        ),
        (
            (connector_errors.NeedsHuman, connector_errors.StreamBroken, SpecError, SchemaMismatch),
            Exit.CONFIGURATION,
        ),
        ((Refused,), Exit.FAULT),
    ],
)
def test_a_run_that_failed_ends_with_the_code_that_its_error_would_have_ended_with(
    families: tuple[type[Exception], ...], expected: Exit
) -> None:
    found = {kind.__name__: exit_of_code(kind.code) for kind in _kinds(*families)}  # type: ignore[attr-defined]
    assert found == dict.fromkeys(found, expected)


def test_a_run_that_failed_for_an_unknown_reason_ends_with_a_fault() -> None:
    assert exit_of_code("internal_error") is exit_of_code(None) is Exit.FAULT
