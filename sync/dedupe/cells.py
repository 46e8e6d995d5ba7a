"""CSV files that spreadsheet programs open as data: nothing in them is ever run as a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


Writer = Callable[[Iterable[Any]], None]
"""Takes rows of any JSON-safe values."""


def safe(value: Any) -> str:
    """A cell's text. What a spreadsheet could take for a formula gets a leading ``'`` (OWASP, CSV injection); plain
    numbers stay as they are. Lists and objects are JSON.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, dict | list | bool):
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    else:
        text = str(value)
    text = text.replace("\0", "")
    return "'" + text if text.lstrip(" ").startswith(_STARTS) and not _NUMBER.fullmatch(text) else text


def flat(value: Any) -> Any:
    """A canonical value in one cell: the entries of lists one after the other, without their marks."""
    if isinstance(value, list):
        return "; ".join(_entry(entry) for entry in value)
    return value


def _entry(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    if "value" in entry:
        return str(entry["value"])
    named = ("text", "street", "district", "city", "region", "postcode", "country")
    told = [entry[name] for name in named if name in entry]
    return ", ".join(told) if told else orjson.dumps(entry).decode()


@contextmanager
def csv_file(path: Path, columns: Sequence[str]) -> Iterator[Writer]:
    """A CSV file in UTF-8 (with the mark that Excel needs to see it), the header written."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file, lineterminator="\r\n")

        def write(row: Iterable[Any]) -> None:
            lines.writerow([safe(value) for value in row])

        write(columns)
        yield write
