"""What a Douyin shop connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.contract import Config

PRODUCTION = "https://openapi-fxg.jinritemai.com"


class DouyinShopConfig(Config):
    """Settings of one shop, entered by the shop's own app."""

    app_key: str = Field(
        description="App key of the shop's own app",
        pattern=r"^\w{1,64}$",
        json_schema_extra={"zh": "店铺自用型应用的 app_key"},
    )
    app_secret: SecretStr = Field(
        description="App secret of that app; messages are verified by it too",
        json_schema_extra={"zh": "该应用的 app_secret；也用于验证消息推送"},
    )
    shop_id: str = Field(
        description="Number of the shop",
        pattern=r"^\d{1,20}$",
        json_schema_extra={"zh": "店铺 ID"},
    )
    base_url: str = Field(
        PRODUCTION,
        description="Address of the open platform's gateway",
        pattern=r"^https?://[^/@\s]+/?$",
        max_length=300,
        json_schema_extra={"zh": "开放平台网关的地址"},
    )
    test_shop: bool = Field(
        False,
        description="The shop is one of the sandbox",
        json_schema_extra={"zh": "该店铺为沙箱测试店铺"},
    )
