"""What an export is asked to hold, and in which form."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import orjson

from mappings.survivorship import FIELDS
from sync.errors import Misused

TOP = ("id", "version", "status", "kind", "name", "members", "updated_at", "joined", "former_ids", "golden")
"""What is known of a customer; ``golden.NAME`` is a field of the golden record."""
COLUMNS = (
    *TOP[:7],
    *(f"golden.{name}" for name in FIELDS if name not in ("kind", "name")),
)
"""The columns of a table unless others are chosen."""
MOST_FIELDS = 100


class Format(StrEnum):
    """The form of the file."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class Encoding(StrEnum):
    """How the text of a CSV file is encoded: UTF-8 with byte order mark, or GBK for older programs in China."""

    UTF8 = "utf-8"
    GBK = "gbk"


class Request(NamedTuple):
    """All filters must fit. ``fields`` None: all. Make it with ``checked``."""

    format: Format = Format.NDJSON
    encoding: Encoding = Encoding.UTF8
    status: str = "active"
    kind: str | None = None
    tag: str | None = None
    connection: str | None = None
    fields: tuple[str, ...] | None = None
    masked: bool = False

    @property
    def chosen(self) -> tuple[str, ...]:
        """The fields to write, in order; a table has one for each field of the golden record."""
        if self.format is Format.NDJSON:
            return self.fields or TOP
        if self.fields is None:
            return COLUMNS
        whole = [f"golden.{name}" for name in FIELDS]
        return tuple(dict.fromkeys(one for name in self.fields for one in (whole if name == "golden" else [name])))

    @property
    def filters(self) -> dict[str, str]:
        """The filters that were given."""
        given = {"status": self.status, "kind": self.kind, "tag": self.tag, "connection": self.connection}
        return {name: value for name, value in given.items() if value is not None}

    def json(self) -> str:
        """As it is stored."""
        return orjson.dumps(self._asdict()).decode()


def stored(text: str) -> Request:
    """The inverse of ``Request.json``."""
    data = orjson.loads(text)
    fields = data.pop("fields")
    form, encoding = Format(data.pop("format")), Encoding(data.pop("encoding"))
    return Request(format=form, encoding=encoding, fields=None if fields is None else tuple(fields), **data)


def checked(request: Request) -> Request:
    """The request itself. Raises Misused for a field there is not, or GBK for anything but CSV."""
    fields = request.fields
    if fields is not None:
        request = request._replace(fields=_fields(fields))
    if request.encoding is Encoding.GBK and request.format is not Format.CSV:
        raise Misused(
            "Only CSV can be written in {encoding}.",
            encoding=request.encoding.value,
            remedy="Leave the encoding out, or choose the format csv.",
        )
    return request


def _fields(names: Sequence[str]) -> tuple[str, ...] | None:
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))[:MOST_FIELDS]
    for name in found:
        outer, _, inner = name.partition(".")
        if outer not in TOP or ("." in name and (outer != "golden" or inner not in FIELDS)):
            raise Misused(
                "There is no field {name}. There are: {known}.",
                name=name[:60],
                known=", ".join((*TOP, *(f"golden.{field}" for field in FIELDS))),
                remedy="Leave it out, or correct it.",
            )
    return found or None
