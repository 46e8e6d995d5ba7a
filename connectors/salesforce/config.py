"""What a Salesforce connection needs to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from connectors.contract import Config
from connectors.rest.config import http_url

FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w{0,79}$")]


class SalesforceConfig(Config):
    """Settings of one Salesforce org. Which login is used follows from which secrets are given."""

    base_url: Annotated[str, AfterValidator(http_url)] = Field(
        description="The My Domain address of the org, e.g. https://mycompany.my.salesforce.com",
        max_length=300,
        json_schema_extra={"zh": "组织的“我的域”地址，如 https://mycompany.my.salesforce.com"},
    )
    client_id: str = Field(
        description="The consumer key of the connected app (external client app)",
        min_length=1,
        max_length=300,
        json_schema_extra={"zh": "连接的应用程序（外部客户端应用程序）的消费者密钥（Consumer Key）"},
    )
    client_secret: SecretStr | None = Field(
        None,
        description="The consumer secret of the connected app; alone it logs in by client credentials",
        json_schema_extra={"zh": "连接的应用程序的消费者密码（Consumer Secret）；单独使用时按客户端凭据登录"},
    )
    refresh_token: SecretStr | None = Field(
        None,
        description="A refresh token, for the web server flow; rotation of refresh tokens must be off",
        json_schema_extra={"zh": "刷新令牌（Web 服务器流程）；须关闭刷新令牌轮换"},
    )
    private_key: SecretStr | None = Field(
        None,
        description="The private key (PEM) of the certificate in the connected app, for the JWT bearer flow",
        json_schema_extra={"zh": "与连接的应用程序中证书配对的私钥（PEM），用于 JWT 流程"},
    )
    username: str | None = Field(
        None,
        description="The user as whom the JWT bearer flow logs in",
        max_length=200,
        json_schema_extra={"zh": "JWT 流程登录所用的用户名"},
    )
    audience: str = Field(
        "https://login.salesforce.com",
        description="The audience of the JWT; for a sandbox https://test.salesforce.com",
        max_length=300,
        json_schema_extra={"zh": "JWT 的受众（aud）；沙盒为 https://test.salesforce.com"},
    )
    api_version: str = Field(
        "v61.0",
        description="The version of the API",
        pattern=r"^v\d{2,3}\.0$",
        json_schema_extra={"zh": "接口版本"},
    )
    external_id_field: FieldName | None = Field(
        None,
        description="The unique External ID field by which records are created and matched, e.g. Kehu_Id__c; "
        "needed to create records",
        json_schema_extra={"zh": "创建和匹配记录所用的唯一“外部 ID”字段，如 Kehu_Id__c；新建记录必填"},
    )
    account_fields: list[FieldName] = Field(
        default_factory=list,
        description="Further fields of accounts to read, by their API names",
        max_length=150,
        json_schema_extra={"zh": "另外要读取的客户（Account）字段，用 API 名称"},
    )
    contact_fields: list[FieldName] = Field(
        default_factory=list,
        description="Further fields of contacts to read, by their API names",
        max_length=150,
        json_schema_extra={"zh": "另外要读取的联系人（Contact）字段，用 API 名称"},
    )
    lead_fields: list[FieldName] = Field(
        default_factory=list,
        description="Further fields of leads to read, by their API names",
        max_length=150,
        json_schema_extra={"zh": "另外要读取的潜在客户（Lead）字段，用 API 名称"},
    )
    bulk_from: int = Field(
        20_000,
        description="A full read of at least so many records uses Bulk API 2.0; 0 never does",
        ge=0,
        json_schema_extra={"zh": "全量读取达到此数量时使用 Bulk API 2.0；0 表示从不使用"},
    )
    keep_calls: int = Field(
        10,
        description="Percent of the org's daily API calls that are left to others",
        ge=0,
        le=90,
        json_schema_extra={"zh": "为其他程序保留的每日 API 调用百分比"},
    )
    strict_lock: bool = Field(
        False,
        description="Update each record by a call of its own, which Salesforce refuses if it has changed meanwhile",
        json_schema_extra={"zh": "逐条更新，记录同时被修改时由 Salesforce 拒绝"},
    )

    @model_validator(mode="after")
    def _has_a_login(self) -> SalesforceConfig:
        if self.private_key is not None and not self.username:
            raise ValueError("private_key needs username")
        if self.private_key is None and self.refresh_token is None and self.client_secret is None:
            raise ValueError("one of client_secret, refresh_token or private_key is needed")
        return self
