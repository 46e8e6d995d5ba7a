"""Parquet by pyarrow, typed after the canonical customer; lists and parts stay lists and structs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import orjson
from pydantic import BaseModel

from mappings.customer import Customer
from sync.errors import Refused
from sync.exporting.files import Growing
from sync.exporting.reading import Row
from sync.exporting.request import Request
from sync.exporting.writing import columns, header, records

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    raise Refused(
        "Parquet needs the package pyarrow, which is not installed.",
        remedy="Install it with `pip install 'kehu[parquet]'`, or choose another format.",
    ) from None

GROUP = 5_000
"""Customers of one row group: what is held in memory."""


class Typed(NamedTuple):
    """A column's type, and what makes its value from JSON; None if JSON has it already."""

    type: Any
    convert: Callable[[Any], Any] | None = None


class ParquetWriter:
    """Gathers row groups; what is written is compressed with Zstandard."""

    def __init__(self, file: Growing, request: Request) -> None:
        self.lacking: Counter[str] = Counter()
        self._columns = columns(request)
        self._typed = [_typed(name) for name, _value in self._columns]
        fields = [pa.field(header(c[0]), t.type) for c, t in zip(self._columns, self._typed, strict=True)]
        self._schema = pa.schema(fields)
        pa.set_memory_pool(pa.system_memory_pool())  # gives back what it has freed
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[list[Any]] = []

    def write(self, rows: Sequence[Row]) -> None:
        """Some more customers."""
        self._rows += records(rows, self._columns)
        if len(self._rows) >= GROUP:
            self._flush()

    def finish(self) -> None:
        """There are no more: writes the footer."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        cells = zip(*self._rows, strict=True)
        arrays = [pa.array(_converted(t, column), type=t.type) for t, column in zip(self._typed, cells, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


def _converted(typed: Typed, cells: Sequence[Any]) -> list[Any]:
    convert = typed.convert
    return list(cells) if convert is None else [None if cell is None else convert(cell) for cell in cells]


_INSTANT = Typed(pa.timestamp("us", tz="UTC"), datetime.fromisoformat)
_JSON = Typed(pa.string(), lambda value: orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode())
_ADDRESS = ("connection", "stream", "id", "part")
_OWN: dict[str, Typed] = {
    "version": Typed(pa.int64()),
    "members": Typed(pa.int32()),
    "updated_at": _INSTANT,
    "former_ids": Typed(pa.list_(pa.string())),
    "joined": Typed(
        pa.list_(pa.struct([(name, pa.string()) for name in _ADDRESS])),
        lambda value: [dict(zip(_ADDRESS, address, strict=True)) for address in value],
    ),
}
_PLAIN: dict[Any, Typed] = {
    str: Typed(pa.string()),
    bool: Typed(pa.bool_()),
    date: Typed(pa.date32(), date.fromisoformat),
    datetime: _INSTANT,
}


def _typed(name: str) -> Typed:
    if name.startswith("golden."):
        return _of(Customer.model_fields[name.removeprefix("golden.")].annotation)
    return _OWN.get(name, _PLAIN[str])


def _of(annotation: Any) -> Typed:
    """The column type of a field of the canonical customer; what has none is JSON in a string."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _of(next(one for one in inner if one is not type(None)))
    if origin is Literal:
        return _PLAIN[str]
    if origin is list:
        return _list(_of(inner[0]))
    if annotation == dict[str, str]:
        return Typed(pa.map_(pa.string(), pa.string()), lambda value: list(value.items()))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _struct(annotation)
    return _PLAIN.get(annotation, Typed(pa.string(), str) if annotation is not Any and origin is None else _JSON)


def _list(entry: Typed) -> Typed:
    convert = entry.convert
    if convert is None:
        return Typed(pa.list_(entry.type))
    return Typed(pa.list_(entry.type), lambda entries: [convert(one) for one in entries])


def _struct(model: type[BaseModel]) -> Typed:
    parts = {name: _of(field.annotation) for name, field in model.model_fields.items()}
    kind = pa.struct([(name, part.type) for name, part in parts.items()])
    by_hand = {name: part.convert for name, part in parts.items() if part.convert is not None}
    if not by_hand:
        return Typed(kind)
    return Typed(
        kind, lambda value: {**value, **{name: made(value[name]) for name, made in by_hand.items() if name in value}}
    )
