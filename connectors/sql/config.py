"""The settings of a database connection; the help texts become the form on the dashboard."""

from __future__ import annotations

import codecs
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.contract import Config
from connectors.sql.statements import require_select


class SqlStream(Config):
    """One stream: a table, a view, or the rows of a SELECT statement."""

    table: str | None = Field(default=None, max_length=200, description="A table or view; schema.table where needed.")
    select: str | None = Field(default=None, max_length=20_000, description="A single SELECT (or WITH) statement.")
    key: str | list[str] | None = Field(
        default=None, description="The column or columns that identify a row; of a table by default its primary key."
    )
    cursor: str | None = Field(
        default=None,
        max_length=200,
        description="A column that grows with every change (change stamp, version); without it all rows are read.",
    )
    lookback: int = Field(
        default=300,
        ge=0,
        le=604_800,
        description="Read again at each start: seconds (units of a numeric cursor), for transactions that commit late.",
    )
    null_cursors: bool = Field(default=True, description="Also read, every time, the rows whose cursor column is null.")
    deleted: str | None = Field(
        default=None, max_length=200, description="A column that marks deleted rows (true, non-zero or a time)."
    )
    sweep: bool = Field(default=True, description="Find deletes by comparing keys, where no column marks them.")
    columns: list[str] | None = Field(default=None, min_length=1, description="Only these columns; by default all.")
    writable: bool = Field(default=False, description="Allow customers to be written into this table.")
    idempotency: str | None = Field(
        default=None,
        max_length=200,
        description="For writing: a unique text column that holds kehu's key of each row it created.",
    )

    @field_validator("select")
    @classmethod
    def _only_reads(cls, value: str | None) -> str | None:
        return None if value is None else require_select(value)

    @model_validator(mode="after")
    def _one_origin(self) -> SqlStream:
        if (self.table is None) == (self.select is None):
            raise ValueError("give either table or select")
        if self.select is not None and not self.key:
            raise ValueError("a select needs a key")
        if self.select is not None and self.writable:
            raise ValueError("only a table can be writable")
        return self

    @property
    def key_columns(self) -> list[str]:
        """The configured key; empty for the primary key."""
        if self.key is None:
            return []
        return [self.key] if isinstance(self.key, str) else list(self.key)


class SqlConfig(Config):
    """A database."""

    url: SecretStr = Field(
        description="SQLAlchemy URL, e.g. postgresql+psycopg://user:password@host/database or sqlite:///erp.db."
    )
    streams: dict[str, SqlStream | str] = Field(
        default_factory=dict,
        description="Streams by name, each with its settings or only a table's name; by default all tables that have "
        "a primary key.",
    )
    time_zone: str = Field(default="UTC", description="The zone of times that are stored without one.")
    decimals: Literal["text", "number"] = Field(
        default="text", description="Exact numbers as text (safe everywhere) or as JSON numbers of all digits."
    )
    bytes: str = Field(
        default="base64", description="Binary columns as base64, hex, or text of an encoding such as gb18030."
    )
    outside: bool = Field(default=False, description="Allow an SQLite file outside the project folder.")
    timeout: int = Field(default=60, ge=1, le=3600, description="Longest time for a connection or statement, seconds.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("a time zone is written like Asia/Shanghai or UTC") from None
        return value

    @field_validator("bytes")
    @classmethod
    def _known_bytes(cls, value: str) -> str:
        if value not in ("base64", "hex"):
            try:
                codecs.lookup(value)
            except (LookupError, ValueError):
                raise ValueError("write base64, hex or an encoding such as gb18030") from None
        return value
