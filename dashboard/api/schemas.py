"""What the answers look like, for the description only: answers are not validated on the way out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mappings.customer import Customer
from sync.identity.permissions import Role

PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_Item = TypeVar("_Item")


class Schema(BaseModel):
    """Base of what is described."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


class Body(BaseModel):
    """Base of what is sent to us: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, data: object) -> object:
        if _holds_nul(data):
            raise ValueError("a text holds a character that is not text (NUL)")
        return data


class ProblemPlace(Schema):
    """One place in the request that is not right."""

    detail: str
    code: str
    pointer: str | None = Field(None, description="JSON pointer into the body (RFC 6901)")
    parameter: str | None = Field(None, description="name of a parameter or header")


class ProblemBody(Schema):
    """An error (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="`urn:kehu:problem:<code>`")
    title: str = Field(description="in the language of Accept-Language: English or Chinese")
    status: int
    code: str = Field(description="stable; for programs")
    detail: str
    remedy: str | None = Field(None, description="what to do about it")
    instance: str
    request_id: str = Field(description="also in the header X-Request-Id, and on every line of the log")
    errors: list[ProblemPlace] | None = None


class Page(Schema, Generic[_Item]):
    """A page of a list."""

    data: list[_Item]
    next_cursor: str | None = Field(description="where the list goes on; null at its end")


class CustomerOut(Schema):
    """A customer. With `?fields=` only the fields asked for are there, and the id."""

    id: str = Field(description="stable; an id that was merged away leads to the survivor", examples=["C6H4NS4FB2FJSK"])
    version: int | None = Field(None, description="counts the changes; also the ETag")
    status: Literal["active", "merged", "deleted", "erased"] | None = None
    kind: Literal["person", "organisation"] | None = None
    name: str | None = None
    members: int | None = Field(None, description="how many source records it stands for")
    updated_at: datetime | None = None
    golden: dict[str, Any] | None = Field(None, description="the golden record: a customer without empty fields")


class ChangeOut(Schema):
    """One change of a customer."""

    seq: int
    type: Literal["created", "updated", "merged", "split", "deleted", "erased"]
    version: int
    at: datetime
    body: dict[str, Any] = Field(description="see the description of the change feed")


class SourceRecordOut(Schema):
    """A source record of a customer."""

    connection: str
    stream: str
    id: str
    part: str
    changed_at: str | None = Field(description="the source's own change stamp")
    canonical: dict[str, Any] = Field(description="the record, mapped to a customer")


class LineageOut(Schema):
    """Why a field has its value."""

    field: str
    value: Any
    rule: str
    sources: list[str] = Field(description="`connection/stream/id` of the records it comes from")
    runner_up: Any = None
    runner_up_source: str | None = None


class CrosswalkOut(Schema):
    """Which customer a source record belongs to."""

    connection: str
    stream: str
    id: str
    part: str
    customer: str | None = Field(description="null: no such record, or not resolved yet")


class StreamOut(Schema):
    """One stream of a connection."""

    id: int
    name: str
    state: Literal["active", "paused", "removed"]
    late: bool = Field(description="scheduled, but without success for three of its intervals")
    records: int
    quarantined: int
    every_seconds: float | None
    fresh_seconds: float | None = Field(description="since its last good run")
    reason: str | None = None
    remedy: str | None = None
    last_run: int | None = None


class ConnectionOut(Schema):
    """One configured system. Its settings are never told."""

    name: str
    connector: str
    streams: list[StreamOut]


class CountsOut(Schema):
    """What a run did; `read` is the sum of the others but `ignored`."""

    read: int
    created: int
    updated: int
    unchanged: int
    quarantined: int
    deleted: int


class RunOut(Schema):
    """One sync run."""

    id: int
    connection: str
    stream: str
    mode: Literal["full", "incremental", "backfill", "hinted"]
    status: Literal["queued", "running", "waiting", "succeeded", "partial", "failed", "cancelled"]
    state: str = Field(description="the status, or `not_responding`")
    trigger: str
    counts: CountsOut
    ignored: int
    pages: int
    expected: int | None
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None
    error: str | None
    remedy: str | None


class RunEventOut(Schema):
    """A remark of a run."""

    at: datetime
    level: str
    text: str


class QuarantinedOut(Schema):
    """A record in quarantine."""

    id: int
    connection: str
    stream: str
    source_id: str
    state: Literal["open", "ignored", "resolved"]
    code: str
    path: str = Field(description="the field at fault")
    value: str
    rule: str
    message: str
    remedy: str
    attempts: int
    run_id: int | None
    first_seen_at: datetime
    last_seen_at: datetime
    note: str | None


class QuarantinedWhole(QuarantinedOut):
    """A record in quarantine, with what came."""

    payload: Any = Field(description="the record as received; a text if it is not JSON")


class UserOut(Schema):
    """A user."""

    name: str
    role: Role
    has_password: bool
    created_at: datetime
    signed_in_at: datetime | None
    disabled_at: datetime | None


class MeOut(Schema):
    """Who is asking."""

    user: str
    role: Role
    key: str | None = Field(description="the API key's id; null for a session")
    permissions: list[str]
    csrf_token: str | None = Field(None, description="for scripts of our own pages: send it as X-CSRF-Token")


class KeyOut(Schema):
    """An API key, without its secret."""

    id: str
    name: str
    user: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = Field(description="to the hour")
    revoked_at: datetime | None


class KeyCreated(KeyOut):
    """A new API key."""

    secret: str = Field(description="send it as `Authorization: Bearer …`; it is shown this once")


class AuditOut(Schema):
    """An entry of the audit log."""

    seq: int
    at: datetime
    actor: str
    action: str
    object: str
    details: dict[str, Any]
    hash: str


def _holds_nul(data: object) -> bool:
    if isinstance(data, str):
        return "\x00" in data
    if isinstance(data, dict):
        return any(_holds_nul(value) for value in data.values())
    return isinstance(data, list) and any(_holds_nul(value) for value in data)


CUSTOMER_FIELDS = frozenset(CustomerOut.model_fields)
GOLDEN_FIELDS = frozenset(Customer.model_fields)
