"""Where a project's embedded broker listens: a Unix socket that only this user may open, at a short enough path."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from connectors.errors import BadConfiguration

LONGEST_PATH = 100  # the operating systems allow 104 to 108 bytes


def socket_in(folder: Path) -> Path:
    """The socket in a private folder, else in this user's temporary one. Raises BadConfiguration."""
    path = folder / "broker.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    return _private_temporary_folder() / f"{name}.sock"


def _private_temporary_folder() -> Path:
    """A folder in the temporary folder that belongs to this user alone; refuses one that somebody else made."""
    folder = Path(tempfile.gettempdir()) / f"kehu-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir() or folder.is_symlink():
        raise BadConfiguration(
            "The folder {folder} for the broker's socket is not private to this user.",
            remedy="Remove it, or move the project to a folder with a shorter path.",
            folder=str(folder),
        )
    return folder
