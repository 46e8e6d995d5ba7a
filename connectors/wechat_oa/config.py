"""What a connection to a WeChat official account needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.contract import Config


class WeChatConfig(Config):
    """Settings of one official account."""

    app_id: str = Field(
        description="The account's AppID, which begins with wx",
        pattern=r"^[\w-]{1,64}$",
        json_schema_extra={"zh": "公众号的 AppID，以 wx 开头"},
    )
    app_secret: SecretStr = Field(
        description="The account's AppSecret",
        json_schema_extra={"zh": "公众号的 AppSecret"},
    )
    stable_token: bool = Field(
        True,
        description="Ask for the stable access token, which other systems that use the account do not end",
        json_schema_extra={"zh": "使用稳定版接口调用凭据：不会因其他系统获取凭据而失效"},
    )
    callback_token: SecretStr | None = Field(
        None,
        description="The token of the server settings, where callbacks are used",
        json_schema_extra={"zh": "使用回调时，服务器配置中的 Token"},
    )
    encoding_aes_key: SecretStr | None = Field(
        None,
        description="The EncodingAESKey of the server settings; once set, only encrypted messages are accepted",
        min_length=43,
        max_length=43,
        json_schema_extra={"zh": "服务器配置中的 EncodingAESKey；填写后只接受加密消息"},
    )
    base_url: str = Field(
        "https://api.weixin.qq.com",
        description="Where WeChat answers; another address only for a fixed egress or another region",
        max_length=300,
        json_schema_extra={"zh": "微信接口地址；仅经固定出口或使用其他区域时更改"},
    )
