"""Parquet by pyarrow, an optional extra: batches of rows, one row group in memory at a time."""

from __future__ import annotations

from typing import Any, BinaryIO

from connectors.errors import BadConfiguration
from connectors.files.config import MEGABYTE, Limits, StreamConfig
from connectors.files.rows import Rows

BATCH = 1000


class Parquet:
    """One open Parquet file."""

    def __init__(self, handle: BinaryIO, name: str, config: StreamConfig, limits: Limits) -> None:
        self._file = _open(handle, name)
        self._name = name
        self.columns: list[str] = list(self._file.schema_arrow.names)
        _check_size(self._file.metadata, name, limits)

    def rows(self) -> Rows:
        """All rows, numbered from 1."""
        import pyarrow

        number = 0
        try:
            for batch in self._file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError):
            raise _damaged(self._name) from None


def _open(handle: BinaryIO, name: str) -> Any:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise BadConfiguration(
            "{file} is a Parquet file, and the library to read them is not installed.",
            setting="format",
            remedy="Install it: pip install 'kehu[parquet]'.",
            file=name,
        ) from None
    handle.seek(0)
    try:
        return ParquetFile(handle)
    except (pyarrow.ArrowException, OSError, ValueError):
        raise _damaged(name) from None


def _check_size(metadata: Any, name: str, limits: Limits) -> None:
    for index in range(metadata.num_row_groups):
        if metadata.row_group(index).total_byte_size > limits.unpacked_mb * MEGABYTE:
            raise BadConfiguration(
                "{file} was not read: a row group is larger than {limit} MB once unpacked.",
                setting="limits.unpacked_mb",
                remedy="Write the file with smaller row groups, or raise the limit of this connection.",
                file=name,
                limit=limits.unpacked_mb,
            )


def _damaged(name: str) -> BadConfiguration:
    return BadConfiguration(
        "{file} is damaged or no Parquet file.", setting="path", remedy="Write the file again.", file=name
    )
