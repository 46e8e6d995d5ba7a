"""Refused credentials name the settings in which they stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.errors import BadCredentials


@contextmanager
def naming_settings(connection: str, settings: str) -> Iterator[None]:
    """Let refused credentials name the settings to correct, given separated by commas."""
    try:
        yield
    except BadCredentials as error:
        raise BadCredentials(
            "{reason} Settings to correct: {settings}.",
            remedy="Enter {settings} of the connection again; see the connector's README for how to get them.",
            reason=str(error),
            settings=settings,
            connection=connection,
        ) from error
