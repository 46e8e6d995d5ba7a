"""What a Mautic connection needs to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connectors.contract import Config
from connectors.rest.config import http_url


class MauticConfig(Config):
    """Settings of one Mautic: user and password, or the client of an OAuth 2 application."""

    base_url: Annotated[str, AfterValidator(http_url)] = Field(
        description="The address of Mautic, e.g. https://mautic.example.com",
        max_length=300,
        json_schema_extra={"zh": "Mautic 的地址，如 https://mautic.example.com"},
    )
    username: str | None = Field(
        None,
        description="The user, where HTTP basic auth is switched on",
        max_length=200,
        json_schema_extra={"zh": "用户名（启用 HTTP 基本认证时）"},
    )
    password: SecretStr | None = Field(
        None,
        description="The password of that user",
        json_schema_extra={"zh": "该用户的密码"},
    )
    client_id: str | None = Field(
        None,
        description="The public key of an OAuth 2 credential, for client credentials",
        max_length=200,
        json_schema_extra={"zh": "OAuth 2 凭据的公钥（客户端凭据方式）"},
    )
    client_secret: SecretStr | None = Field(
        None,
        description="The secret key of that OAuth 2 credential",
        json_schema_extra={"zh": "该 OAuth 2 凭据的密钥"},
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="The secret of the webhook in Mautic, with which it signs what it sends",
        json_schema_extra={"zh": "Mautic 中 Webhook 的密钥，用于签名"},
    )

    @model_validator(mode="after")
    def _has_a_login(self) -> MauticConfig:
        if not (self.username and self.password) and not (self.client_id and self.client_secret):
            raise ValueError("username and password, or client_id and client_secret, are needed")
        return self
