"""``kehu.yaml``: what it may hold, and reading it. Faults are told all at once, each with file, line and key.

Secrets stay references here (see ``sync.secrets``); they are resolved when a connection is opened. What
stands under a connection's ``settings:`` belongs to its connector, whose own model checks it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from connectors.documents import Document, load_document
from connectors.errors import BadConfiguration
from mappings.targets import AttributeType
from sync.durations import Duration, Every
from sync.errors import raise_faults
from sync.faults import faults_of

FILE_NAME = "kehu.yaml"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
RoleName = Literal["admin", "operator", "steward", "integrator", "service", "viewer"]


def country(value: str | None) -> str | None:
    """The code itself if it is of two capital letters; ValueError if not. Which codes exist is asked by the doctor."""
    if value is not None and not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("a country is written with two capital letters, e.g. CN, US or DE")
    if value == "UK":
        raise ValueError("the United Kingdom is written GB")
    return value


# The length apart from the pattern: a counted repetition of Unicode letters takes 5 ms to compile.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\u4e00-\u9fff][\w.-]*$", max_length=80)]
StreamName = Annotated[str, StringConstraints(min_length=1, max_length=120)]
AttributeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Region = Annotated[
    str | None,
    BeforeValidator(lambda value: "NO" if value is False else value),
    AfterValidator(country),
]
"""ISO 3166-1 alpha-2. YAML reads an unquoted NO (Norway) as false."""
Language = Literal["en", "zh"]


class Section(BaseModel):
    """Base of every section: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: object) -> object:
        """A key with nothing behind it (``connections:``) means its default."""
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if value is not None}
        return data


def _section(description: str | None = None) -> Any:
    """A section that is there with its defaults when the file leaves it out.

    Validated with the whole file: a factory of its own would have each section's rules built a second time.
    """
    return Field(default_factory=dict, validate_default=True, description=description)


class DeletesSettings(Section):
    """The brake on deletes of one stream."""

    brake: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="a read that would delete a larger share stops and asks",
    )
    brake_from: int = Field(default=10, ge=0, description="the brake does not apply to this many deletes or fewer")


class StreamSettings(Section):
    """How one stream is read. Everything has a sensible default."""

    mapping: str | None = Field(default=None, max_length=200, description="its mapping file; default: the connector's")
    every: Every = Field(default=None, description="how often to sync, e.g. 5m or never; default: the connection's")
    priority: int = Field(default=100, ge=0, le=10_000, description="whose value wins: the lower number")
    enabled: bool = Field(default=True, description="false: kept, but not synced")
    page_size: int = Field(default=1000, ge=1, le=50_000, description="records a page, where we may choose")
    lookback: Duration | None = Field(default=None, description="read again at each start; default: the stream's")
    deletes: DeletesSettings = _section(description="the brake on deletes")


class RateSettings(Section):
    """How many calls an account at the vendor may make, over all connections that name it."""

    calls: float = Field(gt=0, le=1_000_000, description="this many calls ...")
    per: Duration = Field(default=60.0, gt=0, description="... in this time")
    account: str | None = Field(default=None, max_length=120, description="default: the connection's own")


class ConnectionSettings(Section):
    """One configured system."""

    connector: str = Field(max_length=80, description="which connector; see `kehu connector list`")
    settings: dict[str, Any] = Field(default_factory=dict, description="the connector's own settings")
    streams: dict[StreamName, StreamSettings] = Field(default_factory=dict, description="default: all")
    every: Every = Field(default=900.0, description="how often its streams are synced unless they say otherwise")
    allow_private: list[str] = Field(
        default_factory=list, max_length=100, description="private addresses or networks it may talk to"
    )
    region: Region = Field(default=None, description="default country of phones and addresses")
    time_zone: str | None = Field(default=None, description="of times without a zone; default: the project's")
    rate: RateSettings | None = Field(default=None, description="default: what the connector knows")
    priority: int = Field(default=100, ge=0, le=10_000, description="default priority of its streams")
    purpose: str | None = Field(default=None, max_length=300, description="what it holds customers for; reports tell")

    @field_validator("streams", mode="before")
    @classmethod
    def _bare_streams(cls, value: object) -> object:
        """``customers:`` with nothing behind it means all defaults."""
        if isinstance(value, list):
            return {str(name): {} for name in value}
        if isinstance(value, Mapping):
            return {str(name): {} if settings is None else settings for name, settings in value.items()}
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else known_zone(value)

    def every_of(self, stream: str) -> float | None:
        """Seconds between syncs of a stream; None: only by hand."""
        settings = self.streams.get(stream)
        if settings is not None and "every" in settings.model_fields_set:
            return settings.every
        return self.every

    def priority_of(self, stream: str) -> int:
        """The stream's rank in survivorship: lower wins."""
        settings = self.streams.get(stream)
        if settings is not None and "priority" in settings.model_fields_set:
            return settings.priority
        return self.priority


