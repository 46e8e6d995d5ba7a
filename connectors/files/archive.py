"""What an Excel file would unpack to, measured before it is given to the spreadsheet library.

The sizes an archive declares may lie, and a sheet with one cell in its last corner asks for billions of cells.
Therefore every part is inflated in small pieces and counted, never held; document types, which spreadsheets never
have, are refused before any XML parser sees them.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from connectors.errors import BadConfiguration
from connectors.files.config import MEGABYTE, Limits

PIECE = 1 << 18
GENEROUS = MEGABYTE
"""Parts smaller than this once unpacked are harmless whatever their ratio."""

_CELL = re.compile(rb'\sr="([A-Z]{1,3})([0-9]{1,7})"')
_DOCTYPES = (b"<!DOCTYPE", b"<!ENTITY", "<!DOCTYPE".encode("utf-16-le"), "<!DOCTYPE".encode("utf-16-be"))


def check_archive(handle: BinaryIO, name: str, limits: Limits) -> None:
    """Raises BadConfiguration if the open Excel file is damaged or would exceed a limit once unpacked."""
    handle.seek(0)
    try:
        with zipfile.ZipFile(handle) as archive:
            entries = archive.infolist()
            _check_declared(entries, name, limits)
            left = limits.unpacked_mb * MEGABYTE
            for entry in entries:
                left -= _measure(handle, entry, left, name, limits)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
        raise damaged(name) from None
    finally:
        handle.seek(0)


def damaged(name: str) -> BadConfiguration:
    """The error for a spreadsheet that cannot be opened."""
    return BadConfiguration(
        "{file} is damaged, encrypted or no Excel file.",
        setting="path",
        remedy="Open the file in Excel and save it again as .xlsx without a password.",
        file=name,
    )


def _too_large(name: str, what: str, limit: object, setting: str) -> BadConfiguration:
    return BadConfiguration(
        "{file} was not opened: its {what} is over the limit of {limit}.",
        setting=f"limits.{setting}",
        remedy="If the file is genuine, raise the limit of this connection or split the file.",
        file=name,
        what=what,
        limit=limit,
    )


def _check_declared(entries: list[zipfile.ZipInfo], name: str, limits: Limits) -> None:
    if len(entries) > limits.entries:
        raise _too_large(name, "number of parts", limits.entries, "entries")
    if sum(entry.file_size for entry in entries) > limits.unpacked_mb * MEGABYTE:
        raise _too_large(name, "unpacked size in MB", limits.unpacked_mb, "unpacked_mb")
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end or entry.flag_bits & 1 or entry.compress_type not in (0, 8):
            raise damaged(name)
        end = entry.header_offset + 30 + entry.compress_size


def _measure(handle: BinaryIO, entry: zipfile.ZipInfo, left: int, name: str, limits: Limits) -> int:
    """The part's true size; raises BadConfiguration on the first limit it passes."""
    is_xml = entry.filename.lower().endswith((".xml", ".rels", ".vml"))
    is_sheet = "worksheets/" in entry.filename.lower()
    most = max(GENEROUS, entry.compress_size * limits.ratio)
    size, tail, extent = 0, b"", _Extent(name, limits)
    for piece in _inflate(handle, entry):
        size += len(piece)
        if size > left:
            raise _too_large(name, "unpacked size in MB", limits.unpacked_mb, "unpacked_mb")
        if size > most:
            raise _too_large(name, "compression ratio", limits.ratio, "ratio")
        window = tail + piece
        if is_xml and any(sign in window for sign in _DOCTYPES):
            raise BadConfiguration(
                "{file} was not opened: it declares a document type, which no spreadsheet does.",
                setting="path",
                remedy="Open the file in Excel and save it again as .xlsx.",
                file=name,
            )
        if is_sheet:
            extent.add(window)
        tail = window[-64:]
    return size


def _inflate(handle: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The part's content in pieces of at most 256 KB, from the raw bytes: declared sizes are not believed."""
    handle.seek(entry.header_offset)
    header = handle.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile
    handle.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    left = entry.compress_size
    inflater = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0:
        packed = handle.read(min(PIECE, left))
        if not packed:
            raise zipfile.BadZipFile
        left -= len(packed)
        if inflater is None:
            yield packed
            continue
        while packed and not inflater.eof:
            yield inflater.decompress(packed, PIECE)
            packed = inflater.unconsumed_tail


class _Extent:
    """The rectangle that a sheet's cells span: all of it is held in memory, empty cells included."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name, self._limits = name, limits
        self._rows = self._columns = 1

    def add(self, xml: bytes) -> None:
        """Take in the cells of a piece of the sheet; raises BadConfiguration when the rectangle is too large."""
        for letters, row in _CELL.findall(xml):
            column = 0
            for letter in letters:
                column = column * 26 + letter - 64
            self._columns = max(self._columns, column)
            self._rows = max(self._rows, int(row))
        if self._rows * self._columns > self._limits.cells:
            raise _too_large(self._name, "number of cells in a sheet", self._limits.cells, "cells")
