"""What a connection to a Gmail mailbox needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from connectors.contract import Config
from connectors.correspondence.config import ExcludedAddresses, MailingLists, OwnAddresses, OwnDomains, Since


class GmailConfig(Config):
    """Settings of one mailbox. Either a service account's key, or a client with a refresh token, says how to log in."""

    mailbox: str = Field(
        description="The address of the mailbox, e.g. sales@example.com",
        pattern=r"^[^\s/?#%@]+@[^\s/?#%@]+$",
        max_length=254,
        json_schema_extra={"zh": "邮箱地址，如 sales@example.com"},
    )
    service_account: SecretStr | None = Field(
        None,
        description="The whole JSON key of a service account with domain-wide delegation",
        max_length=20_000,
        json_schema_extra={"zh": "已获全网域授权的服务账号的整个 JSON 密钥"},
    )
    client_id: str = Field(
        "",
        description="Instead of a service account: the id of an OAuth client",
        max_length=200,
        json_schema_extra={"zh": "不用服务账号时：OAuth 客户端 ID"},
    )
    client_secret: SecretStr | None = Field(
        None,
        description="The secret of that OAuth client",
        json_schema_extra={"zh": "该 OAuth 客户端的密钥"},
    )
    refresh_token: SecretStr | None = Field(
        None,
        description="The refresh token that the mailbox's user has granted to that client",
        json_schema_extra={"zh": "邮箱用户授予该客户端的刷新令牌"},
    )
    headers_only: bool = Field(
        False,
        description="Ask only for the right to read headers (gmail.metadata); Gmail then does not search, and reads "
        "after new mail take longer",
        json_schema_extra={"zh": "只申请读取邮件头的权限（gmail.metadata）；此时 Gmail 不能搜索，有新邮件后的读取更慢"},
    )
    own_addresses: OwnAddresses
    own_domains: OwnDomains
    exclude_addresses: ExcludedAddresses
    mailing_lists: MailingLists
    since: Since
    base_url: str = Field(
        "https://gmail.googleapis.com",
        description="Where Gmail answers",
        max_length=300,
        json_schema_extra={"zh": "Gmail 接口地址"},
    )
    people_url: str = Field(
        "https://people.googleapis.com",
        description="Where Google Contacts answers",
        max_length=300,
        json_schema_extra={"zh": "Google 通讯录接口地址"},
    )
    token_url: str = Field(
        "https://oauth2.googleapis.com/token",
        description="Where Google gives access tokens",
        max_length=300,
        json_schema_extra={"zh": "Google 的令牌地址"},
    )

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> GmailConfig:
        granted = bool(self.client_id and self.refresh_token)
        if (self.service_account is not None) == granted:
            raise ValueError("give either service_account, or client_id, client_secret and refresh_token")
        return self
