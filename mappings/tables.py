"""Value tables: what the source's words mean, written in the mapping file or in a CSV file beside it."""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from mappings.errors import SpecError
from mappings.values import scalar_key

MAX_BYTES, MAX_ROWS = 10_000_000, 200_000
OTHERWISE = "*"
"""The key of a table's answer for everything that it does not list."""


class TableSpec(BaseModel):
    """A table in a CSV file: the file, and the headers of the two columns (the first two by default)."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    csv: str
    key: str | None = None
    value: str | None = None


def fold(key: str) -> str:
    """How keys are compared: without regard to case and surrounding blanks."""
    return key.strip().casefold()


def folded(table: dict[str, Any]) -> dict[str, Any]:
    """A table by folded keys, and by the keys as written, which are found faster."""
    return {fold(scalar_key(key) or ""): value for key, value in table.items()} | table


def load_table(spec: TableSpec, folder: Path | None, file: str, line: int) -> dict[str, Any]:
    """The rows of a table's CSV file. Raises ``SpecError``; only files beside the mapping or below are read."""
    text = _read(spec, folder, file, line)
    rows = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(rows, [])]
    key, value = _column(header, spec.key, 0, file, line), _column(header, spec.value, 1, file, line)
    table: dict[str, Any] = {}
    for number, row in enumerate(rows):
        if number >= MAX_ROWS:
            raise SpecError("{file}, line {line}: the table has more than 200,000 rows", file=file, line=line)
        if len(row) > max(key, value) and row[key].strip():
            table[row[key].strip()] = row[value].strip()
    return table


def _read(spec: TableSpec, folder: Path | None, file: str, line: int) -> str:
    name = PurePosixPath(spec.csv)
    if folder is None or name.is_absolute() or ".." in name.parts:
        raise SpecError(
            "{file}, line {line}: the table's file {csv} must stand beside the mapping",
            file=file,
            line=line,
            csv=spec.csv,
        )
    path = (folder / name).resolve()
    try:
        if not path.is_relative_to(folder.resolve()) or path.stat().st_size > MAX_BYTES:
            raise OSError(0, "outside the folder or over 10 MB")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SpecError(
            "{file}, line {line}: the table's file {csv} cannot be read: {problem}",
            file=file, line=line, csv=spec.csv, problem=problem,
        ) from None  # fmt: skip


def _column(header: list[str], name: str | None, default: int, file: str, line: int) -> int:
    if name is None and len(header) > default:
        return default
    if name in header:
        return header.index(name)
    raise SpecError(
        "{file}, line {line}: the table has no column {column}; it has {header}",
        file=file, line=line, column=name or default + 1, header=", ".join(header),
    )  # fmt: skip
