"""Settings that connectors to Microsoft's business applications share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

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
