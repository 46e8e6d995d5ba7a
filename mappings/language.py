"""The mapping file's language as models: what may be written, checked before anything is compiled.

Every short form is turned into its long form here, so that the compiler sees one form only. `docs/mapping.md`
explains the language to its users.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from mappings.document import Document

OnError = Literal["reject", "drop", "keep_raw"]
Scalar = str | int | float | bool


class SpecModel(BaseModel):
    """Base of the file's parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class TransformCall(SpecModel):
    """One transform of a chain: `trim`, `split: ","` or `date: {format: …, zone: …}`."""

    name: str
    args: dict[str, Any] = Field(default_factory=dict)
    main: Any = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"name": data}
        if isinstance(data, dict) and len(data) == 1 and "name" not in data:
            (name, value), *_ = data.items()
            return {"name": str(name), "args": value} if isinstance(value, dict) else {"name": str(name), "main": value}
        return data


class Condition(SpecModel):
    """`when:`: a path that must have a value, one test of a field, a JSONata expression, or tests combined."""

    field: str | None = None
    equals: Any = None
    one_of: list[Any] | None = Field(None, alias="in")
    exists: bool | None = None
    matches: str | None = None
    jsonata: str | None = None
    negated: Condition | None = Field(None, alias="not")
    all: list[Condition] | None = None
    any: list[Condition] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"jsonata": data[1:]} if data.startswith("=") else {"field": data}
        return {"all": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _one_kind(self) -> Condition:
        kinds = [name for name in ("field", "jsonata", "negated", "all", "any") if getattr(self, name) is not None]
        tests = [name for name in ("equals", "one_of", "exists", "matches") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError("a condition needs exactly one of: field, jsonata, not, all, any")
        if len(tests) > 1 or (tests and kinds != ["field"]):
            raise ValueError("a condition on a field takes at most one of: equals, in, exists, matches")
        return self


class Source(SpecModel):
    """Where one value comes from, and what is done to it."""

    path: str | None = Field(None, alias="from")
    jsonata: str | None = None
    const: Any = None
    concat: list[Source] | None = None
    separator: str = Field(" ", alias="with")
    first: list[Source] | None = None
    do: list[TransformCall] = Field(default_factory=list)
    table: str | dict[str, Any] | None = None
    default: Any = None
    when: Condition | None = None
    required: bool = False
    on_error: OnError | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return long_form(data)

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        origins = [name for name in ("path", "jsonata", "const", "concat", "first") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError("a value needs exactly one of: from, jsonata, const, concat, first")
        return self


def long_form(data: Any) -> Any:
    """A source in its long form: text is a path or `=JSONata`, a list means its first value, else a constant."""
    if isinstance(data, str):
        return {"jsonata": data[1:]} if data.startswith("=") else {"from": data}
    if isinstance(data, bool | int | float):
        return {"const": data}
    if isinstance(data, list):
        return {"first": data}
    if not isinstance(data, dict):
        return data
    origin, rest = data.get("from"), {key: value for key, value in data.items() if key != "from"}
    if isinstance(origin, str) and origin.startswith("="):
        data = {"jsonata": origin[1:], **rest}
    elif isinstance(origin, list):
        data = {"first": origin, **rest}
    if "do" in data and not isinstance(data["do"], list):
        data = {**data, "do": [data["do"]]}
    return data


def _word(data: Any) -> Any:
    return {"const": data} if isinstance(data, str) and not data.startswith("=") else data


def _several(data: Any) -> Any:
    return data if isinstance(data, list) else [data]


Word = Annotated[Source, BeforeValidator(_word)]
"""A word such as a label or a scheme: plain text is the word itself; `{from: path}` reads it."""


class Repeated(Source):
    """A value of a list field. With `each`, paths inside are relative to the list's items."""

    each: str | None = None


class TagSource(Repeated):
    """One source of tags."""


class EmailSource(Repeated):
    """One source of emails."""

    label: Word | None = None
    verified: Source | None = None


class PhoneSource(Repeated):
    """One source of phones; `region` says how to read numbers without a country code."""

    label: Word | None = None
    verified: Source | None = None
    extension: Source | None = None
    region: Word | None = None


class IdentifierSource(Repeated):
    """One source of identifiers."""

    scheme: Word


class AddressSource(SpecModel):
    """One address; plain text is an address as written. `split: true` takes a Chinese `text` apart."""

    each: str | None = None
    when: Condition | None = None
    label: Word | None = None
    country: Source | None = None
    region: Source | None = None
    city: Source | None = None
    district: Source | None = None
    street: Source | None = None
    postcode: Source | None = None
    text: Source | None = None
    latin: Source | None = None
    split: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"text": data} if isinstance(data, str) else data


class ConsentSource(SpecModel):
    """One consent."""

    each: str | None = None
    when: Condition | None = None
    channel: Word
    purpose: Word | None = None
    granted: Source
    source: Word | None = None
    at: Source | None = None


class OrganisationSource(SpecModel):
    """Whose contact this person is. Left out inside `customers`, the record's own organisation is meant."""

    source_id: Source | None = None
    stream: Word | None = None
    role: Source | None = None


class CustomerSpec(SpecModel):
    """One kind of customer found in a record."""

    part: str | None = Field(None, pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    each: str | None = None
    key: Source | None = None
    when: Condition | None = None
    kind: Word
    name: Source | None = None
    legal_name: Source | None = None
    trading_name: Source | None = None
    native_name: Source | None = None
    latin_name: Source | None = None
    given_name: Source | None = None
    family_name: Source | None = None
    birth_date: Source | None = None
    identifiers: Annotated[list[IdentifierSource], BeforeValidator(_several)] = Field(default_factory=list)
    emails: Annotated[list[EmailSource], BeforeValidator(_several)] = Field(default_factory=list)
    phones: Annotated[list[PhoneSource], BeforeValidator(_several)] = Field(default_factory=list)
    addresses: Annotated[list[AddressSource], BeforeValidator(_several)] = Field(default_factory=list)
    organisation: OrganisationSource | Literal["none"] | None = None
    status: Source | None = None
    currency: Source | None = None
    credit_limit: Source | None = None
    owner: Source | None = None
    language: Source | None = None
    website: Source | None = None
    tags: Annotated[list[TagSource], BeforeValidator(_several)] = Field(default_factory=list)
    consents: Annotated[list[ConsentSource], BeforeValidator(_several)] = Field(default_factory=list)
    external_ids: dict[str, Source] = Field(default_factory=dict)
    attributes: dict[str, Source] = Field(default_factory=dict)
    source_created_at: Source | None = None
    source_changed_at: Source | None = None
    last_contact_at: Source | None = None

    @model_validator(mode="after")
    def _stable_parts(self) -> CustomerSpec:
        if self.each is not None and (self.part is None or self.key is None):
            raise ValueError("`each` needs `part` (a name) and `key` (a field that is stable and unique per item)")
        if self.part is None and self.key is not None:
            raise ValueError("`key` needs `part`")
        return self


class MappingSpec(SpecModel):
    """A whole mapping file. ``file`` is for messages only."""

    version: Literal[1] = 1
    description: str = ""
    region: str | None = Field(None, pattern=r"^[A-Z]{2}$")
    timezone: str | None = None
    tables: dict[str, dict[str, Any]] = Field(default_factory=dict)
    when: Condition | None = None
    customers: list[CustomerSpec] = Field(min_length=1, max_length=20)
    file: str = Field("mapping", exclude=True)
    _document: Document | None = PrivateAttr(None)

    def place(self, location: tuple[str | int, ...]) -> dict[str, Any]:
        """``file``, ``line`` and ``key`` of a place in the file, as parameters of a message."""
        if self._document is None:
            return {"file": self.file, "line": 1, "key": ".".join(map(str, location))}
        location = written_location(location, self._document)
        file, line = self._document.place(location)
        return {"file": file, "line": line, "key": ".".join(map(str, location))}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, dict) and "customer" in data and "customers" in data:
            raise ValueError("write either `customer` or `customers`, not both")
        if isinstance(data, dict) and "customer" in data:
            return {"customers": [data["customer"]], **{k: v for k, v in data.items() if k != "customer"}}
        return data

    @model_validator(mode="after")
    def _distinct_parts(self) -> MappingSpec:
        parts = [entry.part for entry in self.customers]
        for part in set(parts):
            if parts.count(part) > 1:
                raise ValueError(f"two customers have the same `part`: {part or '(none)'}")
        return self


def written_location(location: tuple[int | str, ...], document: Document) -> tuple[int | str, ...]:
    """Pydantic's location in the words of the file: `customer:` for its long form, unions' branches left out."""
    parts = tuple(part for part in location if part not in ("OrganisationSource", "literal['none']", "function-after"))
    if parts[:2] == ("customers", 0) and isinstance(document.data, dict) and "customer" in document.data:
        return ("customer", *parts[2:])
    return parts
