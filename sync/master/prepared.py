"""Prepared statements straight through libpq, for PostgreSQL.

Most of our statements touch a few rows by index: the server needs less time for one than a driver's cursor, which
waits in the event loop of the operating system, keeps states and adapts types (measured: 55 against 4 µs of our own
processor for one value). What the cursor can and this cannot (rare types of values, NUL in a text) is left to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import OperationalError, errors, pq
from psycopg.adapt import Transformer

Row = tuple[Any, ...]

_MOST = 400
"""So many statements of a connection are prepared; there are fewer in all the program."""
_BINARY, _TEXT = 1, 0
_IDLE = int(pq.TransactionStatus.IDLE)
_DONE = frozenset({int(pq.ExecStatus.TUPLES_OK), int(pq.ExecStatus.COMMAND_OK)})


class Unsupported(Exception):
    """A value that only a cursor can send."""


class Statements:
    """The prepared statements of one connection. Used by one thread at a time, like the connection.

    On a connection whose driver prepares statements too none is prepared here: whenever a transaction is rolled back,
    it would throw away all there are.
    """

    def __init__(self, driver: Any) -> None:
        self._pgconn: Any = driver.pgconn
        self._most = _MOST if driver.prepare_threshold is None else 0
        self._loader: Any = Transformer(driver)
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def fetch(self, statement: str, values: Sequence[Any]) -> list[Row]:
        """All rows of a statement with ``$1``, ``$2``, … for values. Raises as a cursor does; Unsupported before
        anything was sent.
        """
        result = self._execute(statement, values)
        if not result.ntuples:
            return []
        self._loader.set_pgresult(result)
        rows: list[Row] = self._loader.load_rows(0, result.ntuples, tuple)
        return rows

    def run(self, statement: str, values: Sequence[Any]) -> int:
        """The same, answering how many rows it touched."""
        return self._execute(statement, values).command_tuples or 0

    def run_packed(self, statement: str, arrays: Sequence[bytes]) -> int:
        """The same with values that are packed already, in the types that the statement says (``$1::text[]``)."""
        return self._send(statement, list(arrays), (0,) * len(arrays), [_BINARY] * len(arrays)).command_tuples or 0

    def _execute(self, statement: str, values: Sequence[Any]) -> Any:
        return self._send(statement, *_encoded(values))

    def _send(self, statement: str, data: list[bytes | None], types: tuple[int, ...], formats: list[int] | None) -> Any:
        pgconn = self._pgconn
        if pgconn.transaction_status == _IDLE:
            self._checked(pgconn.exec_(b"BEGIN"))
        name = self._names.get((statement, types)) or self._prepared(statement, types)
        if name is None:
            return self._checked(pgconn.exec_params(statement.encode(), data, types, formats))
        return self._checked(pgconn.exec_prepared(name, data, formats))

    def _prepared(self, statement: str, types: tuple[int, ...]) -> bytes | None:
        if len(self._names) >= self._most:
            return None
        name = b"kehu_%d" % len(self._names)
        self._checked(self._pgconn.prepare(name, statement.encode(), types))
        self._names[statement, types] = name
        return name

    def _checked(self, result: Any) -> Any:
        if result.status in _DONE:
            return result
        if self._pgconn.status == pq.ConnStatus.BAD:
            raise OperationalError(result.get_error_message("utf-8") or "the connection is lost")
        raise errors.error_from_result(result)


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


_Sent = tuple[list[bytes | None], tuple[int, ...], list[int] | None]


def _encoded(values: Sequence[Any]) -> _Sent:
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
            binary |= kind is bytes
    formats = [_BINARY if kind == _BYTEA else _TEXT for kind in types] if binary else None
    return data, tuple(types), formats


_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_BYTEA = 17
_RARER = {bool: 16, float: 701, bytes: _BYTEA, datetime: 1184}


def _rarer(value: Any, kind: type) -> bytes:
    if kind is bytes:
        return bytes(value)
    if kind is datetime and value.tzinfo is not None:
        return str(value.isoformat()).encode()
    if kind is bool:
        return b"t" if value else b"f"
    if kind is float:
        return repr(value).encode()
    raise Unsupported
