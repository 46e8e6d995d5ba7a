"""What a SAP S/4HANA connection needs to know."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from connectors.contract import Config

Navigation = Annotated[str, StringConstraints(pattern=r"^to_\w+(/to_\w+){0,3}$", max_length=200)]
EXPAND = [
    "to_BusinessPartnerAddress",
    "to_BusinessPartnerAddress/to_EmailAddress",
    "to_BusinessPartnerAddress/to_PhoneNumber",
    "to_BusinessPartnerAddress/to_MobilePhoneNumber",
    "to_BusinessPartnerAddress/to_URLAddress",
    "to_BusinessPartnerTax",
    "to_Customer",
]


class SapConfig(Config):
    """Settings of one SAP system; exactly one of the three ways to log in."""

    base_url: str = Field(
        description="The address of the system, e.g. https://my300000-api.s4hana.cloud.sap",
        max_length=300,
        json_schema_extra={"zh": "系统的地址，如 https://my300000-api.s4hana.cloud.sap"},
    )
    user: str = Field(
        "",
        description="The communication user (cloud) or technical user (on premises)",
        max_length=100,
        json_schema_extra={"zh": "通信用户（云端）或技术用户（本地部署）"},
    )
    password: SecretStr | None = Field(
        None, description="The password of that user", json_schema_extra={"zh": "该用户的密码"}
    )
    token_url: str = Field(
        "",
        description="With OAuth 2.0 instead of a user: where tokens are issued",
        max_length=300,
        json_schema_extra={"zh": "以 OAuth 2.0 代替用户时：令牌的签发地址"},
    )
    client_id: str = Field(
        "",
        description="With OAuth 2.0: the id of the client",
        max_length=200,
        json_schema_extra={"zh": "OAuth 2.0：客户端 ID"},
    )
    client_secret: SecretStr | None = Field(
        None, description="With OAuth 2.0: the secret of the client", json_schema_extra={"zh": "OAuth 2.0：客户端密钥"}
    )
    api_key: SecretStr | None = Field(
        None,
        description="With the sandbox of SAP's API hub: the key; it can only be read",
        json_schema_extra={"zh": "SAP API 中心的沙箱：密钥（只读）"},
    )
    client: str = Field(
        "",
        description="On premises: the client (Mandant), e.g. 100",
        pattern=r"^\d{0,3}$",
        json_schema_extra={"zh": "本地部署：集团（Client），如 100"},
    )
    zone: str = Field(
        "UTC",
        description="The time zone of SAP's change times, e.g. Asia/Shanghai; UTC in the cloud",
        max_length=60,
        json_schema_extra={"zh": "SAP 修改时间所在的时区，如 Asia/Shanghai；云端为 UTC"},
    )
    customers_only: bool = Field(
        True,
        description="Read only business partners that are customers",
        json_schema_extra={"zh": "只读取具有客户角色的业务伙伴"},
    )
    expand: list[Navigation] = Field(
        default=EXPAND,
        description="What is read with each business partner, by the names of the API",
        max_length=30,
        json_schema_extra={"zh": "随业务伙伴一同读取的内容，用 API 中的名称"},
    )
    full_every: int = Field(
        7,
        description="Days after which everything is read again: SAP does not stamp changes of addresses and emails",
        ge=1,
        le=365,
        json_schema_extra={"zh": "每隔多少天全量读取一次：SAP 不为地址、邮箱的变更记录时间"},
    )
    identification_type: str = Field(
        "",
        description="For creating partners: an identification type of your own that marks them, e.g. ZKEHU",
        pattern=r"^[A-Z0-9_]{0,6}$",
        json_schema_extra={"zh": "用于新建业务伙伴：标记它们的自定义标识类型，如 ZKEHU"},
    )

    @field_validator("zone")
    @classmethod
    def _a_zone(cls, zone: str) -> str:
        """Refuse a name that is no time zone."""
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError("no such time zone; write e.g. UTC or Asia/Shanghai") from error
        return zone

    @model_validator(mode="after")
    def _one_login(self) -> SapConfig:
        """Refuse settings without a whole login, and with two."""
        ways = [
            bool(self.user and self.password),
            bool(self.token_url and self.client_id and self.client_secret),
            bool(self.api_key),
        ]
        if sum(ways) != 1:
            raise ValueError("give one of: user and password; token_url, client_id and client_secret; api_key")
        return self
