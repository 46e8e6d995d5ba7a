"""What a Business Central connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from connectors.contract import Config
from connectors.odata.entra import PUBLIC_LOGIN


class BusinessCentralConfig(Config):
    """Settings of one company; online by an app registration, on premises also by a web service key."""

    base_url: str = Field(
        description="The address of the API, up to api/v2.0, e.g. "
        "https://api.businesscentral.dynamics.com/v2.0/TENANT/Production/api/v2.0",
        max_length=300,
        json_schema_extra={
            "zh": "API 的地址，直到 api/v2.0，如 https://api.businesscentral.dynamics.com/v2.0/TENANT/Production/api/v2.0"
        },
    )
    company: str = Field(
        "",
        description="The name or id of the company; may be left out where there is only one",
        max_length=200,
        json_schema_extra={"zh": "公司的名称或 ID；只有一家公司时可省略"},
    )
    tenant: str = Field(
        "",
        description="Online: the tenant in Microsoft Entra ID, its id or its domain name",
        pattern=r"^[\w.-]{0,100}$",
        json_schema_extra={"zh": "云端：Microsoft Entra ID 的租户，ID 或域名"},
    )
    client_id: str = Field(
        "",
        description="Online: the application (client) id of the app registration",
        pattern=r"^[\w-]{0,100}$",
        json_schema_extra={"zh": "云端：应用注册的应用程序（客户端）ID"},
    )
    client_secret: SecretStr | None = Field(
        None,
        description="Online: the value of a client secret of the app registration",
        json_schema_extra={"zh": "云端：应用注册的客户端密码的值"},
    )
    login_url: str = Field(
        PUBLIC_LOGIN,
        description="Online: where Microsoft Entra ID answers",
        max_length=300,
        json_schema_extra={"zh": "云端：Microsoft Entra ID 的地址"},
    )
    user: str = Field(
        "",
        description="On premises: the user whose web service access key is used instead of an app registration",
        max_length=100,
        json_schema_extra={"zh": "本地部署：使用其 Web 服务访问密钥（代替应用注册）的用户"},
    )
    access_key: SecretStr | None = Field(
        None,
        description="On premises: the web service access key of that user",
        json_schema_extra={"zh": "本地部署：该用户的 Web 服务访问密钥"},
    )
    change_tracking: bool = Field(
        True,
        description="Follow changes by delta links where the server offers them; otherwise by change stamps",
        json_schema_extra={"zh": "服务器支持时按增量链接读取变更；否则按修改时间读取"},
    )
    number_prefix: str = Field(
        "",
        description="New customers without a number get one that begins so, e.g. KH-; without it they are refused",
        pattern=r"^[A-Z0-9-]{0,8}$",
        json_schema_extra={"zh": "没有编号的新客户将得到以此开头的编号，如 KH-；不填则拒绝写入"},
    )

    @model_validator(mode="after")
    def _one_login(self) -> BusinessCentralConfig:
        """Refuse settings without a whole login."""
        online = bool(self.tenant and self.client_id and self.client_secret)
        on_premises = bool(self.user and self.access_key)
        if online == on_premises:
            raise ValueError("give either tenant, client_id and client_secret, or user and access_key")
        return self
