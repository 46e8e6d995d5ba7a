"""One stream of files: its pages, its cursor, its keys.

The cursor names each file with its fingerprint and how many of its rows are stored (None: all). A file whose
fingerprint is another is read again from its start; the engine drops the rows that are unchanged.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, cast

import xxhash

from connectors.contract import Cursor, Field, Mode, Page, Read, Record, Rejected
from connectors.documents import nearest
from connectors.errors import (
    BadConfiguration,
    ConnectorError,
    CursorExpired,
    ListingIncomplete,
    RetryLater,
    StreamBroken,
)
from connectors.files.config import FilesConfig, Shape, StreamConfig
from connectors.files.exports import recognise
from connectors.files.keys import Keys, choose_key
from connectors.files.locate import Folder, Source, fingerprint, is_same, settled
from connectors.files.readers import open_file, open_reader
from connectors.files.rows import BadRow, Numbered, Row, Rows, bad_row, encode, printable

SAMPLE_ROWS = 1000
KEY_ROWS = 100
"""A configured key that none of so many rows has is a mistake in the configuration, not in the rows."""
ATTEMPTS = 3
_log = logging.getLogger(__name__)


class _ReplacedError(Exception):
    """The file changed while it was read; the page in hand is thrown away."""


@dataclass(slots=True)
class _Progress:
    """The cursor while it is worked on: per file its fingerprint and the rows stored (None: all of them).

    File names are hashed: the cursor is stored with every page, so it has to stay small.
    """

    key: list[str] | None = None
    files: dict[str, tuple[str, int | None]] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: Cursor | None) -> _Progress:
        """What a cursor of ours says; nothing for None. Raises CursorExpired for one that is not ours."""
        if cursor is None:
            return cls()
        try:
            told = {
                name: (mark, None) if isinstance(mark, str) else tuple(mark) for name, mark in cursor["files"].items()
            }
            return cls(cursor["key"], told)
        except (KeyError, TypeError, AttributeError):
            raise CursorExpired("The stored position is not one of this connector.") from None

    def cursor(self) -> dict[str, Any]:
        """As JSON."""
        told = {name: mark if rows is None else [mark, rows] for name, (mark, rows) in self.files.items()}
        return {"key": self.key, "files": told}

    def start_at(self, source: Source, mark: str) -> int | None:
        """The rows of this version of a file that are stored already; None if it is done."""
        known, rows = self.files.get(_place(source), ("", 0))
        return rows if known == mark else 0

    def store(self, source: Source, mark: str, rows: int | None) -> None:
        """So many rows of this version of the file are on pages now (None: all)."""
        self.files[_place(source)] = (mark, rows)

    def keep_only(self, sources: Sequence[Source]) -> None:
        """Forget files that are gone."""
        places = {_place(source) for source in sources}
        self.files = {place: told for place, told in self.files.items() if place in places}


def _place(source: Source) -> str:
    return xxhash.xxh3_64_hexdigest(source.name.encode())[:12]


@dataclass(slots=True)
class _Batch:
    """The rows of one page with their keys."""

    records: list[Record] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class FileStream:
    """One stream of a files connection."""

    def __init__(self, name: str, config: StreamConfig, settings: FilesConfig, folder: Folder) -> None:
        self.name, self.config = name, config
        self._settings, self._folder = settings, folder

    def sources(self) -> list[Source]:
        """The files there are now; raises StreamBroken for a snapshot without any (a share that is not mounted?)."""
        found = self._folder.find(self.config.paths)
        if not found and self.config.shape is Shape.SNAPSHOT:
            raise StreamBroken(
                "No file matches {path}.",
                remedy="Put the file there, or correct the stream's `path`.",
                path=", ".join(self.config.paths)[:200],
            )
        return found

    def pages(self, request: Read) -> Iterator[Page]:
        """The pages of a read, the last one empty; raises RetryLater if a full read had to leave a file out."""
        progress = _Progress.from_cursor(request.cursor)
        sources = self.sources()
        growing: list[str] = []
        for source in sources:
            if not _is_wanted(source, request):
                continue
            if settled(source, self._settings.settle_seconds):
                yield from self._file_pages(source, progress, request.page_size)
            else:
                growing.append(source.name)
        progress.keep_only(sources)
        yield Page([], progress.cursor())
        if growing:
            self._leave(growing, request.mode)

    def ids(self, size: int) -> Iterator[list[str]]:
        """All keys; raises unless every file and row could be read, so that nothing is deleted by mistake."""
        key = self.key_columns()
        for source in self.sources():
            if not settled(source, self._settings.settle_seconds):
                raise _still_written(source.name)
            with open_file(source, self.config, self._settings.limits) as handle:
                status = os.fstat(handle.fileno())
                rows = open_reader(handle, source, self.config, self._settings.limits).rows()
                yield from _ids(rows, Keys(key), source, size)
                if not is_same(source, handle, status):
                    raise _still_written(source.name)

    def key_columns(self) -> list[str]:
        """The columns that identify a row: configured, those of a known export, or chosen by the first rows.

        Raises BadConfiguration for a configured column that none of the first rows has.
        """
        if self.config.key is None:
            rows = self.sample(SAMPLE_ROWS)
            export = recognise(rows[0]) if rows else None
            return choose_key(rows, preferred=export.key if export else None)
        columns = dict.fromkeys(name for row in self.sample(KEY_ROWS) for name in row)
        for wanted in self.config.key_columns if columns else ():
            if wanted not in columns:
                raise self._no_column(wanted, list(columns))
        return self.config.key_columns

    def _no_column(self, wanted: str, columns: list[str]) -> BadConfiguration:
        told: dict[str, Any] = {"stream": self.name, "key": wanted[:80], "columns": printable(", ".join(columns)[:500])}
        meant = nearest(wanted, columns)
        if meant is None:
            return BadConfiguration(
                "The stream {stream}: the files have no column {key}, which is to be the key. Columns: {columns}.",
                setting="streams",
                **told,
            )
        return BadConfiguration(
            "The stream {stream}: the files have no column {key}, which is to be the key. "
            "Did you mean {nearest}? Columns: {columns}.",
            setting="streams",
            nearest=printable(meant),
            **told,
        )

    def sample(self, size: int) -> list[Row]:
        """The first readable rows of the first file."""
        for source in self.sources():
            with open_file(source, self.config, self._settings.limits) as handle:
                reader = open_reader(handle, source, self.config, self._settings.limits)
                rows = (row for _, row in islice(reader.rows(), size) if not isinstance(row, BadRow))
                found = [row for row in rows if not isinstance(encode(row), BadRow)]
                if found:
                    return found
        return []

    def fields(self) -> list[Field]:
        """The columns with the types that the first rows show."""
        rows = self.sample(200)
        names = dict.fromkeys(name for row in rows for name in row)
        return [Field(name, _type([row.get(name) for row in rows])) for name in names]

    def describe(self) -> str:
        """How the first file is read, for the check: files, encoding, key."""
        sources = self.sources()
        if not sources:
            return "no file yet"
        with open_file(sources[0], self.config, self._settings.limits) as handle:
            reader = open_reader(handle, sources[0], self.config, self._settings.limits)
            encoding = getattr(reader, "encoding", None)
        key = ", ".join(self.key_columns()) or "the whole row"
        return ", ".join([f"files: {len(sources)}", *([f"encoding: {encoding}"] if encoding else []), f"key: {key}"])

    def _file_pages(self, source: Source, progress: _Progress, size: int) -> Iterator[Page]:
        """One file's pages; from its start again, in its new version, if it is replaced meanwhile."""
        for _ in range(ATTEMPTS):
            with open_file(source, self.config, self._settings.limits) as handle:
                status, mark = os.fstat(handle.fileno()), fingerprint(handle)
                start = progress.start_at(source, mark)
                if start is None:
                    return
                try:
                    for batch, stored in self._batches(handle, source, progress, start, size):
                        if not is_same(source, handle, status):
                            raise _ReplacedError
                        progress.store(source, mark, stored)
                        yield Page(batch.records, progress.cursor(), rejected=batch.rejected)
                    return
                except _ReplacedError:
                    _log.info("%s was replaced while it was read: reading it again", source.name)
                except ConnectorError:
                    if is_same(source, handle, status):
                        raise
        raise _still_written(source.name)

    def _batches(
        self, handle: BinaryIO, source: Source, progress: _Progress, start: int, size: int
    ) -> Iterator[tuple[_Batch, int | None]]:
        """Pages from row ``start`` on, each with the number of rows stored after it (None: the file is done)."""
        if progress.key is None:
            progress.key = self.key_columns()
        keys = Keys(progress.key)
        rows = open_reader(handle, source, self.config, self._settings.limits).rows()
        with closing(rows):  # type: ignore[type-var]
            done = 0
            while chunk := list(islice(rows, size if done >= start else min(size, start - done))):
                batch = _batch(chunk, keys, source.name)
                done += len(chunk)
                if done > start:
                    yield batch, done
            yield _Batch(), None

    def _leave(self, growing: Sequence[str], mode: Mode) -> None:
        if mode is Mode.FULL:
            raise _still_written(growing[0])
        for name in growing:
            _log.warning("%s is still being written: it is left for the next run", name)


