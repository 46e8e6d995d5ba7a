"""Excel sheets by python-calamine: values only, as they were last calculated; formulas are never run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, BinaryIO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from connectors.errors import BadConfiguration
from connectors.files.archive import check_archive, damaged
from connectors.files.config import Limits, StreamConfig
from connectors.files.header import column_names, find_header, first_row
from connectors.files.rows import Rows, bad_row

HEADER_ROWS = 50
EXACT = 2**53
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Excel:
    """One sheet of an open Excel file (.xlsx, .xlsm, .xls)."""

    def __init__(self, handle: BinaryIO, name: str, config: StreamConfig, limits: Limits) -> None:
        self._name, self._config, self._limits = name, config, limits
        self._sheet = _open_sheet(handle, name, config.sheet, limits)
        if self._sheet.total_height * self._sheet.total_width > limits.cells:
            raise BadConfiguration(
                "{file} was not read: its sheet has more than {limit} cells.",
                setting="limits.cells",
                remedy="Delete empty rows and columns at the end of the sheet, or raise the limit.",
                file=name,
                limit=limits.cells,
            )
        self.columns, self._skip = self._header()

    def rows(self) -> Rows:
        """All rows below the header, blank ones passed over; numbers that are whole are ints, dates ISO texts."""
        columns, cap = self.columns, self._limits.cell_chars
        for number, cells in enumerate(islice(self._values(), self._skip, None), self._skip + 1):
            if all(cell is None for cell in cells):
                continue
            if any(isinstance(cell, str) and len(cell) > cap for cell in cells):
                yield number, bad_row("", "A cell is longer than {limit} characters.", limit=cap)
            else:
                yield number, dict(zip(columns, cells, strict=False))

    def _header(self) -> tuple[list[str], int]:
        first = list(islice(self._values(), HEADER_ROWS))
        setting = self._config.header
        if isinstance(setting, bool) or setting is None:
            index = None if setting is False else find_header(first)
        elif 1 <= setting <= len(first):
            index = setting - 1
        else:
            raise BadConfiguration(
                "{file} has no header in row {line}.",
                setting="header",
                remedy="Set `header` to the row that holds the column names (one of the first 50), or to false.",
                file=self._name,
                line=setting,
            )
        width = self._sheet.width
        names = column_names([], width) if index is None else column_names(first[index], width)
        skip = first_row(first) if index is None else index + 1
        return (_given(self._config.columns, names), skip)

    def _values(self) -> Iterator[list[Any]]:
        for cells in self._sheet.iter_rows():
            yield [_value(cell) for cell in cells]


def _given(configured: list[str] | None, names: list[str]) -> list[str]:
    return names if configured is None else [*configured, *names[len(configured) :]]


def _value(cell: Any) -> Any:
    """A cell as JSON can hold it. Excel knows only floating numbers: whole ones were meant as such."""
    if cell == "":
        return None
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < EXACT else cell
    if isinstance(cell, date | datetime | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    return cell


def _open_sheet(handle: BinaryIO, name: str, sheet: str | int | None, limits: Limits) -> CalamineSheet:
    start = handle.read(8)
    if not start.startswith(OLE):  # the old binary format is no archive, and bounded by 65,536 x 256 cells
        check_archive(handle, name, limits)
    handle.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(handle)
        return book.get_sheet_by_name(_sheet_name(book, name, sheet))
    except CalamineError:
        raise damaged(name) from None
    except BadConfiguration:
        raise
    except BaseException as error:  # the library's Rust side panics on some damaged files
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise damaged(name) from None


def _sheet_name(book: CalamineWorkbook, name: str, sheet: str | int | None) -> str:
    names: list[str] = book.sheet_names
    if isinstance(sheet, str) and sheet in names:
        return sheet
    if isinstance(sheet, int) and 1 <= sheet <= len(names):
        return names[sheet - 1]
    if sheet is None and names:
        visible = [
            meta.name
            for meta in book.sheets_metadata
            if meta.typ == SheetTypeEnum.WorkSheet and meta.visible == SheetVisibleEnum.Visible
        ]
        return (visible or names)[0]
    raise BadConfiguration(
        "{file} has no sheet {sheet}. Its sheets: {allowed}.",
        setting="sheet",
        file=name,
        sheet=str(sheet)[:80],
        allowed=", ".join(names)[:300],
    )
