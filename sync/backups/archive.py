"""The file of a backup: a ZIP archive with the contents first and ``manifest.json`` last.

Every file in it is named in the manifest with its size and SHA-256. It can be opened by anybody: it is private (0600)
and should be encrypted by whatever carries it elsewhere.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from sync.backups.facts import Damaged, Facts
from sync.exporting.files import Growing

FORMAT, VERSION = "kehu-backup", 1
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1_000_000
MOST_FILES = 1_000
CHUNK = 1 << 20
LEVEL = 1
"""Of compression: higher ones take several times as long for a tenth less."""

Kind = Literal["sqlite", "postgresql"]


class Entry(NamedTuple):
    """A file of the archive, before compression."""

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What is inside, and what it is checked by."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: Literal["kehu-backup"] = "kehu-backup"
    version: Literal[1] = 1
    kind: Kind
    revision: str
    made_at: datetime
    tables: dict[str, int]
    columns: dict[str, list[str]] = {}
    sequences: dict[str, int] = {}
    audit: str
    head: int
    files: dict[str, Entry]

    @property
    def facts(self) -> Facts:
        """What must be found in the database after restoring."""
        return Facts(self.tables, self.audit, self.head)


class Archive:
    """A backup that is being written."""

    def __init__(self, file: Growing) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._files: dict[str, Entry] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """One file, of any size."""
        digest, size = sha256(), 0
        info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self._files[name] = Entry(size, digest.hexdigest())

    def close(self, kind: Kind, revision: str, facts: Facts, **more: Any) -> Manifest:
        """Write the manifest and the end."""
        manifest = Manifest(
            kind=kind,
            revision=revision,
            made_at=datetime.now(UTC),
            files=self._files,
            tables=facts.tables,
            audit=facts.audit,
            head=facts.head,
            **more,
        )
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1))
        self._zip.close()
        return manifest


class Opened:
    """A backup that is read. Raises Damaged for what is none."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest = self._manifest()
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, NotImplementedError) as error:
            raise not_a_backup(path, error) from None

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def check(self) -> None:
        """Read everything once and compare it with the manifest. Raises Damaged."""
        for name in self.manifest.files:
            for _chunk in self.chunks(name):
                pass

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file of it; what is not as the manifest says raises Damaged, at the end at the latest."""
        entry, digest, size = self.manifest.files[name], sha256(), 0
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    if size > entry.bytes:
                        break
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError, NotImplementedError):
            raise _damaged(name) from None
        if (size, digest.hexdigest()) != (entry.bytes, entry.sha256):
            raise _damaged(name)

    def _manifest(self) -> Manifest:
        if len(self._zip.infolist()) > MOST_FILES:
            raise ValueError("too many files")
        with self._zip.open(MANIFEST) as file:
            text = file.read(LARGEST_MANIFEST + 1)
        if len(text) > LARGEST_MANIFEST:
            raise ValueError("too large")
        try:
            return Manifest.model_validate(orjson.loads(text))
        except ValidationError:
            raise ValueError("not a manifest of ours") from None


def not_a_backup(path: Path, error: Exception) -> Damaged:
    """The file is missing, unreadable, cut off, or something else."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Damaged(
        "{file} is not a whole backup of kehu ({reason}).",
        file=str(path)[:300],
        reason=reason,
        remedy="Name a file that `kehu backup` has written.",
    )


def _damaged(name: str) -> Damaged:
    return Damaged("The backup is damaged: {name} is not as it was written.", name=name[:80])
