"""The canonical customer: the one shape that every source is mapped to and every consumer reads.

All fields are optional but ``kind``; a customer must carry at least one of name, email, phone or identifier.
Stored and sent as JSON without nulls and empty lists. This module is the reference that `docs/canonical-customer.md`
is generated from.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = str
Text = str

SAME_RECORD = "#"
"""Begins an ``Organisation.source_id`` that means a part of the same source record: "#" alone is the record itself,
"#branch:3" its part ``branch:3``. An id of another record that itself begins with # is written with two.
"""


class Part(BaseModel):
    """Base of the parts: unknown keys are refused, values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, defer_build=True)


class Identifier(Part):
    """A number somebody official (or another system) gave: scheme and value, normalised; ``valid`` by check digit."""

    scheme: str = Field(
        max_length=40,
        pattern=r"^[a-z][a-z0-9_.-]*$",
        description="cn.uscc, eu.vat, gb.vat, us.ein, duns, gln, lei, ... or `<system>.<name>` for private numbers",
    )
    value: str = Field(max_length=80, description="normalised: no blanks or separators, upper case")
    valid: bool = Field(False, description="the scheme's check digit was verified; only such numbers prove identity")


class Email(Part):
    """An email address, normalised for sending; comparison folds it further."""

    value: str = Field(max_length=254)
    label: str | None = Field(None, max_length=40, description="work, billing, private, ...")
    verified: bool = Field(False, description="the source says that the owner confirmed it")


class Phone(Part):
    """A phone number in E.164 where it can be parsed with the connection's default region, else digits only."""

    value: str = Field(max_length=40)
    extension: str | None = Field(None, max_length=12)
    label: str | None = Field(None, max_length=40, description="mobile, work, fax, ...")
    verified: bool = False


class Address(Part):
    """A postal address: structured where the source is, else as written in ``text``; ``latin`` for foreign readers."""

    label: str | None = Field(None, max_length=40, description="billing, shipping, registered, ...")
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")
    region: str | None = Field(None, max_length=120, description="province, state")
    city: str | None = Field(None, max_length=120)
    district: str | None = Field(None, max_length=120)
    street: str | None = Field(None, max_length=300)
    postcode: str | None = Field(None, max_length=20)
    text: str | None = Field(None, max_length=600, description="as written, in the native script")
    latin: str | None = Field(None, max_length=600, description="the same in Latin letters")


class Consent(Part):
    """A permission per channel and purpose, with where and when it was given or withdrawn."""

    channel: Literal["email", "phone", "sms", "wechat", "post", "any"]
    purpose: str = Field("marketing", max_length=60)
    granted: bool
    source: str | None = Field(None, max_length=120)
    at: datetime | None = None


class Organisation(Part):
    """Where a contact person belongs. A mapping may leave out what is the same; golden records hold all of it."""

    connection: str | None = Field(None, max_length=80, description="in golden records: the system")
    stream: str | None = Field(None, max_length=120, description="default: the same stream")
    source_id: str = Field(max_length=500, description="the record's id; in a mapping `#` and a part: the same record")
    part: str | None = Field(None, max_length=200, description="in golden records: the part of that record")
    role: str | None = Field(None, max_length=120, description="purchasing, finance, owner, ...")


class Customer(Part):
    """A person or an organisation that the company deals with."""

    kind: Literal["person", "organisation"]
    name: Name | None = Field(None, max_length=300, description="the name to show")
    legal_name: Name | None = Field(None, max_length=300, description="as registered")
    trading_name: Name | None = Field(None, max_length=300, description="brand, short name")
    native_name: Name | None = Field(None, max_length=300, description="in the native script, e.g. 张伟")
    latin_name: Name | None = Field(None, max_length=300, description="in Latin letters, e.g. Zhang Wei")
    given_name: Name | None = Field(None, max_length=120, description="persons only")
    family_name: Name | None = Field(None, max_length=120, description="persons only")
    birth_date: date | None = None
    identifiers: list[Identifier] = Field(default_factory=list, max_length=50)
    emails: list[Email] = Field(default_factory=list, max_length=50)
    phones: list[Phone] = Field(default_factory=list, max_length=50)
    addresses: list[Address] = Field(default_factory=list, max_length=50)
    organisation: Organisation | None = Field(None, description="for a contact person: whose")
    status: Literal["active", "inactive", "prospect", "blocked"] | None = None
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$", description="ISO 4217")
    credit_limit: Decimal | None = Field(None, description="in `currency`; a decimal string in JSON")
    owner: Text | None = Field(None, max_length=200, description="the salesperson or team in charge")
    language: str | None = Field(None, max_length=35, description="BCP 47")
    website: str | None = Field(None, max_length=300)
    tags: list[str] = Field(default_factory=list, max_length=200)
    consents: list[Consent] = Field(default_factory=list, max_length=50)
    external_ids: dict[str, str] = Field(default_factory=dict, description="the customer's ids in further systems")
    attributes: dict[str, Any] = Field(default_factory=dict, description="declared under `attributes:` in kehu.yaml")
    source_created_at: datetime | None = None
    source_changed_at: datetime | None = Field(None, description="the source's own change stamp; rules 'most recent'")
    last_contact_at: datetime | None = None

    @model_validator(mode="after")
    def _identifies_somebody(self) -> Customer:
        if not (self.name or self.emails or self.phones or self.identifiers):
            raise ValueError("a customer needs a name, an email, a phone or an identifier")
        return self
