"""What a Dataverse connection needs to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from connectors.contract import Config
from connectors.odata.config import ClientId, ClientSecret, LoginUrl, Tenant
from connectors.odata.entra import PUBLIC_LOGIN

Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,99}$")]


class DataverseConfig(Config):
    """Settings of one Dataverse environment."""

    base_url: str = Field(
        description="The address of the environment, e.g. https://contoso.crm.dynamics.com",
        max_length=300,
        json_schema_extra={"zh": "环境的地址，如 https://contoso.crm.dynamics.cn"},
    )
    tenant: Tenant
    client_id: ClientId
    client_secret: ClientSecret
    login_url: LoginUrl = PUBLIC_LOGIN
    api_version: str = Field(
        "v9.2",
        description="The version of the Web API",
        pattern=r"^v\d{1,2}\.\d$",
        json_schema_extra={"zh": "Web API 的版本"},
    )
    change_tracking: bool = Field(
        True,
        description="Follow changes by change tracking where the table allows it; otherwise by change stamps",
        json_schema_extra={"zh": "表允许时按更改跟踪读取变更；否则按修改时间读取"},
    )
    alternate_key: Column | None = Field(
        None,
        description="A column with an active alternate key on accounts, by which new accounts are matched, "
        "e.g. accountnumber",
        json_schema_extra={"zh": "客户（account）上已激活备用键的列，写入新客户时据此匹配，如 accountnumber"},
    )
    account_fields: list[Column] = Field(
        default_factory=list,
        description="Further columns of accounts to read, by their logical names",
        max_length=100,
        json_schema_extra={"zh": "另外要读取的客户（account）列，用逻辑名称"},
    )
    contact_fields: list[Column] = Field(
        default_factory=list,
        description="Further columns of contacts to read, by their logical names",
        max_length=100,
        json_schema_extra={"zh": "另外要读取的联系人（contact）列，用逻辑名称"},
    )
