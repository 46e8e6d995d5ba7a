"""The settings of a files connection; the help texts become the form on the dashboard."""

from __future__ import annotations

import codecs
from enum import StrEnum

from pydantic import Field, field_validator, model_validator

from connectors.contract import Config, Deletes

MEGABYTE = 1_000_000


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    TSV = "tsv"
    EXCEL = "excel"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"


class Shape(StrEnum):
    """What the files of a stream are to each other."""

    SNAPSHOT = "snapshot"
    APPEND = "append"


class Limits(Config):
    """What a file may ask of us at most. All are checked before anything is unpacked or held in memory."""

    file_mb: int = Field(1000, ge=1, description="Largest file, in megabytes.")
    excel_mb: int = Field(100, ge=1, description="Largest Excel file, in megabytes; sheets are held in memory.")
    json_mb: int = Field(64, ge=1, description="Longest element of a JSON array, together with blanks, in MB.")
    cells: int = Field(20_000_000, ge=1, description="Most cells of one Excel sheet, empty ones included.")
    unpacked_mb: int = Field(1000, ge=1, description="Largest size of an Excel file once unpacked, in megabytes.")
    entries: int = Field(5000, ge=1, description="Most parts inside an Excel file.")
    ratio: int = Field(200, ge=10, description="How many times larger than packed a part may be once unpacked.")
    row_chars: int = Field(1_000_000, ge=100, description="Longest row or line, in characters.")
    cell_chars: int = Field(131_072, ge=10, le=131_072, description="Longest cell, in characters.")
    files: int = Field(1500, ge=1, le=1500, description="Most files of one stream.")


class StreamConfig(Config):
    """One stream: which files, and whatever should not be found out by looking at them."""

    path: str | list[str] = Field(
        description="A file, a folder or a pattern such as exports/*.csv; relative to the project folder."
    )
    format: Format | None = Field(None, description="How the files are written; else by their names.")
    sheet: str | int | None = Field(None, description="Excel: the sheet's name or number from 1; else the first.")
    encoding: str | None = Field(None, description="The character encoding, e.g. gb18030; else it is found out.")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="What separates the columns.")
    quote: str | None = Field(None, min_length=1, max_length=1, description="What encloses cells; else found out.")
    header: int | bool | None = Field(
        None, description="The line (sheet row) from 1 with the column names; false if there is none."
    )
    columns: list[str] | None = Field(None, min_length=1, description="Column names, instead of the header's.")
    key: str | list[str] | None = Field(
        None, description="The column or columns that identify a row; strongly recommended."
    )
    shape: Shape = Field(
        Shape.SNAPSHOT,
        description="snapshot: the files together are the whole truth; append: each brings news.",
    )
    deletes: Deletes | None = Field(
        None, description="sweep: rows that are gone count as deleted; none: they stay. By default by the shape."
    )

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            info = codecs.lookup(value)
            if not info._is_text_encoding:
                raise LookupError(value)
            info.incrementaldecoder(errors="strict").decode(b"")
        except (LookupError, ValueError, TypeError):
            raise ValueError(f"there is no encoding {value[:40]}; try utf-8, gb18030, big5 or cp1252") from None
        return value

    @field_validator("deletes")
    @classmethod
    def _no_feed(cls, value: Deletes | None) -> Deletes | None:
        if value is Deletes.FEED:
            raise ValueError("files tell no deletes by themselves: sweep or none")
        return value

    @property
    def paths(self) -> list[str]:
        """The patterns as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)

    @property
    def key_columns(self) -> list[str]:
        """The configured key columns; empty when they are to be found out."""
        if self.key is None:
            return []
        return [self.key] if isinstance(self.key, str) else list(self.key)

    @property
    def how_deleted(self) -> Deletes:
        """How deletes become known: as configured, else by the stream's shape."""
        if self.deletes is not None:
            return self.deletes
        return Deletes.SWEEP if self.shape is Shape.SNAPSHOT else Deletes.NONE


class FilesConfig(Config):
    """A files connection: named streams, or a path whose files become one stream each."""

    streams: dict[str, StreamConfig | str] = Field(
        examples=[{"customers": {"path": "customers.csv", "key": "id"}}],
        default_factory=dict,
        description="Streams by name, each with its path and settings (or only the path).",
    )
    path: str | None = Field(
        None, description="A file or folder whose data files become one stream each, named like the file."
    )
    outside: bool = Field(False, description="Allow paths outside the project folder.")
    settle_seconds: float = Field(
        2.0, ge=0, le=60, description="A file changed less than this long ago may still be being written."
    )
    limits: Limits = Field(
        default_factory=lambda: Limits.model_validate({}), description="What a file may ask of us at most."
    )

    @model_validator(mode="after")
    def _has_something(self) -> FilesConfig:
        if not self.streams and self.path is None:
            raise ValueError("give either streams or a path")
        return self
