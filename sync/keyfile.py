"""Private key files: made once, readable by this user alone, safe to open from several processes at once."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

KEY_BYTES = 32


def load_key(path: Path) -> bytes:
    """The 32 bytes of a key file; made when there is none."""
    with suppress(FileExistsError):
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    for _attempt in range(50):
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
        time.sleep(0.02)  # another process is writing it at this moment
    path.unlink()  # it never finished
    return load_key(path)
