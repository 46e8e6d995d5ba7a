"""The ledger of erasures: what must outlive the database it happened in, so that no older copy brings anybody back.

It holds every erasure with its receipt, the tombstones, and the two keys, sealed by the master key. It is read from the
database that a restore replaces, and kept as a private file in the project's state folder after every erasure, in case
that database is lost. None of it is personal data; only who has the master key can tell whom a tombstone means.
"""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Select, inspect, select

from sync.errors import Misused
from sync.exporting.files import CannotWrite, appearing
from sync.logs import Logger
from sync.privacy.sealing import MARKS, RECEIPTS, opened
from sync.privacy.tables import erasure, tombstone
from sync.vault import Vault, VaultError

if TYPE_CHECKING:
    from sync.project import Project

FILE = "erasures.json"
KIND = "kehu erasure ledger 1"
LARGEST = 500_000_000
_CONTEXT = "erasure ledger"

log = Logger(__name__)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Erasures and tombstones as rows of their tables; ``marks`` and ``receipts`` are the keys themselves."""

    marks: bytes
    receipts: bytes | None
    erasures: tuple[dict[str, Any], ...]
    tombstones: tuple[dict[str, Any], ...]

    def __repr__(self) -> str:
        return f"Ledger({len(self.erasures)} erasures)"


def read(connection: Connection, vault: Vault) -> Ledger | None:
    """The ledger of a database; None where nobody was ever erased. Raises VaultError."""
    if not inspect(connection).has_table(erasure.name):
        return None
    erasures = _rows(connection, select(erasure).order_by(erasure.c.id))
    if not erasures:
        return None
    marks = opened(connection, vault, MARKS)
    if marks is None:
        raise VaultError("The key of the tombstones is missing.")
    stones = _rows(connection, select(tombstone).order_by(tombstone.c.mark))
    return Ledger(marks, opened(connection, vault, RECEIPTS), erasures, stones)


def _rows(connection: Connection, statement: Select[Any]) -> tuple[dict[str, Any], ...]:
    rows = connection.execute(statement).mappings()
    return tuple({str(name): value for name, value in row.items()} for row in rows)


def save(ledger: Ledger, path: Path, vault: Vault) -> None:
    """Write the ledger into a private file, whole or not at all. Raises CannotWrite."""
    keys = {MARKS: ledger.marks, RECEIPTS: ledger.receipts}
    said = {
        "kind": KIND,
        "keys": {name: _text(vault.seal_outside(_CONTEXT, key)) for name, key in keys.items() if key is not None},
        "erasures": [{**one, "receipt": one["receipt"] and orjson.loads(one["receipt"])} for one in ledger.erasures],
        "tombstones": list(ledger.tombstones),
    }
    with appearing(path, replace=True) as file:
        file.write(orjson.dumps({**said, "seal": _seal(ledger.marks, said)}, option=orjson.OPT_INDENT_2))
    os.chmod(path, 0o600)


def load(path: Path, vault: Vault) -> Ledger:
    """The ledger in a file. Raises Misused for what is none, or was changed; VaultError without its master key."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        said = orjson.loads(path.read_bytes())
        seal, keys = said.pop("seal"), {name: base64.b64decode(key) for name, key in said["keys"].items()}
        marks = vault.open_outside(_CONTEXT, keys[MARKS])
        if said["kind"] != KIND or not hmac.compare_digest(seal, _seal(marks, said)):
            raise ValueError("changed")
        receipts = vault.open_outside(_CONTEXT, keys[RECEIPTS]) if RECEIPTS in keys else None
        return Ledger(marks, receipts, tuple(map(_row, said["erasures"])), tuple(said["tombstones"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Misused(
            "{file} is not a whole ledger of erasures.",
            file=str(path)[:300],
            remedy="Name a file that `kehu master erasures --out FILE` has written, unchanged.",
        ) from None


def keep(project: Project) -> None:
    """Write the ledger of a project beside its database, as after every erasure; a full disk is no reason to fail."""
    with project.database.reading() as connection:
        ledger = read(connection, project.vault)
    if ledger is None:
        return
    try:
        save(ledger, kept_at(project), project.vault)
    except CannotWrite as error:
        log.error("the ledger of erasures was not kept", exc_info=error)


def kept_at(project: Project) -> Path:
    """Where the ledger of a project is kept."""
    return project.state_folder / FILE


def _row(said: dict[str, Any]) -> dict[str, Any]:
    times = {name: said[name] and datetime.fromisoformat(said[name]) for name in ("requested_at", "finished_at")}
    receipt = None if said["receipt"] is None else orjson.dumps(said["receipt"]).decode()
    return {**said, **times, "receipt": receipt}


def _seal(key: bytes, said: dict[str, Any]) -> str:
    return hmac.digest(key, orjson.dumps(said, option=orjson.OPT_SORT_KEYS), "sha256").hex()


def _text(sealed: bytes) -> str:
    return base64.b64encode(sealed).decode()
