"""What a Shopify connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from connectors.contract import Config


class ShopifyConfig(Config):
    """Settings of one shop. It is entered with an app's client id and secret, or with a token that does not end."""

    base_url: str = Field(
        description="The shop's own address, e.g. https://example.myshopify.com",
        pattern=r"^https?://[^/@\s]+/?$",
        max_length=300,
        json_schema_extra={"zh": "网店自己的地址，如 https://example.myshopify.com"},
    )
    client_id: str | None = Field(
        None,
        description="Client id of your organisation's app that is installed in the shop",
        pattern=r"^[\w-]{1,100}$",
        json_schema_extra={"zh": "安装在网店中的本组织应用的客户端 ID"},
    )
    client_secret: SecretStr | None = Field(
        None,
        description="Client secret of the app; webhooks are verified by it too",
        json_schema_extra={"zh": "该应用的客户端密钥；也用于验证 Webhook"},
    )
    access_token: SecretStr | None = Field(
        None,
        description="Instead of both: the Admin API access token of a custom app made in the shop (shpat_…)",
        json_schema_extra={"zh": "代替上面两项：在网店中创建的自定义应用的 Admin API 访问令牌（shpat_…）"},
    )
    api_version: str = Field(
        "2026-07",
        description="Version of the interface, by year and quarter",
        pattern=r"^\d{4}-(01|04|07|10)$",
        json_schema_extra={"zh": "接口版本（年份和季度）"},
    )
    bulk: bool = Field(
        True,
        description="Read all customers by a bulk operation; without it page by page",
        json_schema_extra={"zh": "全量读取时使用批量操作；否则逐页读取"},
    )
    external_id: str | None = Field(
        None,
        description="Namespace and key of a customer metafield with unique values that holds our id, e.g. kehu.id",
        pattern=r"^[\w-]{2,60}\.[\w-]{2,60}$",
        json_schema_extra={"zh": "存放我方编号、取值唯一的顾客元字段的命名空间和键，如 kehu.id"},
    )

    @model_validator(mode="after")
    def _can_log_in(self) -> ShopifyConfig:
        if self.access_token is None and not (self.client_id and self.client_secret):
            raise ValueError("give client_id and client_secret, or access_token")
        return self