class LimitSettings(Section):
    """How often one key, session or address may ask; each web process grants it for itself."""

    per_second: float = Field(default=200.0, gt=0, le=1_000_000, description="in the long run")
    burst: int = Field(default=1_000, ge=1, le=10_000_000, description="at once, after a pause")


class SignOnSettings(Section):
    """Single sign-on by OpenID Connect. The client secret may be a reference to a secret."""

    issuer: str = Field(max_length=2_000, pattern=r"^https?://[^\s]+$", description="as its discovery document says")
    client_id: str = Field(max_length=400)
    client_secret: str | None = Field(default=None, max_length=1_000, description="none: a public client (PKCE alone)")
    scope: str = Field(default="openid profile email", max_length=400)
    name_claim: str = Field(default="preferred_username", max_length=100, description="what users are called")
    role_claim: str = Field(default="groups", max_length=100, description="a text, or a list of texts")
    roles: dict[str, RoleName] = Field(default_factory=dict, max_length=100, description="claim: role; the first wins")
    default_role: RoleName | None = Field(default=None, description="of who has none of them; default: no access")
    title: str = Field(default="", max_length=60, description="on the button")


class WebSettings(Section):
    """Where the dashboard and the REST interface listen, and the address that others know them by."""

    host: str = Field(default="127.0.0.1", max_length=255, description="beyond this machine only with a public_url")
    port: int = Field(default=8600, ge=0, le=65535, description="0: any free port")
    public_url: str | None = Field(default=None, max_length=300, description="e.g. https://kehu.example.com")
    proxies: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="addresses whose X-Forwarded-… headers are believed",
    )
    limit: LimitSettings = _section()
    sign_on: SignOnSettings | None = None

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.rstrip("/"))
        plain = not (parts.path or parts.query or parts.fragment or parts.username) and parts.hostname
        if parts.scheme not in ("http", "https") or not plain:
            raise ValueError("a public_url is written like https://kehu.example.com, without a path")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("a public_url begins with https:// unless it is this machine's own")
        return value.rstrip("/").lower()

    @field_validator("proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        from ipaddress import ip_network

        for one in value:
            try:
                ip_network(one, strict=False)
            except ValueError:
                raise ValueError("proxies are written like 10.0.0.5 or 10.0.0.0/24") from None
        return value

    @model_validator(mode="after")
    def _public_needs_https(self) -> WebSettings:
        if self.host not in LOOPBACK and not (self.public_url or "").startswith("https://"):
            raise ValueError(
                "without a public_url (https://…) it serves this machine only: 127.0.0.1, ::1 or localhost"
            )
        return self

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by HTTPS."""
        return (self.public_url or "").startswith("https://")


class AttributeSettings(Section):
    """A field of your own on every customer."""

    type: AttributeType = "text"
    title: str = Field(default="", max_length=120)


class WorkerSettings(Section):
    """How much works at the same time on this machine."""

    processes: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=4, ge=1, le=64)


class MatchingSettings(Section):
    """How a new master finds out which records are one customer; see `kehu match versions` for what is in force."""

    model: Literal["rules", "probability"] = Field(default="rules", description="what a new master begins with")
    recalibrate: Literal["first-load", "follow", "ask", "never"] = Field(
        default="first-load",
        description="use what the first load teaches at once and propose what is learnt later; follow: use that too "
        "where few customers change; ask: propose only; never: learn nothing by itself",
    )


class ExportSettings(Section):
    """Files of exports that were asked for over the REST interface."""

    folder: str | None = Field(default=None, max_length=400, description="default: exports in the state folder")
    keep: Duration = Field(default=604_800.0, description="deleted after this time")


class ChangesSettings(Section):
    """How long the change feed can be read back. Afterwards the last change of each customer stays."""

    keep: Duration = Field(default=90 * 86400.0, ge=7 * 86400.0, description="at least 7d")


class WebhooksSettings(Section):
    """What holds for all endpoints that webhooks are sent to."""

    allow_private: list[str] = Field(
        default_factory=list, max_length=100, description="private addresses or networks that may receive them"
    )


class MailSettings(Section):
    """Alerts by email. ``password`` may be a reference to a secret."""

    host: str = Field(max_length=253, description="the server that takes the mail")
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="tls: usually port 465")
    user: str | None = Field(default=None, max_length=300)
    password: str | None = Field(default=None, max_length=1_000)
    sender: str = Field(alias="from", max_length=254)
    to: list[Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]] = Field(
        min_length=1, max_length=50
    )


class HookSettings(Section):
    """Alerts by webhook. ``url`` and ``secret`` may be references to secrets."""

    url: str = Field(max_length=2_000)
    format: Literal["json", "wecom", "dingtalk", "feishu", "slack"] = Field(
        default="json", description="json: our own, signed if there is a secret; else a robot of a group chat"
    )
    secret: str | None = Field(default=None, max_length=1_000, description="whsec_…: signs by Standard Webhooks")
    allow_private: list[str] = Field(default_factory=list, max_length=100)


class AlertSettings(Section):
    """Who is told when something begins or ceases to be wrong."""

    language: Language | None = Field(default=None, description="default: the project's")
    settle: Duration = Field(default=60.0, description="told when it has been so for this long")
    stale_after: Duration | None = Field(default=None, description="default: three intervals of the stream")
    quarantine: int = Field(default=100, ge=0, description="a stream with more open records is an alert")
    webhook: HookSettings | None = None
    email: MailSettings | None = None


class Settings(Section):
    """The whole of ``kehu.yaml``."""

    version: Literal[1] = 1
    database: str | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in .kehu/kehu.db")
    broker: str | None = Field(default=None, description="Redis URL; default: an embedded Valkey")
    language: Language | None = Field(default=None, description="default: that of the terminal")
    region: Region = Field(default=None, description="default country of phones and addresses")
    time_zone: str = Field(default="UTC", description="IANA name, of times without a zone")
    mappings: str = Field(default="mappings", max_length=400, description="folder of mapping files")
    connectors: str = Field(default="connectors", max_length=400, description="folder of your own REST connectors")
    connections: dict[Name, ConnectionSettings] = Field(default_factory=dict, max_length=500)
    attributes: dict[AttributeName, AttributeSettings] = Field(
        default_factory=dict, max_length=500, description="your own fields of a customer"
    )
    survivorship: dict[str, str] = Field(default_factory=dict, description="field: rule that chooses its value")
    matching: MatchingSettings = _section()
    alerts: AlertSettings = _section()
    exports: ExportSettings = _section()
    changes: ChangesSettings = _section()
    webhooks: WebhooksSettings = _section()
    web: WebSettings = _section()
    workers: WorkerSettings = _section()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("broker")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        """A URL of Redis, or wholly a reference to one."""
        if value is None or value.startswith(("redis://", "rediss://", "unix://", "$", "file:", "keyring:")):
            return value
        raise ValueError("a broker is written like redis://host:6379/0")


def known_zone(name: str) -> str:
    """The name itself if it is an IANA time zone; ValueError if not."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone is written like Asia/Shanghai or UTC") from None
    return name


def find_settings(start: Path) -> Path:
    """``kehu.yaml`` in ``start`` or the nearest folder above; raises BadConfiguration if there is none."""
    if start.is_file():
        return start
    for folder in [start, *start.resolve().parents]:
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise BadConfiguration(
        "There is no kehu.yaml in {folder} or above it.",
        remedy="Go to the project's folder, name it with --project, or make one with `kehu init`.",
        folder=str(start.resolve()),
    )


def load_settings(path: Path) -> tuple[Settings, Document]:
    """Read and check one file. Raises BadConfiguration; ConfigurationFaults when several are wrong."""
    document = load_document(path)
    try:
        return Settings.model_validate(document.data), document
    except ValidationError as error:
        raise_faults(path.name, faults_of(Settings, error, document))
        raise
