"""The forms of a file: JSON lines, CSV, and (``sync.exporting.parquet``) Parquet. Each takes pages of customers."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import orjson

from sync.dedupe.cells import flat, safe
from sync.exporting.files import Growing
from sync.exporting.reading import Row, moment
from sync.exporting.request import Encoding, Format, Request
from sync.master.identity import public_id
from sync.privacy.masking import masked, masked_address, masked_name

Record = dict[str, Any]


class Writer(Protocol):
    """Writes customers into a file. ``lacking``: characters that the encoding has not, and how often they came."""

    lacking: Counter[str]

    def write(self, rows: Sequence[Row]) -> None:
        """Some more customers."""

    def finish(self) -> None:
        """There are no more."""


def writer_for(request: Request, file: Growing) -> Writer:
    """The writer of a request's format. Raises Refused where Parquet is not installed."""
    if request.format is Format.CSV:
        return CsvWriter(file, request)
    if request.format is Format.PARQUET:
        from sync.exporting.parquet import ParquetWriter

        return ParquetWriter(file, request)
    return JsonWriter(file, request)


class JsonWriter:
    """One customer a line (NDJSON, UTF-8); without masking the golden record goes out as it is stored."""

    def __init__(self, file: Growing, request: Request) -> None:
        self.lacking: Counter[str] = Counter()
        self._file, self._masked, self._fields = file, request.masked, request.chosen
        self._inner = [name.removeprefix("golden.") for name in self._fields if name.startswith("golden.")]
        self._outer = [name for name in self._fields if "." not in name]

    def write(self, rows: Sequence[Row]) -> None:
        """Some more customers."""
        option = orjson.OPT_APPEND_NEWLINE
        self._file.write(b"".join([orjson.dumps(self._line(row), option=option) for row in rows]))

    def finish(self) -> None:
        """There are no more."""

    def _line(self, row: Row) -> Record:
        line: Record = {"id": public_id(row.number)}
        for name in self._outer:
            line[name] = _OUTER[name](row, self._masked)
        if self._inner and "golden" not in line:
            golden = _golden(row, self._masked)
            line["golden"] = {name: golden[name] for name in self._inner if name in golden}
        return line


class CsvWriter:
    r"""A table that spreadsheet programs open as data: no cell is taken for a formula.

    A character that GBK lacks is written as ``\uXXXX`` and counted in ``lacking``: it is told, never lost.
    """

    def __init__(self, file: Growing, request: Request) -> None:
        self.lacking: Counter[str] = Counter()
        self._file, self._columns = file, columns(request)
        self._encoding = request.encoding
        self._send("\ufeff" if request.encoding is Encoding.UTF8 else "")
        self._lines([[header(name) for name, _value in self._columns]])

    def write(self, rows: Sequence[Row]) -> None:
        """Some more customers."""
        self._lines([[safe(flat(_readable(cell))) for cell in record] for record in records(rows, self._columns)])

    def finish(self) -> None:
        """There are no more."""

    def _lines(self, lines: Sequence[Sequence[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        self._send(text.getvalue())

    def _send(self, text: str) -> None:
        codec = self._encoding.value
        try:
            self._file.write(text.encode(codec))
        except UnicodeEncodeError:
            self._file.write(text.translate(self._escapes(text, codec)).encode(codec))

    def _escapes(self, text: str, codec: str) -> dict[int, str]:
        unknown = [letter for letter in set(text) if not _has(codec, letter)]
        self.lacking.update({letter: text.count(letter) for letter in unknown})
        return {ord(letter): escaped(letter) for letter in unknown}


def escaped(letter: str) -> str:
    r"""How a character stands in a file whose encoding lacks it: ``\u20AC`` or ``\U0001F600``."""
    number = ord(letter)
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"


Column = tuple[str, Callable[[Row, Record], Any]]
"""A field's name, and its value from a customer and its golden record."""


def columns(request: Request) -> list[Column]:
    """The columns of a table."""
    return [(name, _column(name, request.masked)) for name in request.chosen]


def records(rows: Sequence[Row], wanted: Sequence[Column]) -> list[list[Any]]:
    """The cells of customers."""
    found = []
    for row in rows:
        golden = orjson.loads(row.golden)
        found.append([value(row, golden) for _name, value in wanted])
    return found


def header(name: str) -> str:
    """A column's title: that of the golden record's field, unless the customer has one of the same name."""
    inner = name.removeprefix("golden.")
    return name if inner in _OUTER else inner


def _column(name: str, hidden: bool) -> Callable[[Row, Record], Any]:
    if not name.startswith("golden."):
        outer = _OUTER[name]
        return lambda row, _golden: outer(row, hidden)
    inner = name.removeprefix("golden.")
    if hidden:
        return lambda _row, golden: masked({k: golden[k] for k in ("kind", inner) if k in golden}).get(inner)
    return lambda _row, golden: golden.get(inner)


def _golden(row: Row, hidden: bool) -> Record:
    golden: Record = orjson.loads(row.golden)
    return masked(golden) if hidden else golden


_OUTER: dict[str, Callable[[Row, bool], Any]] = {
    "id": lambda row, _: public_id(row.number),
    "version": lambda row, _: row.version,
    "status": lambda row, _: row.status,
    "kind": lambda row, _: row.kind,
    "name": lambda row, hidden: masked_name(row.kind, row.name) if hidden else row.name,
    "members": lambda row, _: row.members,
    "updated_at": lambda row, _: moment(row.changed_at),
    "joined": lambda row, hidden: [masked_address(one) for one in row.joined] if hidden else row.joined,
    "former_ids": lambda row, _: row.former_ids,
    "golden": lambda row, hidden: _golden(row, True) if hidden else orjson.Fragment(row.golden),
}


def _readable(cell: Any) -> Any:
    """Addresses of source records in one word each."""
    if isinstance(cell, list) and cell and isinstance(cell[0], list):
        return ["/".join(filter(None, address)) for address in cell]
    return cell


def _has(codec: str, letter: str) -> bool:
    try:
        letter.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
