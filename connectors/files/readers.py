"""The reader for each format."""

from __future__ import annotations

import codecs
import os
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


_ARCHIVE, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


def open_file(source: Source, config: StreamConfig, limits: Limits) -> BinaryIO:
    """The file, open, within the size allowed for its format."""
    handle = open_source(source, limits.file_mb)
    if limits.excel_mb < limits.file_mb and actual_format(handle, source, config) is Format.EXCEL:
        handle.close()
        return open_source(source, limits.excel_mb)
    return handle


def open_reader(handle: BinaryIO, source: Source, config: StreamConfig, limits: Limits) -> Reader:
    """The reader of an open file by its format."""
    return _READERS[actual_format(handle, source, config)](handle, source.name, config, limits)


def actual_format(handle: BinaryIO, source: Source, config: StreamConfig) -> Format:
    """The format by setting or name, unless its first bytes show that the name is wrong.

    Many systems export text under the name .xls, and people rename workbooks to .csv.
    """
    told = format_of(source, config.format)
    if config.format is not None or told not in (Format.CSV, Format.TSV, Format.EXCEL):
        return told
    start = os.pread(handle.fileno(), 512, 0)
    if start.startswith((_ARCHIVE, _OLE)):
        return Format.EXCEL
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # "Unicode text", as Excel itself writes it
    is_text = bool(start) and not start.lstrip().startswith(b"<") and (wide or b"\0" not in start)
    return Format.CSV if source.path.suffix.lower() == ".xls" and is_text else told
