"""Logging in to Microsoft's business applications: client credentials at Microsoft Entra ID (OAuth 2.0)."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import Field, SecretStr

from connectors.auth import ClientCredentials
from connectors.auth.naming import naming_settings

__all__ = ["PUBLIC_LOGIN", "ClientId", "ClientSecret", "LoginUrl", "Tenant", "entra", "naming_settings"]

PUBLIC_LOGIN = "https://login.microsoftonline.com"

Tenant = Annotated[
    str,
    Field(
        description="The tenant in Microsoft Entra ID: its id or its domain name",
        pattern=r"^[\w.-]{1,100}$",
        json_schema_extra={"zh": "Microsoft Entra ID 的租户：ID 或域名"},
    ),
]
ClientId = Annotated[
    str,
    Field(
        description="The application (client) id of the app registration",
        pattern=r"^[\w-]{1,100}$",
        json_schema_extra={"zh": "应用注册的应用程序（客户端）ID"},
    ),
]
ClientSecret = Annotated[
    SecretStr,
    Field(
        description="The value of a client secret of the app registration",
        json_schema_extra={"zh": "应用注册的客户端密码的值"},
    ),
]
LoginUrl = Annotated[
    str,
    Field(
        description="Where Microsoft Entra ID answers; in China https://login.partner.microsoftonline.cn",
        max_length=300,
        json_schema_extra={"zh": "Microsoft Entra ID 的地址；中国区为 https://login.partner.microsoftonline.cn"},
    ),
]


def entra(login_url: str, tenant: str, client_id: str, client_secret: SecretStr, scope: str) -> ClientCredentials:
    """The login of an app registration. ``scope`` is the application's address and ``/.default``."""
    token_url = f"{login_url.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    return ClientCredentials(token_url, client_id, client_secret, client_auth="body", scope=scope)
