"""What every reader yields: a row with its place in the file, or the reason why there is none."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

import orjson

from connectors.errors import RecordRejected

EXCERPT = 2000
"""Characters of an unreadable row that are kept for the person who has to correct it."""

REMEDY = "Correct the row in the file; it is read again when the file is saved."

Row = dict[str, Any]


class BadRow:
    """Something that should have been a row: why it is none, and its beginning as it stands in the file.

    ``partial`` are the columns as far as they can be made out, for its key: what is stored of the row from
    before is then known to be rejected today, and not taken for deleted.
    """

    __slots__ = ("partial", "reason", "text")

    def __init__(self, reason: RecordRejected, text: str) -> None:
        self.reason = reason
        self.text = printable(text[:EXCERPT])
        self.partial: Row | None = None

    def body(self, file: str, line: int) -> bytes:
        """What is kept of it, as JSON."""
        return orjson.dumps({"file": file, "line": line, "text": self.text})


Numbered = tuple[int, "Row | BadRow"]
"""The line (text), row (sheet) or element (JSON) number from 1, and what stands there."""

Rows = Iterator[Numbered]


class Reader(Protocol):
    """An open file of any format."""

    columns: list[str]
    """The column names as far as the format tells them; empty where each row names its own fields."""

    def rows(self) -> Rows:
        """All rows from the first, in the same order each time."""


def bad_row(text: str, template: str, *, path: str = "", **params: Any) -> BadRow:
    """A rejected row with the reason ``template``; only a short excerpt of ``text`` goes into it."""
    excerpt = text[:EXCERPT]
    reason = RecordRejected(template, path=path, value=printable(excerpt), remedy=REMEDY, **params)
    return BadRow(reason, excerpt)


def printable(text: str) -> str:
    """A text that may hold undecodable bytes or NULs, as one that can be shown and stored: those as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def encode(row: Row) -> bytes | BadRow:
    """The row as JSON in UTF-8; a bad row where JSON, or a database's text, cannot hold it."""
    try:
        body = orjson.dumps(row, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        return _unencodable(row, error)
    if b"\\u0000" in body and _has_nul(row):
        return bad_row(_shown(row), "The row holds a NUL character.")
    return body


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    raise TypeError(f"values of type {type(value).__name__} cannot be stored")


def _unencodable(row: Row, error: Exception) -> BadRow:
    for name, value in row.items():
        if isinstance(value, str) and not _is_unicode(value):
            return bad_row(
                _shown(row), "The field {path} holds bytes that are not in the file's encoding.", path=printable(name)
            )
    return bad_row(_shown(row), "The row cannot be stored as JSON: {reason}.", reason=str(error)[:100])


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_has_nul(inner) for inner in value)
    return False


def _shown(row: Row) -> str:
    """The row's beginning for a person to recognise it."""
    shown = ""
    for name, value in row.items():
        text = value[:100] if isinstance(value, str) else type(value).__name__
        shown += f"{name}: {text}\n"
        if len(shown) > EXCERPT:
            break
    return shown
