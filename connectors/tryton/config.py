"""What a Tryton connection needs to know."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors.contract import Config


class TrytonConfig(Config):
    """Settings of one Tryton connection."""

    base_url: str = Field(description="Where the Tryton server answers, e.g. https://erp.example.com", max_length=300)
    database: str = Field(description="The name of the database", pattern=r"^[^/\s]+$", max_length=100)
    user: str = Field(description="The login of the integration user", min_length=1, max_length=100)
    password: SecretStr = Field(description="The password of the integration user")
    language: str = Field(
        "en",
        description="The language in which Tryton answers names and messages, e.g. en or zh_CN",
        pattern=r"^[a-z]{2,3}(_[A-Za-z]{2,4})?$",
    )
    contact_relations: list[str] = Field(
        default_factory=list,
        description="Names of the relation types that make a party the contact person of another, e.g. Employee of",
        max_length=50,
    )
    extra_fields: list[str] = Field(
        default_factory=list,
        description="Further fields of party.party to read, e.g. those of your own modules",
        max_length=100,
    )
