"""Where a table's column names stand, and what the columns are called.

Exports of Chinese systems often carry title lines above the header (the report's name, the date, who exported it):
these fill few columns. The first row that fills most columns is the header, unless it looks like data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from statistics import median
from typing import Any

LABEL_CHARS = 64
FILLED = 0.75
LABELS = 0.8
_REQUIRED = re.compile(r"^[*＊]\s*|\s*([*＊]|[(（\[【](必填|必填项|必录|required)[)）\]】])$", re.IGNORECASE)
_DATA = re.compile(r"^(?=.*\d)[\d\s.,:;/\\+%¥￥$€£()\[\]#年月日时分秒TZ-]+$|@|://")


def find_header(rows: Sequence[Sequence[Any]]) -> int | None:
    """The index of the header among the first rows of a table, None if the table has none.

    ``rows`` may be of different lengths; empty cells are "" or None.
    """
    filled = [sum(_has(cell) for cell in row) for row in rows]
    counted = [number for number in filled if number]
    if not counted:
        return None
    least = max(1.0, FILLED * median(counted))
    for index, row in enumerate(rows):
        if filled[index] >= least:
            return index if _names_columns(row, rows[index + 1 :]) else None
    return None


def first_row(rows: Sequence[Sequence[Any]]) -> int:
    """Where the data of a table without header start: its first row that fills most columns."""
    filled = [sum(_has(cell) for cell in row) for row in rows]
    counted = [number for number in filled if number]
    least = max(1.0, FILLED * median(counted)) if counted else 0
    return next((index for index, number in enumerate(filled) if number >= least), 0)


def _names_columns(row: Sequence[Any], below: Sequence[Sequence[Any]]) -> bool:
    cells = [cell for cell in row if _has(cell)]
    labels = [cell for cell in cells if _is_label(cell)]
    if len(labels) < LABELS * len(cells):
        return False
    return not _repeats(row, below)


def _is_label(cell: Any) -> bool:
    return isinstance(cell, str) and len(cell) <= LABEL_CHARS and not _DATA.search(cell.strip())


def _repeats(row: Sequence[Any], below: Sequence[Sequence[Any]]) -> bool:
    """Whether a cell comes again in its own column: cities and names do, column names do not."""
    width = len(row)
    others = [other for other in below if list(other) != list(row)]
    return any(
        _has(row[column]) and any(column < len(other) and other[column] == row[column] for other in others)
        for column in range(width)
    )


def _has(cell: Any) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def column_names(cells: Sequence[Any], width: int | None = None) -> list[str]:
    """Distinct names for all columns: as written (trimmed, NFC), numbered where empty or repeated."""
    names: list[str] = []
    taken: set[str] = set()
    for index in range(max(len(cells), width or 0)):
        cell = cells[index] if index < len(cells) else None
        name = _clean(str(cell)) if _has(cell) else f"column_{index + 1}"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        names.append(unique)
    return names


def _clean(name: str) -> str:
    """A column name without marks (a byte order mark, the star or word of a required column) and line breaks."""
    joined = " ".join(name.replace("\ufeff", "").replace("\0", "").split())
    joined = _REQUIRED.sub("", joined) or joined
    readable = joined.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", readable)[:200] or "column"
