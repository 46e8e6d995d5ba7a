"""What reports and spreadsheets leave in tables: totals and signatures below the data, dates and numbers as amounts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

_TOTAL = re.compile(
    r"^(合\s*计|总\s*计|小\s*计|共\s*计|累\s*计|本页[合小]计|(grand|sub)?[ -]?total|sum)\s*[:：]?\s*[\d,.]*$"
    r"|^共\s*[\d,]+\s*[条行页家个户笔]|^第\s*\d+\s*页",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    r"^(制表|制单|打印|导出|审核|复核|批准|经办|填表|prepared|printed|exported)[^:：]{0,12}[:：]", re.IGNORECASE
)
_NUMBER = re.compile(r"^[-+¥￥$€£]?[\d,.\s]+%?$")
_DATED = re.compile(r"日期|时间|date|\btime\b|_at$", re.IGNORECASE)
_SERIAL = re.compile(r"^\d{5}(\.\d{1,12})?$")
_LONG = re.compile(r"^\d{7,}\.0$")
_SCIENTIFIC = re.compile(r"^(\d)(?:\.(\d+))?E\+(\d{1,2})$", re.IGNORECASE)
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zones
EARLIEST, LATEST = 20_000, 60_000
"""Days since 1899-12-30, which spreadsheets count from: 1954 to 2064. Other numbers are no dates."""


def is_footer(cells: Sequence[Any]) -> bool:
    """Whether a row is a total or a signature below the data: such a word first, else numbers and signatures only."""
    filled = [str(cell).strip() for cell in cells if cell is not None and str(cell).strip()]
    if not filled or not (_TOTAL.match(filled[0]) or _SIGNED.match(filled[0])):
        return False
    return all(_NUMBER.match(cell) or _SIGNED.match(cell) or _TOTAL.match(cell) for cell in filled[1:])


def date_columns(names: Sequence[str]) -> list[int]:
    """The columns that are called dates."""
    return [index for index, name in enumerate(names) if _DATED.search(name)]


def dated(cell: Any) -> Any:
    """The cell of a date column; a spreadsheet's serial number as ISO date, or date and time to the second."""
    if isinstance(cell, str):
        if not _SERIAL.match(cell):
            return cell
        days = float(cell)
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        days = float(cell)
    else:
        return cell
    if not EARLIEST <= days <= LATEST:
        return cell
    moment = _EPOCH + timedelta(seconds=round(days * 86_400))
    return moment.isoformat() if days % 1 else moment.date().isoformat()


def whole(text: str) -> str:
    """A long number as its digits, where a program took a telephone or tax number for an amount (13800138000.0).

    One in scientific notation that lost digits (9.14E+17) stays as it is: it is seen to be none by who reads it.
    """
    if _LONG.match(text):
        return text[:-2]
    found = _SCIENTIFIC.match(text)
    if found is None or int(found[3]) < 7:
        return text
    digits = found[1] + (found[2] or "")
    return digits if len(digits) == int(found[3]) + 1 else text


def is_rounded(text: str) -> bool:
    """Whether a text is a long number that lost digits: nothing is identified by it."""
    found = _SCIENTIFIC.match(text)
    return found is not None and int(found[3]) >= 7 and len(found[1] + (found[2] or "")) != int(found[3]) + 1
