"""The language of REST manifests, as pydantic models. The reference for authors is docs/connectors.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from connectors.contract import Capability
from connectors.documents import nearest
from connectors.manifest import Identifier, Manifest, Part, StreamNote
from connectors.rest.manifest_auth import Auth
from connectors.rest.manifest_calls import Call, Check, One, Params, Scalar, one_or_more
from connectors.rest.manifest_webhooks import Webhook
from connectors.rest.manifest_writing import WriteBack
from connectors.rest.stamps import EPOCH, EPOCH_MS, ISO, zone
from connectors.rest.templates import places

Paths = Annotated[tuple[str, ...], Field(min_length=1)]


class ConfigField(Part):
    """One setting of a connection: its help in both languages, and how it is typed."""

    en: Annotated[str, StringConstraints(min_length=1)]
    zh: Annotated[str, StringConstraints(min_length=1)]
    type: Literal["text", "list", "url", "integer", "number", "boolean", "choice"] = "text"
    secret: bool = False
    default: Scalar = None
    required: bool = True
    choices: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> ConfigField:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("`type: choice` and `choices` belong together")
        if self.secret and (self.type != "text" or self.default is not None):
            raise ValueError("a secret is a text without default")
        return self


class OffsetPages(Part):
    """``offset=200&limit=100``; ends at an empty page, or at ``total`` where the answer tells it.

    ``overlap``: pages overlap by one record, so that rows that move during the read are noticed. Turn it off for
    systems that take only multiples of the limit.
    """

    kind: Literal["offset"]
    overlap: bool = True
    offset: str = "offset"
    limit: str = "limit"
    max: Annotated[int, Field(ge=1)] = 100
    total: str = ""
    into: Literal["query", "body"] = "query"


class NumberPages(Part):
    """``page=3&per_page=100``; ends at an empty page, or at ``total`` where the answer tells it."""

    kind: Literal["page"]
    page: str = "page"
    size: str = "per_page"
    max: Annotated[int, Field(ge=1)] = 100
    first: int = 1
    total: str = ""
    into: Literal["query", "body"] = "query"


class CursorPages(Part):
    """The answer holds (at ``next``) what the following request sends as ``param``; ends where it is empty."""

    kind: Literal["cursor"]
    param: str
    next: str
    size: str = "limit"
    max: Annotated[int, Field(ge=1)] = 100
    more: str = ""
    total: str = ""
    into: Literal["query", "body"] = "query"


class LinkPages(Part):
    """The whole address of the following page: in the ``Link`` header, in one called ``header`` that holds it alone, or
    in the answer at ``next``.
    """

    kind: Literal["link"]
    next: str = ""
    header: str = ""
    size: str = ""
    max: Annotated[int, Field(ge=1)] = 100
    total: str = ""
    into: Literal["query", "body"] = "query"


class KeysetPages(Part):
    """Records with a key greater than the last one seen: the safest, where the system can sort and filter by key."""

    kind: Literal["keyset"]
    param: str
    field: str = ""
    size: str = "limit"
    max: Annotated[int, Field(ge=1)] = 100
    total: str = ""
    into: Literal["query", "body"] = "query"


class OnePage(Part):
    """Everything in one answer."""

    kind: Literal["none"] = "none"
    size: str = ""
    max: int = 1_000_000
    total: str = ""
    into: Literal["query", "body"] = "query"


Pages = Annotated[
    OffsetPages | NumberPages | CursorPages | LinkPages | KeysetPages | OnePage, Field(discriminator="kind")
]


class Bound(Part):
    """Request parts that bound a listing."""

    params: Params = Field(default_factory=dict)
    body: Params = Field(default_factory=dict)


class Since(Bound):
    """How to ask only for what changed: request parts that are added when there is a cursor.

    ``strict``: the filter means later than, not at or later than. ``lookback`` is in seconds. ``format`` is that of
    the filter's value, where it differs from the stamps'. ``until``: the parts of the upper bound, where they must not
    be sent without it; then the others are not sent without the lower one.
    """

    until: Bound | None = None
    format: str = ""
    strict: bool = False
    lookback: Annotated[int, Field(ge=0, le=2_592_000)] = 300

    def parts(self, *, lower: bool, upper: bool) -> Iterator[Bound]:
        """What to add to a request that has these bounds."""
        if lower or (upper and self.until is None):
            yield self
        if upper and self.until is not None:
            yield self.until


class Tombstone(Part):
    """A field that marks a record as deleted: any value but null and false, or one of ``equals``."""

    field: str
    equals: tuple[Scalar, ...] = ()

    _several = field_validator("equals", mode="before")(one_or_more)


class Listing(Call):
    """Something that can be listed page by page.

    ``may_be_absent``: an answer without ``records`` means none; otherwise it breaks the stream, lest an error that
    claims success be taken for an empty system.
    """

    records: str = ""
    may_be_absent: bool = False
    key: Paths
    changed_at: tuple[str, ...] = ()
    stamps: str = ISO
    zone: str = "UTC"
    pages: Pages = OnePage()
    incremental: Since | None = None

    _listed = field_validator("key", "changed_at", mode="before")(one_or_more)

    @field_validator("stamps")
    @classmethod
    def _notation(cls, value: str) -> str:
        if value not in (ISO, EPOCH, EPOCH_MS) and "%" not in value:
            raise ValueError(f"must be iso, epoch, epoch_ms or a pattern like %Y-%m-%d %H:%M:%S, not {value}")
        return value

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if "{" not in value:
            zone(value)
        return value

    @model_validator(mode="after")
    def _has_a_stamp(self) -> Listing:
        if self.incremental is not None and not self.changed_at:
            raise ValueError("`incremental` needs `changed_at`, the path of the change stamp")
        return self


class Partition(Part):
    """Parts that can be read independently: named here, or listed by a call whose answer holds their names."""

    names: tuple[str, ...] = ()
    path: str = ""
    records: str = ""
    key: str = "id"


class RestStream(StreamNote, Listing):
    """One stream: how it is listed, how changes and deletes become known, how it is written."""

    deletes: Literal["none", "sweep"] | Tombstone | Listing = "none"
    ids: Listing | None = None
    partitions: Partition | None = None
    window_cap: Annotated[int, Field(ge=1)] | None = None
    one: One | None = None
    write: WriteBack | None = None

    @model_validator(mode="after")
    def _one_has_one_key(self) -> RestStream:
        if self.one is not None and len(self.key) > 1:
            raise ValueError("`one` asks for a record by its key, which must not be composite")
        return self

    @model_validator(mode="after")
    def _windows_need_bounds(self) -> RestStream:
        if self.window_cap is None:
            return self
        since = self.incremental
        found = set(places([since.model_dump()])) if since else set()
        if not {"cursor.value", "cursor.until"} <= found:
            raise ValueError("`window_cap` needs an incremental filter with {cursor.value} and {cursor.until}")
        return self


Raised = Literal[
    "retry_later",
    "wait",
    "bad_credentials",
    "permission_missing",
    "bad_configuration",
    "rejected",
    "conflict",
    "stream_broken",
    "cursor_expired",
]


class ErrorRule(Part):
    """What an answer means. It counts when every given condition holds; ``text`` is the path of a reason to show.

    ``contains`` is looked for in the text at ``path``, whatever its case. ``values`` is the path of what stands for
    places such as %name or %1 in the text: an object, or a list. ``after`` is the number of seconds to wait, for
    ``raise: wait``. ``settings`` are those to correct, where the answer speaks of them.
    """

    status: tuple[int, ...] = ()
    path: str = ""
    equals: tuple[Scalar, ...] | None = None
    differs: tuple[Scalar, ...] | None = None
    contains: str = ""
    raises: Annotated[Raised, Field(alias="raise")]
    text: str = ""
    values: str = ""
    after: Annotated[int, Field(ge=1)] = 60
    settings: tuple[Identifier, ...] = ()

    _several = field_validator("status", "equals", "differs", "settings", mode="before")(one_or_more)

    @model_validator(mode="after")
    def _has_a_condition(self) -> ErrorRule:
        if not self.status and not self.path:
            raise ValueError("needs `status` or `path`")
        return self


class RestManifest(Manifest):
    """A whole REST connector."""

    base_url: str
    config: dict[Identifier, ConfigField] = Field(default_factory=dict)
    auth: Auth | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    errors: tuple[ErrorRule, ...] = ()
    check: Check | None = None
    timeout: Annotated[float, Field(gt=0, le=600)] = 60.0
    webhook: Webhook | None = None
    streams: dict[Identifier, RestStream] = Field(min_length=1)  # type: ignore[assignment]

    def abilities(self, stream: str) -> frozenset[Capability]:
        """What one of its streams can do beyond a full read."""
        spec = self.streams[stream]
        there = {
            Capability.INCREMENTAL: spec.incremental is not None,
            Capability.IDS: spec.ids is not None or spec.deletes == "sweep",
            Capability.WRITE: spec.write is not None,
            Capability.WEBHOOK: any(hint.stream == stream for hint in (self.webhook.hints if self.webhook else ())),
        }
        return frozenset(ability for ability, able in there.items() if able)

    @model_validator(mode="after")
    def _hints_lead_somewhere(self) -> RestManifest:
        for hint in self.webhook.hints if self.webhook else ():
            stream = self.streams.get(hint.stream)
            if stream is None:
                raise ValueError(f"a hint of `webhook` names the stream {hint.stream}, which is not there")
            if hint.key and stream.one is None:
                raise ValueError(f"hints at keys of {hint.stream} need its `one`, the call that shows a record")
        return self

    @model_validator(mode="after")
    def _known_settings(self) -> RestManifest:
        for name in (name for rule in self.errors for name in rule.settings):
            if name not in self.config:
                raise ValueError(f"a rule of `errors` names the setting {name}, which is not in `config`")
        return self

    @model_validator(mode="after")
    def _known_places(self) -> RestManifest:
        known = KNOWN_PLACES | {f"config.{field}" for field in self.config}
        for name in _all_places(self):
            if name in known or name.startswith("body."):
                continue
            raise ValueError(f"unknown place {{{name}}}; nearest: {{{nearest(name, sorted(known)) or 'none'}}}")
        return self


KNOWN_PLACES = {"cursor.value", "cursor.until", "key", "partition", "size", "idempotency_key", "expected", "number"}


def _all_places(manifest: RestManifest) -> Iterator[str]:
    described = manifest.model_dump(exclude={"id": True, "title": True, "about": True, "config": True})
    auth = described["auth"] or {}
    auth.pop("recipe", None)  # has places of its own
    auth.pop("template", None)
    if described["webhook"]:
        described["webhook"]["proof"].pop("message", None)  # so has this
    yield from places(described)
