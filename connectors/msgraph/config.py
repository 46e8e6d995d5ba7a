"""What a connection to a Microsoft 365 mailbox needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from connectors.contract import Config
from connectors.correspondence.config import ExcludedAddresses, OwnAddresses, OwnDomains, Since
from connectors.odata.config import ClientId, ClientSecret, LoginUrl, Tenant
from connectors.odata.entra import PUBLIC_LOGIN


class GraphConfig(Config):
    """Settings of one mailbox."""

    tenant: Tenant
    client_id: ClientId
    client_secret: ClientSecret
    mailbox: str = Field(
        description="The mailbox: the user's sign-in name or id, e.g. sales@contoso.com",
        pattern=r"^[^\s/?#%]{1,200}$",
        json_schema_extra={"zh": "邮箱：用户的登录名或 ID，如 sales@contoso.com"},
    )
    folders: list[str] = Field(
        default_factory=list,
        description="Mail folders to read, by name, id or use (inbox, sentitems); by default all but junk, deleted "
        "items, drafts and outbox",
        max_length=100,
        json_schema_extra={
            "zh": "要读取的邮件文件夹，写名称、ID 或用途（如 inbox）；默认除垃圾邮件、已删除、草稿和发件箱外全部"
        },
    )
    contact_folder: str | None = Field(
        None,
        description="The id of the contact folder to read and write, if not the default one",
        pattern=r"^[^\s/?#%]{1,300}$",
        json_schema_extra={"zh": "要读写的联系人文件夹 ID（非默认文件夹时）"},
    )
    own_addresses: OwnAddresses
    own_domains: OwnDomains
    exclude_addresses: ExcludedAddresses
    since: Since
    client_state: SecretStr | None = Field(
        None,
        description="A long text of your own, by which change notifications are told from forged ones",
        max_length=128,
        json_schema_extra={"zh": "自拟的长文本，用于识别真正的更改通知（clientState）"},
    )
    notification_url: str | None = Field(
        None,
        description="Where Graph sends change notifications, e.g. https://kehu.example.com/api/hooks/mail; with it, "
        "subscriptions are made and renewed",
        pattern=r"^https://[^\s@]+$|^http://(127\.0\.0\.1|localhost)[:/][^\s@]*$",
        max_length=300,
        json_schema_extra={
            "zh": "Graph 发送更改通知的地址，如 https://kehu.example.com/api/hooks/mail；填写后自动创建并续订订阅"
        },
    )
    login_url: LoginUrl = PUBLIC_LOGIN
    base_url: str = Field(
        "https://graph.microsoft.com/v1.0",
        description="Where Microsoft Graph answers; in China https://microsoftgraph.chinacloudapi.cn/v1.0",
        max_length=300,
        json_schema_extra={"zh": "Microsoft Graph 的地址；中国区为 https://microsoftgraph.chinacloudapi.cn/v1.0"},
    )

    @model_validator(mode="after")
    def _proved(self) -> GraphConfig:
        if self.notification_url and self.client_state is None:
            raise ValueError("notification_url needs client_state, by which notifications are told from forged ones")
        return self
