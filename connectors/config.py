"""Types of settings that several connectors have."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def known_zone(value: str) -> str:
    """The name of a time zone as it is; raises ``ValueError`` for one that is unknown."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be the name of a time zone, such as Asia/Shanghai") from None
    return value


ZoneName = Annotated[str, AfterValidator(known_zone)]
"""The name of a time zone, such as Asia/Shanghai."""
