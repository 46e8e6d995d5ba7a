"""Durations as they are written in ``kehu.yaml``: 30s, 5m, 1h, 2d, 1w."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)


def seconds(value: object) -> object:
    """A duration as seconds: ``30s``, ``5m``, ``1h``, ``2d``, ``1w``, a number, or ``never`` (None)."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = str(value).strip().lower()
    if text == "never":
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("a duration is written like 30s, 5m, 1h, 2d or never")
    return float(match[1]) * _UNITS[match[2]]


def written(duration: float | None) -> str:
    """Seconds as a duration is written in the file, in the largest unit that counts them in whole numbers."""
    if duration is None:
        return "never"
    unit = next((unit for unit in "dhm" if duration and duration % _UNITS[unit] == 0), "s")
    return f"{duration / _UNITS[unit]:.15g}{unit}"


_AS_WRITTEN = PlainSerializer(written, return_type=str, when_used="json")
Every = Annotated[Annotated[float, Field(ge=1, le=31_536_000)] | None, BeforeValidator(seconds), _AS_WRITTEN]
Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=31_536_000), _AS_WRITTEN]
