"""What an Odoo connection needs to know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from connectors.contract import Config
from connectors.rest.config import http_url

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Protocol = Literal["auto", "json2", "jsonrpc"]


class OdooConfig(Config):
    """Settings of one Odoo database."""

    base_url: Annotated[str, AfterValidator(http_url)] = Field(
        description="The address of the Odoo server, e.g. https://mycompany.odoo.com",
        max_length=300,
        json_schema_extra={"zh": "Odoo 服务器的地址，如 https://mycompany.odoo.com"},
    )
    database: str = Field(
        description="The name of the database; on Odoo Online the first part of the address",
        pattern=r"^[\w.-]{1,100}$",
        json_schema_extra={"zh": "数据库名称；在 Odoo Online 上是地址的第一部分"},
    )
    user: str = Field(
        description="The login of the user as whom we read, usually an email address",
        min_length=1,
        max_length=200,
        json_schema_extra={"zh": "用于读取的用户登录名，通常是邮箱地址"},
    )
    api_key: SecretStr = Field(
        description="An API key of that user (before Odoo 14: the password)",
        json_schema_extra={"zh": "该用户的 API 密钥（Odoo 14 之前填密码）"},
    )
    protocol: Protocol = Field(
        "auto",
        description="How to call Odoo: json2 (since Odoo 19), jsonrpc (before), or auto to choose by its version",
        json_schema_extra={"zh": "调用方式：json2（Odoo 19 起）、jsonrpc（更早版本），或 auto 按版本选择"},
    )
    language: str = Field(
        "en_US",
        description="The language of names of countries and tags, as Odoo writes it, e.g. zh_CN; it must be installed",
        pattern=r"^[a-z]{2,3}(_[A-Z][A-Za-z]{1,3})?(@\w{1,10})?$",
        json_schema_extra={"zh": "国家和标签名称的语言，按 Odoo 的写法，如 zh_CN；须已在 Odoo 中安装"},
    )
    customers_only: bool = Field(
        False,
        description="Read only partners that are customers by their invoices, and their contacts (needs Invoicing)",
        json_schema_extra={"zh": "只读取开过销售发票的客户及其联系人（需要开票模块）"},
    )
    companies: list[int] = Field(
        default_factory=list,
        description="Ids of the companies whose partners are read, where the database has several",
        max_length=100,
        json_schema_extra={"zh": "数据库有多个公司时，要读取其伙伴的公司编号"},
    )
    match_field: FieldName | None = Field(
        "ref",
        description="The field by which a new record is matched with an existing partner before it is created",
        json_schema_extra={"zh": "新建前用来查找已有伙伴的字段"},
    )
    fields: list[FieldName] = Field(
        default_factory=list,
        description="Further fields of partners to read, by their technical names",
        max_length=100,
        json_schema_extra={"zh": "另外要读取的伙伴字段，用技术名称"},
    )
