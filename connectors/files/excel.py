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
from connectors.files.tidying import date_columns, dated, is_footer, whole

HEADER_ROWS = 50
MOST_SHEETS = 20
"""Among so many the first table is looked for."""
EXACT = 10**15
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
        columns, cap, dates = self.columns, self._limits.cell_chars, date_columns(self.columns)
        for number, cells in enumerate(islice(self._values(), self._skip, None), self._skip + 1):
            if all(cell is None for cell in cells) or (2 * cells.count(None) >= len(cells) and is_footer(cells)):
                continue
            for index in dates:
                if index < len(cells):
                    cells[index] = dated(cells[index])
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
    """A cell as JSON can hold it. Excel knows only floating numbers: whole ones were meant as such.

    It keeps 15 digits: a longer number (of an identity card, a tax number) has lost its last ones, and is given in
    scientific notation, by which it is seen to be none.
    """
    if cell == "":
        return None
    if isinstance(cell, str):
        return (whole(cell) or None) if cell[0].isdigit() and cell[-1].isdigit() else cell
    if isinstance(cell, float):
        if abs(cell) >= EXACT:
            return f"{cell:.14E}"
        return int(cell) if cell.is_integer() else cell
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
        return _first_table(book, limits) if sheet is None else book.get_sheet_by_name(_sheet_name(book, name, sheet))
    except CalamineError:
        raise damaged(name) from None
    except BadConfiguration:
        raise
    except BaseException as error:  # the library's Rust side panics on some damaged files
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        raise damaged(name) from None


def _first_table(book: CalamineWorkbook, limits: Limits) -> CalamineSheet:
    """The first visible sheet that holds a table of two columns or more; a cover with instructions is none."""
    visible = [
        meta.name
        for meta in book.sheets_metadata
        if meta.typ == SheetTypeEnum.WorkSheet and meta.visible == SheetVisibleEnum.Visible
    ]
    names = (visible or book.sheet_names)[:MOST_SHEETS]
    first = book.get_sheet_by_name(names[0])
    if len(names) == 1 or _is_table(first, limits):
        return first
    others = (book.get_sheet_by_name(name) for name in names[1:])
    return next((sheet for sheet in others if _is_table(sheet, limits)), first)


def _is_table(sheet: CalamineSheet, limits: Limits) -> bool:
    if sheet.total_height * sheet.total_width > limits.cells:
        return False
    rows = [[_value(cell) for cell in cells] for cells in islice(sheet.iter_rows(), HEADER_ROWS)]
    index = find_header(rows)
    return index is not None and index + 1 < len(rows) and sum(cell is not None for cell in rows[index]) > 1


def _sheet_name(book: CalamineWorkbook, name: str, sheet: str | int) -> str:
    names: list[str] = book.sheet_names
    if isinstance(sheet, str) and sheet in names:
        return sheet
    if isinstance(sheet, int) and 1 <= sheet <= len(names):
        return names[sheet - 1]
    raise BadConfiguration(
        "{file} has no sheet {sheet}. Its sheets: {allowed}.",
        setting="sheet",
        file=name,
        sheet=str(sheet)[:80],
        allowed=", ".join(names)[:300],
    )
