"""Database values as JSON, as parts of keys, and as positions that come back with their type."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from connectors.errors import RecordRejected
from connectors.sql.config import SqlConfig

LONGEST_KEY = 200
MOST_BYTES = 4_000_000
"""Largest row as JSON: a row with a larger one (documents, pictures) is rejected; choose `columns`."""

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)(?:([ T])(\d\d:\d\d(?::\d\d)?)(\.\d+)?(\s?(?:Z|UTC|[+-]\d\d(?::?\d\d)?))?)?$")


class Encoder:
    """Turns rows into JSON by the connection's settings."""

    def __init__(self, config: SqlConfig) -> None:
        self.zone = ZoneInfo(config.time_zone)
        self._bytes = config.bytes
        self._exact = config.decimals == "number"
        self._latest: tuple[Any, str | None] = (None, None)

    def body(self, row: Mapping[str, Any]) -> bytes:
        """The row as one JSON object. Raises RecordRejected if JSON or a database's text cannot hold it."""
        try:
            body = orjson.dumps(row, default=self._plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            raise _rejected(row, error) from None
        if len(body) > MOST_BYTES:
            raise RecordRejected(
                "The row is larger than {limit} bytes.", limit=MOST_BYTES, remedy="Leave large `columns` out."
            )
        if b"\\u0000" in body:
            _refuse_nul(row)
        return body

    def stamp(self, value: Any) -> str | None:
        """A change stamp as ISO 8601 in UTC; None if the value is no time."""
        latest = self._latest
        if value != latest[0]:
            self._latest = latest = (value, self._stamp(value))
        return latest[1]

    def _stamp(self, value: Any) -> str | None:
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, datetime):
            return self._utc(value)
        if isinstance(value, date):
            return self._utc(datetime(value.year, value.month, value.day, tzinfo=self.zone))
        return None

    def _plain(self, value: Any) -> Any:
        for kind, convert in self._conversions:
            if isinstance(value, kind):
                return convert(self, value)
        return str(value)

    def _utc(self, value: datetime) -> str:
        try:
            aware = value if value.tzinfo is not None else value.replace(tzinfo=self.zone)
            return aware.astimezone(UTC).isoformat()
        except OverflowError:
            return value.isoformat()

    def _decimal(self, value: Decimal) -> Any:
        text = format(value, "f") if value.is_finite() else str(value)
        return orjson.Fragment(text.encode()) if self._exact and value.is_finite() else text

    def _binary(self, value: bytes | bytearray | memoryview) -> str:
        data = bytes(value)
        if self._bytes == "base64":
            return base64.b64encode(data).decode("ascii")
        return data.hex() if self._bytes == "hex" else data.decode(self._bytes)

    _conversions: tuple[tuple[Any, Callable[[Encoder, Any], Any]], ...] = (
        (datetime, _utc),
        (date | time, lambda _, value: value.isoformat()),
        (Decimal, _decimal),
        (bytes | bytearray | memoryview, _binary),
        (timedelta, lambda _, value: value.total_seconds()),
        (set | frozenset, lambda _, value: sorted(map(str, value))),
        (tuple, lambda _, value: list(value)),
    )


def key_of(values: Sequence[Any]) -> str:
    """The key of a row. Raises RecordRejected for one that is empty or too long."""
    parts = [key_part(value) for value in values]
    if "" in parts:
        raise RecordRejected("A key column is empty.", rule="every row needs its key")
    key = parts[0] if len(parts) == 1 else "|".join(p.replace("\\", "\\\\").replace("|", "\\|") for p in parts)
    if len(key) > LONGEST_KEY:
        raise RecordRejected("The key is longer than {limit} characters.", limit=LONGEST_KEY, value=key[:80])
    return key


def key_part(value: Any) -> str:
    """One column's value as part of a key: the same text for the same value always."""
    if value is None:
        return ""
    if type(value) is int or type(value) is str:
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal) and value.is_finite():
        return format(value.normalize(), "f")
    return str(value)


def to_position(value: Any) -> Any:
    """A value as JSON from which ``from_position`` makes the same value of the same type."""
    for tag, kind, write, _ in _POSITIONS:
        if type(value) is kind:
            return {tag: write(value)}
    if value is None or isinstance(value, str | int | float):
        return value
    return {"text": str(value)}


def from_position(stored: Any) -> Any:
    """The value that ``to_position`` was given."""
    if not isinstance(stored, Mapping):
        return stored
    ((tag, text),) = stored.items()
    return next((read(text) for name, _, _, read in _POSITIONS if name == tag), text)


_POSITIONS: tuple[tuple[str, type, Callable[[Any], str], Callable[[str], Any]], ...] = (
    ("datetime", datetime, datetime.isoformat, datetime.fromisoformat),
    ("date", date, date.isoformat, date.fromisoformat),
    ("decimal", Decimal, str, Decimal),
    ("uuid", UUID, str, UUID),
    ("bytes", bytes, bytes.hex, bytes.fromhex),
)


def rounded_up(value: Any) -> Any:
    """A stamp that surely is not before the one it was read from: databases may count finer than Python does."""
    if isinstance(value, datetime) and value.year < 9999:
        return value + timedelta(milliseconds=1)
    return value


def step_back(value: Any, seconds: int) -> Any:
    """A cursor value ``seconds`` (or units, for numbers) earlier, in the form it was; itself if it has no order."""
    if isinstance(value, bool) or not seconds:
        return value
    if isinstance(value, int | float | Decimal):
        return value - seconds
    if isinstance(value, datetime):
        return value - timedelta(seconds=seconds) if value.year > 1 else value
    if isinstance(value, date):
        return value - timedelta(days=-(-seconds // 86_400))
    return _step_back_text(value, seconds) if isinstance(value, str) else value


def _step_back_text(text: str, seconds: int) -> str:
    """A stamp kept as text, as in SQLite, earlier: written the same way, so that texts still compare as times do."""
    match = _STAMP.match(text)
    when = _parsed(text)
    if match is None or when is None:
        return text
    if match[2] is None:
        return (when - timedelta(days=-(-seconds // 86_400))).date().isoformat()
    earlier = when.replace(tzinfo=None) - timedelta(seconds=seconds)
    clock = earlier.isoformat()[11 : 11 + len(match[3])]
    fraction = "." + "0" * (len(match[4]) - 1) if match[4] else ""
    return f"{earlier.date().isoformat()}{match[2]}{clock}{fraction}{match[5] or ''}"


def _parsed(text: str) -> datetime | None:
    if not _STAMP.match(text):
        return None
    try:
        return datetime.fromisoformat(text.replace("UTC", "+00:00").replace(" +", "+"))
    except ValueError:
        return None


def is_marked(value: Any) -> bool:
    """Whether a tombstone column's value says that the row is deleted."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "n", "no", "f", "false", "否", "null")
    return bool(value)


def _rejected(row: Mapping[str, Any], error: Exception) -> RecordRejected:
    for name, value in row.items():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                return RecordRejected("The field {path} holds bytes that are not text.", path=name)
        if isinstance(value, bytes) and isinstance(error, UnicodeError):
            return RecordRejected("The field {path} does not hold text of the configured encoding.", path=name)
    return RecordRejected("The row cannot be stored as JSON: {reason}.", reason=str(error)[:100])


def _refuse_nul(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if isinstance(value, str) and "\0" in value:
            raise RecordRejected("The field {path} holds a NUL character.", path=name)
