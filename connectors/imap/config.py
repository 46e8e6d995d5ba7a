"""What an IMAP connection needs to know."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from connectors.contract import Config

NEVER_CONTACTS = [
    "*no-reply*@*", "*noreply*@*", "*do-not-reply*@*", "*donotreply*@*", "mailer-daemon@*", "postmaster@*",
    "bounce@*", "bounces@*", "bounce+*@*", "bounces+*@*", "*-bounces@*", "bounce-*@*", "*+caf_=*@*",
]  # fmt: skip
"""Addresses behind which nobody reads, by default."""


class OAuth(BaseModel):
    """How to get OAuth2 access tokens (Microsoft 365, Gmail): by refresh token, or as the application itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: str = Field(
        description="The token endpoint, e.g. https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token"
    )
    client_id: str = Field(description="The application's client id")
    client_secret: SecretStr | None = Field(None, description="The application's secret, if it has one")
    refresh_token: SecretStr | None = Field(
        None, description="The refresh token; without it the application logs in as itself"
    )
    scope: str = Field("", description="The scope, e.g. https://outlook.office365.com/.default")


class ImapConfig(Config):
    """Settings of one mailbox. One of ``password``, ``access_token`` and ``oauth`` says how to log in."""

    host: str = Field(description="The IMAP server, e.g. imap.example.com", pattern=r"^[^\s/@]+$", max_length=253)
    port: int = Field(993, description="993 for TLS from the start, 143 for STARTTLS", ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = Field(
        "tls", description="TLS from the start, STARTTLS, or none (only inside a network you trust)"
    )
    ca_file: Path | None = Field(None, description="Certificates to trust (PEM), if the server's is not a public one")
    user: str = Field(description="The login, mostly the whole email address", min_length=1, max_length=254)
    password: SecretStr | None = Field(None, description="The password, app password or authorisation code (QQ, 163)")
    access_token: SecretStr | None = Field(None, description="An OAuth2 access token, if something else renews it")
    oauth: OAuth | None = Field(None, description="How to get OAuth2 access tokens")
    folders: list[str] = Field(
        default_factory=list,
        description="Folders to read, by name or by use (INBOX, \\Sent); by default all but junk, trash and drafts",
        max_length=500,
    )
    own_addresses: list[str] = Field(
        default_factory=list, description="Further addresses of this mailbox; mail from them counts as sent by us"
    )
    own_domains: list[str] = Field(
        default_factory=list, description="Domains of your company; addresses in them are colleagues, not contacts"
    )
    exclude_addresses: list[str] = Field(
        default_factory=lambda: list(NEVER_CONTACTS), description="Patterns of addresses that are never contacts"
    )
    mailing_lists: bool = Field(False, description="Whether people are taken from mailing lists and newsletters too")
    since: date | None = Field(None, description="Leave out messages that arrived before this day")

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> ImapConfig:
        ways = [name for name in ("password", "access_token", "oauth") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError("one of password, access_token and oauth must be set")
        return self
