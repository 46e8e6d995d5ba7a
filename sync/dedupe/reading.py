"""Files into the job's store: any format of the files connector, row by row; what cannot be read is kept apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from connectors.files.config import Limits, StreamConfig
from connectors.files.locate import Source
from connectors.files.readers import open_file, open_reader
from connectors.files.rows import BadRow, Numbered, Row, encode, printable
from sync import language
from sync.dedupe.store import Store, StoredRow, fields_of
from sync.errors import Misused

BATCH = 1_000
MAX_COLUMNS = 2_000
"""Fields of a row beyond so many distinct names are written together, as JSON, in one last column."""

Told = Callable[[int], None]
"""Is told how many rows are read so far."""


@dataclass
class Input:
    """What was read: the files' names as they are shown, the columns in the order met, the counts."""

    files: list[str]
    columns: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    unreadable: int = 0


def read_files(paths: Sequence[Path], store: Store, told: Told) -> Input:
    """Read all files. Raises Misused for a file that is not there or files without a single row, and the files
    connector's errors for files that cannot be read at all.
    """
    sources = _sources(paths)
    found = Input([source.name for source in sources])
    config, limits = StreamConfig.model_validate({"path": ""}), Limits.model_validate({})
    for number, source in enumerate(sources):
        with open_file(source, config, limits) as handle:
            reader = open_reader(handle, source, config, limits)
            found.columns |= dict.fromkeys(reader.columns)
            rows = reader.rows()
            while chunk := list(islice(rows, BATCH)):
                _keep(chunk, number, found, store)
                told(found.rows + found.unreadable)
    if not found.rows and not found.unreadable:
        raise Misused(
            "There is no row in {files}.",
            files=", ".join(found.files)[:300],
            remedy="Check that it is the right file: below the line with the column names it is empty.",
        )
    return found


def _sources(paths: Sequence[Path]) -> list[Source]:
    for path in paths:
        if not path.is_file():
            raise Misused(
                "{file} is not there, or is no file.",
                file=printable(str(path)),
                remedy="Check the path; several files are given one after the other.",
            )
    names = [path.name for path in paths]
    unique = len(set(names)) == len(names)
    return [Source(path, printable(path.name if unique else path.as_posix())) for path in paths]


def _keep(chunk: Sequence[Numbered], file: int, found: Input, store: Store) -> None:
    kept: list[StoredRow] = []
    for line, row in chunk:
        body = row if isinstance(row, BadRow) else encode(row)
        if isinstance(body, BadRow):
            found.unreadable += 1
            store.reject(file, line, language.told(body.reason)[0], body.text)
            continue
        found.rows += 1
        kept.append(StoredRow(found.rows, file, line, body))
        if not isinstance(row, BadRow) and not row.keys() <= found.columns.keys():
            _note_columns(row, found.columns)
    store.add_rows(kept)


def _note_columns(row: Row, columns: dict[str, None]) -> None:
    for name in row:
        if len(columns) >= MAX_COLUMNS:
            return
        columns.setdefault(name)


def sample(store: Store, files: int, most: int) -> list[dict[str, object]]:
    """The first rows of every file, ``most`` in all."""
    each = max(1, most // files)
    return [fields_of(row.body) for file in range(files) for row in store.rows(file, each)][:most]
