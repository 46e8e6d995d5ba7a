"""Logging in to Microsoft's business applications: client credentials at Microsoft Entra ID (OAuth 2.0)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from pydantic import SecretStr

from connectors.auth import ClientCredentials
from connectors.errors import BadCredentials

PUBLIC_LOGIN = "https://login.microsoftonline.com"


def entra(login_url: str, tenant: str, client_id: str, client_secret: SecretStr, scope: str) -> ClientCredentials:
    """The login of an app registration. ``scope`` is the application's address and ``/.default``."""
    token_url = f"{login_url.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    return ClientCredentials(token_url, client_id, client_secret, client_auth="body", scope=scope)


@contextmanager
def naming_settings(connection: str, settings: str) -> Iterator[None]:
    """Let refused credentials name the settings to correct."""
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
