"""What a WeCom connection needs to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from connectors.contract import Config

UserId = Annotated[str, StringConstraints(pattern=r"^[^\s|]{1,64}$")]


class WeComConfig(Config):
    """Settings of one company."""

    corp_id: str = Field(
        description="The company's id (corpid), which begins with ww",
        pattern=r"^[\w-]{1,64}$",
        json_schema_extra={"zh": "企业 ID（corpid），以 ww 开头"},
    )
    secret: SecretStr = Field(
        description="The secret of a self-built app that may use external contacts",
        json_schema_extra={"zh": "已列入“客户联系 → 可调用接口的应用”的自建应用的 Secret"},
    )
    users: list[UserId] = Field(
        default_factory=list,
        description="Only the customers of these employees, by their user ids; by default of all who have the feature",
        max_length=10_000,
        json_schema_extra={"zh": "只读取这些成员（userid）的客户；默认读取所有已配置客户联系功能的成员"},
    )
    callback_token: SecretStr | None = Field(
        None,
        description="The token of the callback settings, where callbacks are used",
        json_schema_extra={"zh": "使用回调时，回调配置中的 Token"},
    )
    encoding_aes_key: SecretStr | None = Field(
        None,
        description="The EncodingAESKey of the callback settings, 43 letters",
        min_length=43,
        max_length=43,
        json_schema_extra={"zh": "回调配置中的 EncodingAESKey，43 位"},
    )
    base_url: str = Field(
        "https://qyapi.weixin.qq.com",
        description="Where WeCom answers; another address only for a private deployment or a fixed egress",
        max_length=300,
        json_schema_extra={"zh": "企业微信接口地址；仅私有化部署或经固定出口时更改"},
    )
