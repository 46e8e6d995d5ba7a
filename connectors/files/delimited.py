"""CSV and its relatives: a streaming reader that rejects a broken row without losing its neighbours.

A stray quote would make the parser swallow the rows below it into one cell. When a row fails, or spans lines that
would be good rows by themselves, only its first line is rejected and parsing goes on with the second.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from connectors.errors import BadConfiguration
from connectors.files.config import Format, Limits, StreamConfig
from connectors.files.dialect import SAMPLE_CHARS, Dialect, detect_dialect
from connectors.files.encoding import detect_encoding, open_text
from connectors.files.header import column_names, find_header, first_row
from connectors.files.rows import BadRow, Numbered, Rows, bad_row
from connectors.files.tidying import date_columns, dated, is_footer, whole

HEADER_ROWS = 50
RECORD_LINES = 1000
READ_AGAIN = 200_000
"""Lines that may be parsed a second time in one file: bounds the work a hostile file can cause."""


class Delimited:
    """One open delimited file. ``columns`` are its column names; nothing but the beginning is read before ``rows``."""

    def __init__(self, handle: BinaryIO, name: str, config: StreamConfig, limits: Limits) -> None:
        self._handle, self._name, self._config, self._limits = handle, name, config, limits
        self.encoding = config.encoding or detect_encoding(handle)
        sample = open_text(handle, self.encoding).read(SAMPLE_CHARS)
        tab = "\t" if config.format is Format.TSV or name.lower().endswith((".tsv", ".tab")) else None
        self.dialect = detect_dialect(sample, config.delimiter or tab, config.quote)
        self.columns, self._skip = self._header(sample)

    def rows(self) -> Rows:
        """All rows from the first, as text; blank ones are passed over."""
        lines = _Lines(open_text(self._handle, self.encoding), self._limits.row_chars)
        for _ in range(self._skip):
            next(lines, None)
        return _Parser(lines, self.dialect, self.columns, self._limits.cell_chars).rows()

    def _header(self, sample: str) -> tuple[list[str], int]:
        """The column names, and how many lines stand above the first row of data."""
        rows, ends = self._first_rows(sample)
        setting = self._config.header
        if isinstance(setting, bool) or setting is None:
            index = None if setting is False else find_header(rows)
        else:
            index = _row_at(setting, ends, self._name)
        if index is not None:
            skip, names = ends[index], column_names(rows[index])
        else:
            start = first_row(rows)
            skip = ends[start - 1] if start else int(self.dialect.hint)
            names = column_names([], len(rows[start]) if rows else 1)
        return (list(self._config.columns) if self._config.columns else names), skip

    def _first_rows(self, sample: str) -> tuple[list[list[str]], list[int]]:
        """The first rows, broken ones as empty, and the number of lines that end with each."""
        lines = _Lines(io.StringIO(sample, newline=""), self._limits.row_chars)
        if self.dialect.hint:
            next(lines, None)
        rows: list[list[str]] = []
        ends: list[int] = []
        for cells in islice(_lenient(lines, self.dialect), HEADER_ROWS):
            rows.append(cells)
            ends.append(lines.number)
        return rows, ends


def _row_at(line: int, ends: list[int], name: str) -> int:
    if line in ends:
        return ends.index(line)
    raise BadConfiguration(
        "{file} has no header on line {line}.",
        setting="header",
        remedy="Set `header` to the line that holds the column names (one of the first 50), or to false.",
        file=name,
        line=line,
    )


def _lenient(lines: _Lines, dialect: Dialect) -> Iterator[list[str]]:
    parser = dialect.reader(lines)
    while True:
        lines.start_record()
        try:
            yield next(parser)
        except StopIteration:
            return
        except (csv.Error, _LineTooLongError):
            lines.give_back()
            yield []


class _LineTooLongError(Exception):
    """A line, or the lines of one row, are longer than allowed."""


class _Lines:
    """Lines for csv.reader that remember what the current row took, so that they can be given back."""

    def __init__(self, text: io.TextIOBase, most: int) -> None:
        self._readline, self._most = text.readline, most
        self._pending: list[str] = []
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._pending:
            line = self._pending.pop()
        else:
            line = self._readline(self._most)
            if not line:
                raise StopIteration
        self.number += 1
        taken = self.taken
        taken.append(line)
        if len(line) == self._most and line[-1] not in "\r\n":
            self._skip_rest()
            raise _LineTooLongError
        if len(taken) > RECORD_LINES:
            raise _LineTooLongError
        return line

    def start_record(self) -> None:
        """What follows is a new row."""
        self.taken.clear()

    def give_back(self) -> None:
        """Parse all lines but the first of the current row again."""
        rest = self.taken[1:]
        self._pending.extend(reversed(rest))
        self.number -= len(rest)

    def _skip_rest(self) -> None:
        while True:
            rest = self._readline(self._most)
            if not rest or rest[-1] in "\r\n":
                return


class _Parser:
    """Turns lines into rows by the columns of the header."""

    def __init__(self, lines: _Lines, dialect: Dialect, columns: list[str], cell_chars: int) -> None:
        self._lines, self._dialect, self._columns = lines, dialect, columns
        self._cell_chars, self._dates = cell_chars, date_columns(columns)
        self._again = READ_AGAIN

    def rows(self) -> Rows:
        lines, columns, width = self._lines, self._columns, len(self._columns)
        parser, cap = self._dialect.reader(lines), self._cell_chars
        while True:
            start = lines.number + 1
            lines.taken.clear()
            try:
                cells = next(parser)
            except StopIteration:
                return
            except (csv.Error, _LineTooLongError) as error:
                yield start, self._broken(error)
                continue
            if len(cells) == width and len(lines.taken) == 1 and len(lines.taken[0]) <= cap:
                if cells != columns and (cells[0] or any(cells)) and not self._is_footer(cells):
                    yield start, self._row(cells)
            else:
                yield from self._unusual(start, cells)

    def _is_footer(self, cells: list[str]) -> bool:
        return 2 * cells.count("") >= len(cells) and is_footer(cells)

    def _row(self, cells: list[str]) -> dict[str, Any]:
        for index in self._dates:
            cells[index] = dated(cells[index])
        line = self._lines.taken[0]
        if ".0" in line or "E+" in line or "e+" in line:
            cells = [whole(cell) for cell in cells]
        return dict(zip(self._columns, cells, strict=True))

    def _unusual(self, start: int, cells: list[str]) -> Iterator[Numbered]:
        """A row of several lines, of another width, or with a cell that is too long."""
        width = len(self._columns)
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if not any(cells) or is_footer(cells):
            return
        if len(cells) != width:
            yield start, self._wrong_width(len(cells))
        elif max(map(len, cells)) > self._cell_chars:
            yield start, self._bad("A cell is longer than {limit} characters.", limit=self._cell_chars)
        else:
            yield start, self._row(cells)

    def _wrong_width(self, width: int) -> BadRow:
        expected = len(self._columns)
        bad = self._bad("The row has {width} columns, the header {expected}.", width=width, expected=expected)
        if self._swallowed_rows():
            self._give_back()
        return bad

    def _swallowed_rows(self) -> bool:
        """Whether the lines below the first are good rows by themselves: a stray quote joined them."""
        rest = self._lines.taken[1:]
        good = 0
        for line in rest:
            try:
                good += len(next(self._dialect.reader(iter([line])), [])) == len(self._columns)
            except csv.Error:
                continue
        return 2 * good >= len(rest) > 0

    def _broken(self, error: Exception) -> BadRow:
        if isinstance(error, _LineTooLongError) and len(self._lines.taken) == 1:
            return self._bad("The line is longer than {limit} characters.", limit=len(self._lines.taken[0]))
        if "field larger" in str(error) and len(self._lines.taken) == 1:
            return self._bad("A cell is longer than {limit} characters.", limit=csv.field_size_limit())
        bad = self._bad("The row's quotes do not match: a cell's quote is not closed, or text follows it.")
        self._give_back()
        return bad

    def _give_back(self) -> None:
        self._again -= len(self._lines.taken)
        if self._again > 0:
            self._lines.give_back()

    def _bad(self, template: str, **params: Any) -> BadRow:
        """The row rejected; its cells are guessed by cutting its first line at every delimiter."""
        taken = self._lines.taken
        bad = bad_row("".join(taken[:20]), template, **params)
        marks = f" \r\n{self._dialect.quote}"
        guessed = taken[0][: self._cell_chars].split(self._dialect.delimiter) if taken else []
        bad.partial = {name: cell.strip(marks) for name, cell in zip(self._columns, guessed, strict=False)}
        return bad
