"""Tryton's tagged JSON values, and rows with dotted fields made into nested documents.

Values that JSON lacks travel as objects with ``__class__`` (trytond/protocols/jsonrpc.py): ``datetime``, ``date``,
``time``, ``timedelta``, ``Decimal``, ``bytes``. Fields asked for as ``addresses.city`` come back under
``addresses.`` as one object or a list of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

BOOLEANS = frozenset({"active", "invoice", "delivery"})
"""Boolean fields; SQLite databases answer them as 0 and 1."""


def plain(value: Any) -> Any:
    """The value in plain JSON: stamps in ISO 8601 UTC, decimals as strings, dotted fields nested."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "__class__" in value:
        return _untagged(value)
    nested = {name.rstrip("."): plain(item) for name, item in value.items() if name.endswith(".")}
    flat = {name: plain(item) for name, item in value.items() if not name.endswith(".")}
    merged = flat | nested
    return {name: bool(item) if name in BOOLEANS and item in (0, 1) else item for name, item in merged.items()}


def stamp_of(value: Any) -> str | None:
    """A tagged datetime in ISO 8601 UTC with microseconds (as fixed-width text it sorts by time), or None."""
    found = plain(value)
    return found if isinstance(found, str) else None


def tagged(stamp: str) -> dict[str, Any]:
    """An ISO 8601 stamp as Tryton wants it in a domain."""
    when = datetime.fromisoformat(stamp).astimezone(UTC)
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{part: getattr(when, part) for part in parts}}


def _untagged(value: Mapping[str, Any]) -> Any:
    """The value of a tagged object; an unknown or malformed tag is kept as it came."""
    try:
        return _READERS[value["__class__"]](value)
    except (KeyError, TypeError, ValueError):
        return dict(value)


def _datetime(value: Mapping[str, Any]) -> str:
    moment = datetime(
        value["year"],
        value["month"],
        value["day"],
        value["hour"],
        value["minute"],
        value["second"],
        value.get("microsecond", 0),
        tzinfo=UTC,
    )
    return moment.isoformat(timespec="microseconds")


def _date(value: Mapping[str, Any]) -> str:
    return date(value["year"], value["month"], value["day"]).isoformat()


def _time(value: Mapping[str, Any]) -> str:
    return time(value["hour"], value["minute"], value["second"], value.get("microsecond", 0)).isoformat()


_READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "datetime": _datetime,
    "date": _date,
    "time": _time,
    "timedelta": lambda value: value["seconds"],
    "Decimal": lambda value: str(value["decimal"]),
    "bytes": lambda value: str(value["base64"]).replace("\n", ""),
}
