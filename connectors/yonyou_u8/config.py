"""What a U8 connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.config import ZoneName
from connectors.contract import Config


class U8Config(Config):
    """Settings of one ledger (账套) behind the U8 OpenAPI."""

    base_url: str = Field(
        "https://api.yonyouup.com",
        description="The address of the U8 OpenAPI",
        pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?$",
        max_length=300,
        json_schema_extra={"zh": "U8 OpenAPI 的地址"},
    )
    from_account: str = Field(
        description="The developer account that calls (from_account)",
        pattern=r"^[\w.@-]{1,100}$",
        json_schema_extra={"zh": "调用方的开发者账号（from_account）"},
    )
    to_account: str = Field(
        description="The account of the company that owns the U8 (to_account)",
        pattern=r"^[\w.@-]{1,100}$",
        json_schema_extra={"zh": "U8 所属企业的账号（to_account）"},
    )
    app_key: str = Field(
        description="The key of the application that the company has approved (app_key)",
        pattern=r"^[\w-]{1,200}$",
        json_schema_extra={"zh": "企业已授权的应用的 app_key"},
    )
    app_secret: SecretStr = Field(
        description="The secret of the application (app_secret)",
        json_schema_extra={"zh": "应用密钥（app_secret）"},
    )
    ds_sequence: int = Field(
        1,
        ge=1,
        le=999,
        description="The number of the data source, which chooses the ledger; make one connection for each ledger",
        json_schema_extra={"zh": "数据源序号，决定读取哪个账套；每个账套建立一个连接"},
    )
    page_rows: int = Field(
        200,
        ge=1,
        le=5000,
        description="The most rows to ask for at once",
        json_schema_extra={"zh": "每页最多请求的行数"},
    )
    filter_changes: bool = Field(
        True,
        description="Ask only for customers modified since the last run; off: read all of them in every run",
        json_schema_extra={"zh": "只请求上次之后修改的客户；关闭则每次读取全部客户"},
    )
    zone: ZoneName = Field(
        "Asia/Shanghai",
        description="The time zone of the U8 server, whose days its change stamps are",
        json_schema_extra={"zh": "U8 服务器所在时区，修改日期即按此时区"},
    )
    customer_class: str = Field(
        "",
        description="The code of the class of new customers that come without one (sort_code)",
        pattern=r"^[\w.-]{0,40}$",
        json_schema_extra={"zh": "新客户没有分类时使用的客户分类编码（sort_code）"},
    )
    number_prefix: str = Field(
        "",
        description="Begins the codes of new customers that come without one; empty: such customers are refused",
        pattern=r"^[A-Za-z0-9_-]{0,4}$",
        json_schema_extra={"zh": "新客户没有编码时自动生成编码的前缀；留空则拒绝这样的客户"},
    )
