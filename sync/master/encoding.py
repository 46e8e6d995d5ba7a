"""How values go to PostgreSQL in a prepared statement: their bytes, types and formats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

BINARY, TEXT = 1, 0


class Unsupported(Exception):
    """A value that only a cursor can send."""


class Packed(bytes):
    """A value in the binary format of the type that the statement says (``$1::bigint[]``)."""


_INTEGERS = {int}


def array_of(values: Sequence[Any]) -> str:
    """Values as a PostgreSQL array literal. Raises Unsupported."""
    if set(map(type, values)) == _INTEGERS:
        return "{" + ",".join(map(str, values)) + "}"
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if type(value) is int or type(value) is float:
        return repr(value)
    if type(value) is str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if type(value) is bytes:
        return f'"\\\\x{value.hex()}"'
    if type(value) is datetime and value.tzinfo is not None:
        return f'"{value.isoformat()}"'
    raise Unsupported


_Encoded = tuple[list[bytes | None], tuple[int, ...], list[int] | None]


def encoded(values: Sequence[Any]) -> _Encoded:
    """How values go out: their bytes, the numbers of their types as psycopg tells them to the server (0: the server may
    choose), and their formats, None if all are text. Raises Unsupported.
    """
    data: list[bytes | None] = []
    types: list[int] = []
    binary = False
    for value in values:
        kind = type(value)
        if kind is str:
            text = value.encode()
            if b"\x00" in text:  # the server would see the text before it only
                raise Unsupported
            data.append(text)
            types.append(0)
        elif kind is int and _LOWEST <= value <= _HIGHEST:
            data.append(b"%d" % value)
            types.append(20)
        elif value is None:
            data.append(None)
            types.append(0)
        else:
            data.append(_rarer(value, kind))
            types.append(_RARER[kind])
            binary |= kind in _BINARY
    formats = [BINARY if type(value) in _BINARY else TEXT for value in values] if binary else None
    return data, tuple(types), formats


_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_RARER = {bool: 16, float: 701, bytes: 17, Packed: 0, datetime: 1184}
_BINARY = frozenset({bytes, Packed})


_latest: tuple[datetime | None, bytes] = (None, b"")


def _moment(value: datetime) -> bytes:
    """A unit of work writes the same moment in many places."""
    global _latest
    known, text = _latest
    if known is not value:
        text = value.isoformat().encode()
        _latest = value, text
    return text


def _rarer(value: Any, kind: type) -> bytes:
    if kind in _BINARY:
        return bytes(value)
    if kind is datetime and value.tzinfo is not None:
        return _moment(value)
    if kind is bool:
        return b"t" if value else b"f"
    if kind is float:
        return repr(value).encode()
    raise Unsupported
