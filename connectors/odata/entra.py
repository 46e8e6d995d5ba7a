"""Logging in to Microsoft's business applications: client credentials at Microsoft Entra ID (OAuth 2.0)."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import SecretStr

from connectors.auth import ClientCredentials
from connectors.auth.naming import naming_settings

__all__ = ["PUBLIC_LOGIN", "entra", "naming_settings"]

PUBLIC_LOGIN = "https://login.microsoftonline.com"


def entra(login_url: str, tenant: str, client_id: str, client_secret: SecretStr, scope: str) -> ClientCredentials:
    """The login of an app registration. ``scope`` is the application's address and ``/.default``."""
    token_url = f"{login_url.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    return ClientCredentials(token_url, client_id, client_secret, client_auth="body", scope=scope)
