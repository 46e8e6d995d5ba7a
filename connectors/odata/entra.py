"""Logging in to Microsoft's business applications: client credentials at Microsoft Entra ID (OAuth 2.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from pydantic import SecretStr

from connectors.auth import ClientCredentials
from connectors.auth.naming import naming_settings
from connectors.errors import BadCredentials

__all__ = ["PUBLIC_LOGIN", "entra", "naming_entra_settings", "naming_settings"]

PUBLIC_LOGIN = "https://login.microsoftonline.com"


def entra(login_url: str, tenant: str, client_id: str, client_secret: SecretStr, scope: str) -> ClientCredentials:
    """The login of an app registration. ``scope`` is the application's address and ``/.default``."""
    token_url = f"{login_url.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    return ClientCredentials(token_url, client_id, client_secret, client_auth="body", scope=scope)


_CODE = re.compile(r"AADSTS(\d+)")
_BLAMED: Mapping[str, str] = {
    "90002": "tenant",  # no such tenant
    "900021": "tenant",  # an id that is none
    "900023": "tenant",
    "50059": "tenant",
    "700016": "client_id",  # no such application in the tenant
    "7000215": "client_secret",  # wrong, often the id of the secret instead of its value
    "7000222": "client_secret",  # ended
    "500011": "base_url",  # no such resource in the tenant: the scope is made of the address
}
"""Settings that Entra's own codes speak of (Microsoft Learn, *Microsoft Entra authentication and authorization error
codes*); where one is told, the others need not be doubted."""


@contextmanager
def naming_entra_settings(connection: str, settings: str) -> Iterator[None]:
    """Let refused credentials name the one setting that Entra speaks of, or else all of ``settings``."""
    try:
        yield
    except BadCredentials as error:
        code = _CODE.search(str(error))
        with naming_settings(connection, _BLAMED.get(code[1], settings) if code else settings):
            raise
