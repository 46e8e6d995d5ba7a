"""Which files make up a stream, and how to tell that one of them changed.

Nothing outside the folder is read: a path, or what a link points to, that leaves it is refused.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import xxhash

from connectors.errors import BadConfiguration, RetryLater
from connectors.files.config import Format
from connectors.files.rows import printable

PREFIX = 65_536
FORMATS = {
    ".csv": Format.CSV,
    ".txt": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".xlsx": Format.EXCEL,
    ".xlsm": Format.EXCEL,
    ".xls": Format.EXCEL,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".parquet": Format.PARQUET,
}
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".download", ".filepart", ".swp", ".lock")
_WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a stream. ``name`` is its path below the base folder: stable, printable, without the machine's."""

    path: Path
    name: str


class Folder:
    """The folder that may be read: the project's, or the one a configured outside path names."""

    def __init__(self, project: Path, outside: bool, most: int) -> None:
        self._project = project.resolve()
        self._outside = outside
        self._most = most

    def find(self, patterns: list[str]) -> list[Source]:
        """The files of a stream, in the order of their names; raises BadConfiguration if a path leads outside."""
        found: dict[Path, Source] = {}
        for pattern in patterns:
            base = self._base(pattern)
            for path in _candidates(base, pattern, self._project):
                found.setdefault(path, Source(path, self._name(path, base)))
                if len(found) > self._most:
                    raise BadConfiguration(
                        "{path} matches more than {most} files.",
                        setting="limits.files",
                        remedy="Narrow the path, or move what was read into another folder.",
                        path=pattern,
                        most=self._most,
                    )
        return sorted(found.values(), key=lambda source: source.name)

    def _base(self, pattern: str) -> Path:
        """The real folder below which everything must lie."""
        if "\0" in pattern:
            raise BadConfiguration("A path must not hold a NUL character.", setting="path")
        fixed = _fixed_part(self._project / pattern)
        real = fixed.resolve()
        if real.is_relative_to(self._project):
            return self._project
        if self._outside:
            return real if real.is_dir() else real.parent
        raise BadConfiguration(
            "{path} leads outside the project folder.",
            setting="path",
            remedy="Put the files into the project folder, or set `outside: true` for this connection.",
            path=pattern,
        )

    def _name(self, path: Path, base: Path) -> str:
        if not path.resolve().is_relative_to(base):
            raise BadConfiguration(
                "{file} is a link that leads outside its folder.",
                setting="path",
                remedy="Replace the link by the file itself.",
                file=printable(path.name),
            )
        shown = Path(os.path.relpath(path, base))
        return printable(shown.as_posix())


def _fixed_part(path: Path) -> Path:
    """The path up to the first part with a wildcard."""
    parts: list[str] = []
    for part in path.parts:
        if any(sign in part for sign in _WILDCARDS) and not Path(*parts, part).exists():
            break
        parts.append(part)
    return Path(*parts)


def _candidates(base: Path, pattern: str, project: Path) -> Iterator[Path]:
    path = project / pattern
    if path.is_file():
        yield path
        return
    folder, rest = (path, "*") if path.is_dir() else _split(path)
    for found in folder.glob(rest):
        if found.is_file() and _is_data(found, explicit=not path.is_dir()):
            yield found


def _split(path: Path) -> tuple[Path, str]:
    fixed = _fixed_part(path)
    rest = path.relative_to(fixed).as_posix() if fixed != path else ""
    return (fixed, rest) if rest not in ("", ".") else (fixed.parent, fixed.name)


def _is_data(path: Path, explicit: bool) -> bool:
    """Whether a file is data: neither hidden, nor an editor's or a download's temporary file."""
    name = path.name.lower()
    if name.startswith((".", "~$")) or name.endswith(_UNFINISHED):
        return False
    return explicit or path.suffix.lower() in FORMATS


def format_of(source: Source, configured: Format | None) -> Format:
    """How a file is written, by the setting or its name; raises BadConfiguration for an unknown ending."""
    if configured is not None:
        return configured
    suffix = source.path.suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    raise BadConfiguration(
        "{file}: files ending in {suffix} cannot be read. Known: {known}.",
        setting="format",
        remedy="Set `format` for this stream, or save the file in one of the known formats.",
        file=source.name,
        suffix=suffix or "nothing",
        known=", ".join(FORMATS),
    )


def open_source(source: Source, limit_mb: int) -> BinaryIO:
    """The file, open for reading. Raises RetryLater if it is gone, BadConfiguration if it is too large or no file."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
        handle = os.fdopen(os.open(source.path.resolve(), flags), "rb")
    except FileNotFoundError:
        raise RetryLater("{file} vanished while it was to be read.", file=source.name) from None
    except OSError as error:
        raise BadConfiguration(
            "{file} cannot be read: {reason}.",
            setting="path",
            remedy="Give the user that runs kehu the right to read this file.",
            file=source.name,
            reason=error.strerror or "no reason given",
        ) from None
    status = os.fstat(handle.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size <= limit_mb * 1_000_000:
        return handle
    handle.close()
    raise BadConfiguration(
        "{file} is larger than {limit} MB, or no regular file.",
        setting="limits",
        remedy="Split the file, or raise the limit of this connection.",
        file=source.name,
        limit=limit_mb,
    )


def fingerprint(handle: BinaryIO) -> str:
    """Size, change time, inode and the beginning of an open file, as 16 hex digits; the position is kept."""
    status = os.fstat(handle.fileno())
    prefix = os.pread(handle.fileno(), PREFIX, 0)
    told = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}:".encode()
    return xxhash.xxh3_64_hexdigest(told + prefix)


def is_same(source: Source, handle: BinaryIO, status: os.stat_result) -> bool:
    """Whether the path still names the open file, and that file is as it was when ``status`` was taken."""
    try:
        now = os.stat(source.path)
    except OSError:
        return False
    opened = os.fstat(handle.fileno())
    return _mark(now) == _mark(opened) == _mark(status)


def _mark(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def settled(source: Source, seconds: float) -> bool:
    """Whether a file is finished: unchanged for ``seconds``; waits up to that long for one that was just saved."""
    try:
        before = source.path.stat()
        age = time.time() - before.st_mtime
        if age >= seconds or age < -seconds:
            return True
        time.sleep(max(0.0, seconds - age))
        return _mark(before) == _mark(source.path.stat())
    except FileNotFoundError:
        return False
