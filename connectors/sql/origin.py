"""Where a stream's rows come from: a table, a view or a statement, with its columns and key as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Inspector,
    and_,
    column,
    exc,
    inspect,
    or_,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.types import JSON as JSON_TYPE
from sqlalchemy.types import Boolean, Date, DateTime, Numeric, String, TypeEngine

from connectors.contract import Field
from connectors.documents import nearest
from connectors.errors import BadConfiguration
from connectors.sql.config import SqlStream

_ROW_VALUES = frozenset({"postgresql", "sqlite", "mysql", "mariadb"})
"""Databases that compare (a, b) > (x, y) as such, with an index; others get the condition written out."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What can be read. ``unique`` tells that the database itself guarantees the key."""

    source: FromClause
    columns: Sequence[str]
    key: Sequence[str]
    unique: bool
    fields: Sequence[Field] = ()
    times: frozenset[str] = field(default_factory=frozenset)
    comment: str = ""

    def key_parts(self) -> list[ColumnElement[Any]]:
        """The key's columns."""
        return [self.source.c[name] for name in self.key]


def find_origin(connection: Connection, stream: SqlStream) -> Origin:
    """What the stream reads. Raises BadConfiguration for a table or column that is not there."""
    found = _statement(connection, stream) if stream.select is not None else _table(connection, stream)
    _require(found.columns, "key", found.key)
    for setting, name in (("cursor", stream.cursor), ("deleted", stream.deleted), ("idempotency", stream.idempotency)):
        if name is not None:
            _require(found.columns, setting, [name])
    if stream.columns is None:
        return found
    _require(found.columns, "columns", stream.columns)
    needed = [*stream.columns, *found.key, *filter(None, (stream.cursor, stream.deleted))]
    chosen = list(dict.fromkeys(needed))
    return Origin(
        found.source, chosen, found.key, found.unique, [f for f in found.fields if f.path in chosen], found.times
    )


def tables_with_keys(connection: Connection) -> Iterator[str]:
    """All tables of the default schema that have a primary key."""
    inspector = inspect(connection)
    for name in sorted(inspector.get_table_names()):
        if inspector.get_pk_constraint(name)["constrained_columns"]:
            yield name


def after(dialect: str, columns: Sequence[ColumnElement[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    """The condition for rows that come after ``values`` in the order of ``columns``."""
    if dialect in _ROW_VALUES and len(columns) > 1:
        return tuple_(*columns) > tuple_(*values)
    return or_(
        *(
            and_(*(columns[i] == values[i] for i in range(place)), columns[place] > values[place])
            for place in range(len(columns))
        )
    )


def _table(connection: Connection, stream: SqlStream) -> Origin:
    assert stream.table is not None  # noqa: S101 - the configuration's model sees to it
    inspector = inspect(connection)
    schema, _, name = stream.table.rpartition(".")
    try:
        described = inspector.get_columns(name, schema or None)
    except exc.NoSuchTableError:
        raise _no_table(inspector, stream.table, schema or None) from None
    primary = list(inspector.get_pk_constraint(name, schema or None)["constrained_columns"])
    key = stream.key_columns or primary
    if not key:
        raise BadConfiguration(
            "{table} has no primary key.", setting="key", remedy="Set `key` for this stream.", table=stream.table
        )
    names = [str(one["name"]) for one in described]
    return Origin(
        table(name, *(column(one) for one in names), schema=schema or None),
        names,
        key,
        set(key) == set(primary) or _is_unique(inspector, name, schema or None, key, described),
        [Field(str(one["name"]), _type(one["type"]), str(one.get("comment") or "")) for one in described],
        frozenset(str(one["name"]) for one in described if isinstance(one["type"], Date | DateTime)),
        _comment(inspector, name, schema or None),
    )


def _is_unique(inspector: Inspector, name: str, schema: str | None, key: Sequence[str], described: Any) -> bool:
    """Whether a unique constraint covers exactly the key, and none of its columns may be null."""
    nullable = {one["name"] for one in described if one["nullable"]}
    if nullable & set(key):
        return False
    constraints = [set(found["column_names"]) for found in inspector.get_unique_constraints(name, schema)]
    indexes = [set(found["column_names"]) for found in inspector.get_indexes(name, schema) if found["unique"]]
    return set(key) in constraints or set(key) in indexes


def _comment(inspector: Inspector, name: str, schema: str | None) -> str:
    try:
        return str(inspector.get_table_comment(name, schema)["text"] or "")
    except (NotImplementedError, exc.NoSuchTableError):
        return ""


def _statement(connection: Connection, stream: SqlStream) -> Origin:
    assert stream.select is not None  # noqa: S101 - the caller looked
    plain = text(stream.select.replace(":", "\\:"))
    names = list(connection.execute(select(text("*")).select_from(plain.columns().subquery("s")).limit(0)).keys())
    if len(set(names)) != len(names):
        raise BadConfiguration(
            "The statement has two columns of the same name.", setting="select", remedy="Name them with AS."
        )
    source = plain.columns(*(column(name) for name in names)).subquery("s")
    return Origin(source, names, stream.key_columns, False, [Field(name) for name in names])


def _require(columns: Sequence[str], setting: str, names: Sequence[str]) -> None:
    for name in names:
        if name not in columns:
            raise BadConfiguration(
                "There is no column {column}. Nearest: {nearest}.",
                setting=setting,
                remedy="Write the column's name as the database does, including case.",
                column=name[:80],
                nearest=nearest(name, list(columns)) or ", ".join(columns)[:200],
            )


def _no_table(inspector: Inspector, name: str, schema: str | None) -> BadConfiguration:
    there = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    return BadConfiguration(
        "There is no table or view {table}. Nearest: {nearest}.",
        setting="table",
        remedy="Correct the name, or grant the user the right to see it.",
        table=name,
        nearest=nearest(name, there) or ", ".join(sorted(there))[:200] or "-",
    )


def _type(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, Boolean):
        return "boolean"
    if isinstance(kind, Numeric):
        return "any"
    if isinstance(kind, String | Date | DateTime):
        return "string"
    if isinstance(kind, JSON_TYPE):
        return "any"
    return "number" if kind.__class__.__name__.upper().endswith(("INT", "INTEGER", "SERIAL")) else "any"
