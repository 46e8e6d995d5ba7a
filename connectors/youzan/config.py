"""What a Youzan connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.contract import Config

PRODUCTION = "https://open.youzanyun.com"


class YouzanConfig(Config):
    """Settings of one shop, entered by the shop's own app."""

    client_id: str = Field(
        description="Client id of the shop's own app on the cloud platform",
        pattern=r"^\w{1,64}$",
        json_schema_extra={"zh": "有赞云自用型应用的 client_id"},
    )
    client_secret: SecretStr = Field(
        description="Client secret of the app; messages are verified by it too",
        json_schema_extra={"zh": "该应用的 client_secret；也用于验证消息推送"},
    )
    kdt_id: str = Field(
        description="Number of the shop (kdt_id); of a chain that of the head office, which sees all customers",
        pattern=r"^\d{1,20}$",
        json_schema_extra={"zh": "店铺编号（kdt_id）；连锁店填总部的编号，可见全部客户"},
    )
    base_url: str = Field(
        PRODUCTION,
        description="Address of the cloud platform",
        pattern=r"^https?://[^/@\s]+/?$",
        max_length=300,
        json_schema_extra={"zh": "有赞云平台的地址"},
    )
