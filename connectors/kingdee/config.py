"""What a Kingdee connection needs to know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator

from connectors.config import ZoneName
from connectors.contract import Config

FieldKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,79}(\.[A-Za-z_]\w{0,79})?$")]
Code = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,80}$")]
NEEDED = {"password": ("password",), "app_secret": ("app_id", "app_secret"), "signature": ("app_id", "app_secret")}


class KingdeeConfig(Config):
    """Settings of one data centre (账套) of a K/3 Cloud server."""

    base_url: str = Field(
        description="The address of the server, with its path where it is not k3cloud: https://erp.example.com/k3cloud",
        pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?$",
        max_length=300,
        json_schema_extra={"zh": "服务器地址，路径不是 k3cloud 时请写全，如 https://erp.example.com/k3cloud"},
    )
    login: Literal["password", "app_secret", "signature"] = Field(
        "app_secret",
        description="How to log in: user and password; user and app secret; or signed requests of a registered app",
        json_schema_extra={"zh": "登录方式：password 用户名密码，app_secret 应用密钥，signature 应用签名"},
    )
    acct_id: str = Field(
        description="The id of the data centre",
        pattern=r"^[\w-]{1,80}$",
        json_schema_extra={"zh": "数据中心（账套）ID"},
    )
    user: str = Field(
        description="The user that the integration works as",
        min_length=1,
        max_length=100,
        pattern=r"^[^,]*$",
        json_schema_extra={"zh": "集成所用的用户名"},
    )
    password: SecretStr | None = Field(
        None,
        description="The user's password, where login is password",
        json_schema_extra={"zh": "用户密码（登录方式为 password 时）"},
    )
    app_id: str | None = Field(
        None,
        description="The application id, where login is app_secret or signature",
        max_length=200,
        json_schema_extra={"zh": "应用 ID（登录方式为 app_secret 或 signature 时）"},
    )
    app_secret: SecretStr | None = Field(
        None,
        description="The application's secret, where login is app_secret or signature",
        json_schema_extra={"zh": "应用密钥（登录方式为 app_secret 或 signature 时）"},
    )
    lcid: int = Field(
        2052,
        description="The language in which names and messages come: 2052 is Chinese, 1033 English",
        json_schema_extra={"zh": "名称和消息的语言：2052 为简体中文，1033 为英文"},
    )
    zone: ZoneName = Field(
        "Asia/Shanghai",
        description="The time zone of the server, in which it stamps changes",
        json_schema_extra={"zh": "服务器所在时区，修改日期即按此时区"},
    )
    organizations: list[Code] = Field(
        default_factory=list,
        description="Codes of the using organisations whose customers are read; empty: all that the user may see",
        max_length=50,
        json_schema_extra={"zh": "要读取的使用组织编码；留空则读取用户有权限的全部组织"},
    )
    extra_fields: list[FieldKey] = Field(
        default_factory=list,
        description="Further fields of the customer form to read, e.g. F_ABC_EMAIL or FSELLER.FName; none of an entry",
        max_length=60,
        json_schema_extra={"zh": "另外要读取的客户字段，如 F_ABC_EMAIL、FSELLER.FName；不能是分录字段"},
    )
    create_organization: Code = Field(
        "100",
        description="The code of the organisation in which new customers are made",
        json_schema_extra={"zh": "新建客户所属的创建组织编码"},
    )
    currency: Code = Field(
        "PRE001",
        description="The code of the settlement currency of new customers",
        json_schema_extra={"zh": "新建客户的结算币别编码"},
    )
    after_create: Literal["draft", "submit", "audit"] = Field(
        "draft",
        description="What becomes of new customers: left as drafts, submitted, or submitted and audited",
        json_schema_extra={"zh": "新建客户之后：保留为创建状态（draft）、提交（submit）或提交并审核（audit）"},
    )
    number_prefix: str = Field(
        "",
        description="Begins the numbers of new customers that come without one; empty: such customers are refused",
        pattern=r"^[A-Za-z0-9_-]{0,10}$",
        json_schema_extra={"zh": "新客户没有编码时自动生成编码的前缀；留空则拒绝这样的客户"},
    )

    @model_validator(mode="after")
    def _has_its_login(self) -> KingdeeConfig:
        absent = [name for name in NEEDED[self.login] if not getattr(self, name)]
        if absent:
            raise ValueError(f"login: {self.login} needs {' and '.join(absent)}")
        return self

    @property
    def address(self) -> str:
        """The address all services stand below, ending in a slash."""
        address = self.base_url.rstrip("/")
        return f"{address}/" if address.count("/") > 2 else f"{address}/k3cloud/"