def _batch(chunk: list[Numbered], keys: Keys, file: str) -> _Batch:
    batch = _Batch()
    found: list[str] = []
    broken: list[tuple[int, BadRow]] = []
    for line, row in chunk:
        body = row if isinstance(row, BadRow) else encode(row)
        if isinstance(body, BadRow):
            body.partial = body.partial if isinstance(row, BadRow) else row
            broken.append((line, body))
            continue
        key = keys.of(cast("Row", row), body)
        if isinstance(key, BadRow):
            broken.append((line, key))
        else:
            found.append(key)
            batch.lines.append(line)
            batch.records.append(Record(key, body))
    _settle(batch, keys.settle(found), file)
    for line, bad in broken:
        known = keys.guess(bad.partial)
        batch.rejected.append(
            Rejected(known or f"{file}#{line}", bad.body(file, line), bad.reason, identified=known is not None)
        )
    return batch


def _settle(batch: _Batch, settled_keys: list[str | None], file: str) -> None:
    """Put the final keys in; rows whose key an earlier row has are rejected."""
    kept: list[Record] = []
    for record, line, key in zip(batch.records, batch.lines, settled_keys, strict=True):
        if key is not None:
            kept.append(record if key is record.key else record._replace(key=key))
            continue
        bad = bad_row(
            record.body.decode("utf-8"),
            "An earlier row of the file has the same key {key}.",
            key=record.key[:80],
        )
        batch.rejected.append(Rejected(f"{record.key} ({file}#{line})", bad.body(file, line), bad.reason))
    batch.records = kept


