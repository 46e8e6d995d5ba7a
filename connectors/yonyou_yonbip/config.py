"""What a YonBIP connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.config import ZoneName
from connectors.contract import Config


class YonBipConfig(Config):
    """Settings of one tenant and its self-built application."""

    base_url: str = Field(
        "https://apigateway.yonyoucloud.com",
        description="Where the tenant's data centre is looked up",
        pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?$",
        max_length=300,
        json_schema_extra={"zh": "查询租户所在数据中心的地址"},
    )
    tenant_id: str = Field(
        description="The id of the tenant",
        pattern=r"^[\w-]{1,80}$",
        json_schema_extra={"zh": "租户 ID"},
    )
    app_key: str = Field(
        description="The App Key of the self-built application",
        pattern=r"^[\w-]{1,200}$",
        json_schema_extra={"zh": "自建应用的 App Key"},
    )
    app_secret: SecretStr = Field(
        description="The App Secret of the self-built application; it also proves event pushes",
        json_schema_extra={"zh": "自建应用的 App Secret，也用于校验事件推送"},
    )
    zone: ZoneName = Field(
        "Asia/Shanghai",
        description="The time zone of the data centre, in which it stamps changes",
        json_schema_extra={"zh": "数据中心所在时区，修改时间即按此时区"},
    )
    details: bool = Field(
        True,
        description="Read contacts, addresses and invoices of customers, too: one more call per hundred customers",
        json_schema_extra={"zh": "同时读取客户的联系人、地址和开票信息：每一百个客户多一次调用"},
    )
    prospects: bool = Field(
        True,
        description="Read potential customers, too",
        json_schema_extra={"zh": "同时读取潜在客户"},
    )
    organization: str = Field(
        "global00",
        description="The code of the organisation that manages new customers",
        pattern=r"^[\w.-]{1,80}$",
        json_schema_extra={"zh": "新客户的管理组织编码"},
    )
    customer_class: str = Field(
        "",
        description="The code of the class of new customers that come without one",
        pattern=r"^[\w.-]{0,80}$",
        json_schema_extra={"zh": "新客户没有分类时使用的客户分类编码"},
    )
    number_prefix: str = Field(
        "",
        description="Begins the codes of new customers that come without one; empty: such customers are refused",
        pattern=r"^[A-Za-z0-9_-]{0,10}$",
        json_schema_extra={"zh": "新客户没有编码时自动生成编码的前缀；留空则拒绝这样的客户"},
    )
