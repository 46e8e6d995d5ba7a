"""The fields of a stream, as far as a sample of its records shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from connectors.contract import Field

MAX_FIELDS = 500
MAX_DEPTH = 4
SAMPLE = 50

_TYPES = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}


def fields_of(bodies: Iterable[bytes]) -> tuple[Field, ...]:
    """Fields by path (members of objects by dots) in the order of their first appearance, with their types."""
    seen: dict[str, str] = {}
    for body in bodies:
        for path, kind in _walk(orjson.loads(body), "", 1):
            if path in seen or len(seen) < MAX_FIELDS:
                seen[path] = _both(seen.get(path), kind)
    return tuple(Field(path, kind) for path, kind in seen.items())


def _walk(record: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        path = prefix + name
        yield path, _TYPES.get(type(value), "null")
        if isinstance(value, dict) and depth < MAX_DEPTH:
            yield from _walk(value, path + ".", depth + 1)


def _both(one: str | None, other: str) -> str:
    if one is None or one in ("null", other):
        return other
    return one if other == "null" else "any"
