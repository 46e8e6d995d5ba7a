"""Values as OData writes them: literals in URLs, dates and navigation properties in the JSON of version 2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from connectors.incremental import parse_stamp

_TIME = re.compile(r"^PT(\d{2})H(\d{2})M(\d{2})(?:\.\d+)?S$")
_DATE = re.compile(r"^/Date\(-?\d+(?:[+-]\d{1,4})?\)/$")
_OFFSET = re.compile(r"[+-]\d{1,4}\)/$")


def text(value: str) -> str:
    """A string literal: in single quotes, those inside doubled (both versions)."""
    return "'" + value.replace("'", "''") + "'"


def path_text(value: str) -> str:
    """A string literal for the path of a URL, percent-encoded, e.g. as a key."""
    return quote(text(value), safe="'")


def v4_stamp(moment: datetime, timespec: str = "seconds") -> str:
    """An ``Edm.DateTimeOffset`` of version 4, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def v2_stamp(moment: datetime) -> str:
    """An ``Edm.DateTime`` of version 2, in UTC, to the second."""
    return f"datetime'{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}'"


def url(path: str, params: Mapping[str, Any] | None = None) -> str:
    """A path with query options. All is percent-encoded, blanks as ``%20``: some gateways take neither + nor $."""
    given = [(name, value) for name, value in (params or {}).items() if value is not None and value != ""]
    query = "&".join(f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in given)
    return f"{path}?{query}" if query else path


def plain_v2(value: Any) -> Any:
    """A value of version 2 as plain JSON.

    ``{"results": […]}`` becomes the list, dates ISO 8601 in UTC, times ``HH:MM:SS``; navigation properties that were
    not expanded and ``__metadata`` go.
    """
    if isinstance(value, Mapping):
        if isinstance(value.get("results"), list) and set(value) <= {"results", "__count", "__next"}:
            return [plain_v2(item) for item in value["results"]]
        return {name: plain_v2(item) for name, item in value.items() if name != "__metadata" and not _deferred(item)}
    if isinstance(value, list):
        return [plain_v2(item) for item in value]
    return _plain_text(value) if isinstance(value, str) else value


def v2_moment(date: Any, time: Any = None) -> datetime | None:
    """The point in time of a date and a time of day as version 2 writes them; None without a date."""
    day = parse_stamp(_OFFSET.sub(")/", date)) if isinstance(date, str) else None
    if day is None:
        return None
    hours, minutes, seconds = _clock(time) or (0, 0, 0)
    return day.replace(hour=hours, minute=minutes, second=seconds) if (hours, minutes, seconds) != (0, 0, 0) else day


def _deferred(value: Any) -> bool:
    return isinstance(value, Mapping) and "__deferred" in value


def _plain_text(value: str) -> str | None:
    if _DATE.match(value):
        moment = v2_moment(value)
        return None if moment is None else moment.isoformat()
    clock = _clock(value)
    return value if clock is None else "{:02}:{:02}:{:02}".format(*clock)


def _clock(value: Any) -> tuple[int, int, int] | None:
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups())
    return (hours, minutes, seconds) if hours < 24 and minutes < 60 and seconds < 60 else None
