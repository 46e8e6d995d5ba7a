"""The bounds of a backfill in the form in which a cursor column keeps its values."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from typing import Any

from connectors.errors import BadConfiguration


def bound_like(example: Any, when: datetime, zone: tzinfo) -> Any:
    """``when`` as a value that compares with ``example``; raises BadConfiguration if those are no times."""
    if example is None:
        return when.astimezone(zone).replace(tzinfo=None)
    if isinstance(example, datetime):
        return when if example.tzinfo is not None else when.astimezone(zone).replace(tzinfo=None)
    if isinstance(example, date):
        return when.astimezone(zone).date()
    if isinstance(example, str) and example[:4].isdigit() and example[4:5] == "-":
        return _text_like(example, when, zone)
    raise BadConfiguration(
        "The cursor column holds no times, so a backfill cannot be bounded by them.",
        setting="cursor",
        remedy="Run a full sync of the stream instead.",
    )


def _text_like(example: str, when: datetime, zone: tzinfo) -> str:
    in_utc = example.endswith(("Z", "UTC", "+00:00", "+00"))
    local = when.astimezone(UTC if in_utc else zone)
    if len(example) <= 10:
        return local.date().isoformat()
    return f"{local.date().isoformat()}{example[10]}{local.strftime('%H:%M:%S')}"
