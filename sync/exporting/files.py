"""Files that appear whole or not at all: written beside, synced to disk, then given their name."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from sync.errors import Refused, SyncError

BUFFER = 1 << 20


class CannotWrite(SyncError):
    """The file could not be written."""

    code = "cannot_write"
    default_remedy = "Check that the folder exists, that this user may write there, and that there is room."


class Growing:
    """A file that is being written: counts and hashes what goes in. Usable as a binary file by others."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._buffer = bytearray()
        self._hash = sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Append. After ``end`` nothing happens: libraries write their endings even when they are thrown away."""
        if self._descriptor is None:
            return len(data)
        self._buffer += data
        self._hash.update(data)
        self.bytes += len(data)
        if len(self._buffer) >= BUFFER:
            self.flush()
        return len(data)

    def tell(self) -> int:
        """How many bytes there are."""
        return self.bytes

    def flush(self) -> None:
        """Give what is buffered to the operating system."""
        while self._descriptor is not None and self._buffer:
            written = os.write(self._descriptor, self._buffer)
            del self._buffer[:written]

    def end(self) -> None:
        """The descriptor is no longer ours."""
        self._descriptor = None

    def close(self) -> None:
        """For others that close what they write; the file is closed by whoever made it."""
        self.flush()

    def readable(self) -> bool:
        """It is not."""
        return False

    def seekable(self) -> bool:
        """It is not: everything is appended."""
        return False

    def writable(self) -> bool:
        """It is."""
        return True

    @property
    def sha256(self) -> str:
        """Of all that was written, hexadecimal."""
        return self._hash.hexdigest()


@contextmanager
def appearing(path: Path, *, replace: bool = False) -> Iterator[Growing]:
    """A private file (0600) that gets its name when the block ends without an error.

    Killed in the middle it leaves nothing under ``path``, and beside it a ``.NAME.part`` that the next try takes over.
    Raises Refused if the file exists (unless ``replace``) or somebody else is writing it, CannotWrite.
    """
    part = part_of(path)
    try:
        if not replace and path.exists():
            raise _exists(path)
        descriptor = _claimed(part)
        growing = Growing(descriptor)
        try:
            try:
                yield growing
                growing.flush()
                os.fsync(descriptor)
                _name(part, path, replace)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise
        finally:
            growing.end()
            os.close(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from None


def part_of(path: Path) -> Path:
    """Where a file stands until it is whole."""
    return path.with_name(f".{path.name}.part")


def cannot_write(path: Path, error: OSError) -> CannotWrite:
    """The system's error as ours."""
    return CannotWrite(
        "{file} could not be written: {reason}.", file=str(path)[:300], reason=error.strerror or type(error).__name__
    )


def _claimed(part: Path) -> int:
    """An empty file that we alone write: whoever held it before has died or given it its name."""
    while True:
        descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Refused(
                "{file} is being written by another process.", file=str(part), remedy="Wait for it, or write elsewhere."
            ) from None
        with suppress(FileNotFoundError):
            if part.stat().st_ino == os.fstat(descriptor).st_ino:
                os.ftruncate(descriptor, 0)
                return descriptor
        os.close(descriptor)  # it was given its name between the two calls


def _name(part: Path, path: Path, replace: bool) -> None:
    if replace:
        part.replace(path)
    else:
        try:
            os.link(part, path)
        except FileExistsError:
            raise _exists(path) from None
        part.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(path: Path) -> Refused:
    return Refused("{file} exists.", file=str(path), remedy="Add --replace to overwrite it, or name another file.")
