"""Writing rows: update by key, else insert once, however often the same write is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, exc, insert, literal, select, update
from sqlalchemy.sql import TableClause

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, WriteConflict
from connectors.sql.config import SqlStream
from connectors.sql.origin import Origin
from connectors.sql.values import key_of, key_part


def write_rows(connection: Connection, origin: Origin, stream: SqlStream, one: Write) -> WriteResult:
    """One write within the caller's transaction; a refused one leaves the others of the batch untouched."""
    try:
        with connection.begin_nested():
            return _written(connection, origin, stream, one)
    except RecordRejected as error:
        return WriteResult(one.key, error=error)
    except exc.IntegrityError:
        return WriteResult(one.key, error=WriteConflict("Another row of the table has the same unique value."))
    except exc.DataError:
        return WriteResult(one.key, error=RecordRejected("The table does not accept one of the values."))


def _written(connection: Connection, origin: Origin, stream: SqlStream, one: Write) -> WriteResult:
    values = _values(origin, one.body)
    if one.key is not None:
        return _update(connection, origin, stream, one, values)
    known = _known(connection, origin, stream, one, values)
    if known is not None:
        return _update(connection, origin, stream, Write(one.body, one.idempotency_key, key_of(known)), values, known)
    if stream.idempotency is not None:
        values = {**values, stream.idempotency: one.idempotency_key}
    elif not all(name in values for name in origin.key):
        raise RecordRejected(
            "A new row needs its key, or the stream an `idempotency` column.",
            path=", ".join(origin.key),
            remedy="Map the key columns, or set `idempotency` to a unique text column of the table.",
        )
    result = connection.execute(insert(_table(origin)).values(values))
    return WriteResult(key_of(_inserted(connection, origin, stream, one, values, result)), created=True)


def _known(
    connection: Connection, origin: Origin, stream: SqlStream, one: Write, values: Mapping[str, Any]
) -> Sequence[Any] | None:
    """The key of the row that this write, or an earlier try of it, already made."""
    if stream.idempotency is not None:
        condition = [origin.source.c[stream.idempotency] == one.idempotency_key]
    elif all(name in values for name in origin.key):
        condition = [origin.source.c[name] == values[name] for name in origin.key]
    else:
        return None
    row = connection.execute(select(*origin.key_parts()).where(*condition)).first()
    return None if row is None else list(row)


def _inserted(
    connection: Connection, origin: Origin, stream: SqlStream, one: Write, values: Mapping[str, Any], result: Any
) -> Sequence[Any]:
    if all(name in values for name in origin.key):
        return [values[name] for name in origin.key]
    known = _known(connection, origin, stream, one, values)
    assert known is not None  # noqa: S101 - it was inserted with the idempotency key a moment ago
    return known


def _update(
    connection: Connection,
    origin: Origin,
    stream: SqlStream,
    one: Write,
    values: Mapping[str, Any],
    known: Sequence[Any] | None = None,
) -> WriteResult:
    assert one.key is not None  # noqa: S101 - the callers see to it
    keys = known if known is not None else _split(one.key, len(origin.key))
    condition = [origin.source.c[name] == _typed(origin, name, key) for name, key in zip(origin.key, keys, strict=True)]
    changed = {name: value for name, value in values.items() if name not in origin.key}
    if not changed:
        raise RecordRejected("The write changes no column.")
    if one.expected is not None and stream.cursor is not None:
        if _is_there(connection, origin, condition, changed):
            return WriteResult(one.key)  # an earlier try was carried out, though its answer was lost
        condition.append(_version(connection, origin, stream.cursor, condition, one.expected))
    result = connection.execute(update(_table(origin)).where(*condition).values(changed))
    if result.rowcount == 0 and len(condition) > len(keys):
        raise WriteConflict("The row changed since it was read.")
    if result.rowcount == 0:
        raise WriteConflict("The row {key} is no longer there.", key=one.key[:80])
    return WriteResult(one.key)


def _is_there(connection: Connection, origin: Origin, condition: Sequence[Any], values: Mapping[str, Any]) -> bool:
    """Whether the row holds these values already."""
    same = [origin.source.c[name].is_(None) if value is None else origin.source.c[name] == value
            for name, value in values.items()]  # fmt: skip
    try:
        with connection.begin_nested():
            return connection.execute(select(literal(1)).where(*condition, *same)).first() is not None
    except exc.DBAPIError:  # a value that its column cannot even be compared with
        return False


def _version(connection: Connection, origin: Origin, cursor: str, condition: Sequence[Any], expected: str) -> Any:
    """What holds as long as the row is the one that was read, to be asked for with the update itself."""
    now = connection.execute(select(origin.source.c[cursor]).where(*condition)).scalar()
    if key_part(now) != expected:
        raise WriteConflict("The row changed since it was read.")
    return origin.source.c[cursor].is_(None) if now is None else origin.source.c[cursor] == now


def _typed(origin: Origin, name: str, value: Any) -> Any:
    """A key's part, which travels as text, in the type of its column."""
    is_number = any(field.path == name and field.type == "number" for field in origin.fields)
    try:
        return int(value) if is_number else value
    except ValueError:
        raise WriteConflict("The row {key} is no longer there.", key=str(value)[:80]) from None


def _split(key: str, parts: int) -> list[str]:
    """The column values of a key, as ``key_of`` joined them."""
    if parts == 1:
        return [key]
    found, part, escaped = [], "", False
    for sign in key:
        if escaped or sign not in "\\|":
            part, escaped = part + sign, False
        elif sign == "\\":
            escaped = True
        else:
            found.append(part)
            part = ""
    found.append(part)
    if len(found) != parts:
        raise RecordRejected("The key {key} has not {parts} parts.", key=key[:80], parts=parts)
    return found


def _values(origin: Origin, body: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(body) - set(origin.columns))
    if unknown:
        raise RecordRejected("The table has no column {column}.", path=unknown[0], column=unknown[0][:80])
    for name, value in body.items():
        if isinstance(value, dict | list):
            raise RecordRejected("The column {path} cannot hold a list or object.", path=name)
    return dict(body)


def _table(origin: Origin) -> TableClause:
    assert isinstance(origin.source, TableClause)  # noqa: S101 - only tables can be writable
    return origin.source
