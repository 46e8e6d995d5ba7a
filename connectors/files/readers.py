"""The reader for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from connectors.files.config import Format, Limits, StreamConfig
from connectors.files.delimited import Delimited
from connectors.files.excel import Excel
from connectors.files.jsons import JsonArray, JsonLines
from connectors.files.locate import Source, format_of, open_source
from connectors.files.parquet import Parquet
from connectors.files.rows import Reader

_READERS: Mapping[Format, Callable[[BinaryIO, str, StreamConfig, Limits], Reader]] = {
    Format.CSV: Delimited,
    Format.TSV: Delimited,
    Format.EXCEL: Excel,
    Format.JSONL: JsonLines,
    Format.JSON: JsonArray,
    Format.PARQUET: Parquet,
}


def open_file(source: Source, config: StreamConfig, limits: Limits) -> BinaryIO:
    """The file, open, within the size allowed for its format."""
    is_excel = format_of(source, config.format) is Format.EXCEL
    return open_source(source, min(limits.excel_mb, limits.file_mb) if is_excel else limits.file_mb)


def open_reader(handle: BinaryIO, source: Source, config: StreamConfig, limits: Limits) -> Reader:
    """The reader of an open file by its format."""
    return _READERS[format_of(source, config.format)](handle, source.name, config, limits)
