"""Refused credentials, and addresses where nothing of the system is, name the settings in which they stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.errors import BadConfiguration, BadCredentials
from connectors.wording import phrase_of


@contextmanager
def naming_settings(connection: str, settings: str) -> Iterator[None]:
    """Let refused credentials name the settings to correct, given separated by commas."""
    try:
        yield
    except BadCredentials as error:
        raise BadCredentials(
            "{reason} Settings to correct: {settings}.",
            remedy="Enter {settings} of the connection again; see the connector's README for how to get them.",
            reason=phrase_of(error),
            settings=settings,
            connection=connection,
        ) from error


@contextmanager
def naming_address(connection: str, settings: str) -> Iterator[None]:
    """Let an address at which the system does not answer name its settings, given separated by commas.

    What names a setting already stays as it is.
    """
    try:
        yield
    except BadConfiguration as error:
        if error.setting is not None:
            raise
        raise BadConfiguration(
            "{reason} Settings to correct: {settings}.",
            remedy="Enter {settings} of the connection again; see the connector's README for how to get them.",
            setting=settings.partition(",")[0],
            reason=phrase_of(error),
            settings=settings,
            connection=connection,
        ) from error
