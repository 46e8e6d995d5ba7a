"""What a Tryton connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.contract import Config


class TrytonConfig(Config):
    """Settings of one Tryton connection."""

    base_url: str = Field(
        description="Where the Tryton server answers, e.g. https://erp.example.com",
        max_length=300,
        json_schema_extra={"zh": "Tryton 服务器的地址，如 https://erp.example.com"},
    )
    database: str = Field(
        description="The name of the database",
        pattern=r"^[^/\s]+$",
        max_length=100,
        json_schema_extra={"zh": "数据库名"},
    )
    user: str = Field(
        description="The login of the integration user",
        min_length=1,
        max_length=100,
        json_schema_extra={"zh": "集成用户的登录名"},
    )
    password: SecretStr = Field(
        description="The password of the integration user",
        json_schema_extra={"zh": "集成用户的密码"},
    )
    language: str = Field(
        "en",
        description="The language in which Tryton answers names and messages, e.g. en or zh_CN",
        pattern=r"^[a-z]{2,3}(_[A-Za-z]{2,4})?$",
        json_schema_extra={"zh": "Tryton 返回名称和消息所用的语言，如 en 或 zh_CN"},
    )
    contact_relations: list[str] = Field(
        default_factory=list,
        description="Names of the relation types that make a party the contact person of another, e.g. Employee of",
        max_length=50,
        json_schema_extra={"zh": "表示“某方的联系人”的关系类型名称，如 联系人"},
    )
    extra_fields: list[str] = Field(
        default_factory=list,
        description="Further fields of party.party to read, e.g. those of your own modules",
        max_length=100,
        json_schema_extra={"zh": "另外要读取的 party.party 字段，如自有模块的字段"},
    )
