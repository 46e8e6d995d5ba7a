"""What an IMAP connection needs to know."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from connectors.contract import Config
from connectors.correspondence.config import ExcludedAddresses, MailingLists, OwnAddresses, OwnDomains, Since


class OAuth(BaseModel):
    """How to get OAuth2 access tokens (Microsoft 365, Gmail): by refresh token, or as the application itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: str = Field(
        description="The token endpoint, e.g. https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token",
        json_schema_extra={"zh": "服务商的令牌地址，https://…/token"},
    )
    client_id: str = Field(
        description="The application's client id",
        json_schema_extra={"zh": "应用的客户端编号"},
    )
    client_secret: SecretStr | None = Field(
        None,
        description="The application's secret, if it has one",
        json_schema_extra={"zh": "应用的密钥（如有）"},
    )
    refresh_token: SecretStr | None = Field(
        None,
        description="The refresh token; without it the application logs in as itself",
        json_schema_extra={"zh": "刷新令牌；没有时以应用自身登录"},
    )
    scope: str = Field(
        "",
        description="The scope, e.g. https://outlook.office365.com/.default",
        json_schema_extra={"zh": "权限范围，如 https://outlook.office365.com/.default"},
    )


class ImapConfig(Config):
    """Settings of one mailbox. One of ``password``, ``access_token`` and ``oauth`` says how to log in."""

    host: str = Field(
        description="The IMAP server, e.g. imap.example.com",
        pattern=r"^[^\s/@]+$",
        max_length=253,
        json_schema_extra={"zh": "IMAP 服务器，如 imap.example.com"},
    )
    port: int = Field(
        993,
        description="993 for TLS from the start, 143 for STARTTLS",
        ge=1,
        le=65535,
        json_schema_extra={"zh": "993 为直接 TLS，143 为 STARTTLS"},
    )
    security: Literal["tls", "starttls", "none"] = Field(
        "tls",
        description="TLS from the start, STARTTLS, or none (only inside a network you trust)",
        json_schema_extra={"zh": "直接 TLS、STARTTLS 或不加密（仅限可信网络）"},
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates to trust (PEM), if the server's is not a public one",
        json_schema_extra={"zh": "服务器证书并非公共机构签发时，所信任的证书文件（PEM）"},
    )
    user: str = Field(
        description="The login, mostly the whole email address",
        min_length=1,
        max_length=254,
        json_schema_extra={"zh": "登录名，通常是完整的邮箱地址"},
    )
    password: SecretStr | None = Field(
        None,
        description="The password, app password or authorisation code (QQ, 163)",
        json_schema_extra={"zh": "密码、应用专用密码或授权码（QQ、163）"},
    )
    access_token: SecretStr | None = Field(
        None,
        description="An OAuth2 access token, if something else renews it",
        json_schema_extra={"zh": "OAuth2 访问令牌（由别的程序续期时）"},
    )
    oauth: OAuth | None = Field(
        None,
        description="How to get OAuth2 access tokens",
        json_schema_extra={"zh": "如何取得 OAuth2 访问令牌"},
    )
    folders: list[str] = Field(
        default_factory=list,
        description="Folders to read, by name or by use (INBOX, \\Sent); by default all but junk, trash and drafts",
        max_length=500,
        json_schema_extra={"zh": "要读取的文件夹，写名称或用途（INBOX、\\Sent）；默认除垃圾邮件、已删除和草稿外全部"},
    )
    own_addresses: OwnAddresses
    own_domains: OwnDomains
    exclude_addresses: ExcludedAddresses
    mailing_lists: MailingLists
    since: Since

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> ImapConfig:
        ways = [name for name in ("password", "access_token", "oauth") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError("one of password, access_token and oauth must be set")
        return self