def _ids(rows: Rows, keys: Keys, source: Source, size: int) -> Iterator[list[str]]:
    while chunk := list(islice(rows, size)):
        batch = _batch(chunk, keys, source.name)
        unknown = [bad for bad in batch.rejected if not bad.identified]
        if unknown:
            raise ListingIncomplete(
                "{file} has rows that cannot be read, so it cannot be told which records were deleted: {reason}",
                remedy="Correct these rows (they are in quarantine); the deletes are then found by the next run.",
                file=source.name,
                reason=str(unknown[0].reason),
            )
        yield [record.key for record in batch.records] + [
            bad.key for bad in batch.rejected if f"({source.name}#" not in bad.key
        ]


def _is_wanted(source: Source, request: Read) -> bool:
    """Whether a backfill's bounds include the file, by the time of its last change."""
    if request.since is None and request.until is None:
        return True
    try:
        changed = source.path.stat().st_mtime
    except OSError:
        return True
    after = request.since is None or changed >= request.since.timestamp()
    return after and (request.until is None or changed < request.until.timestamp())


def _still_written(name: str) -> RetryLater:
    return RetryLater("{file} is still being written; it is read once it is finished.", file=name)


def _type(values: Sequence[Any]) -> str:
    kinds = {_TYPES.get(type(value), "any") for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else "any"


_TYPES: dict[type, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
}
