"""Secrets at rest: envelope encryption. Values are sealed by data keys, data keys are wrapped by the master key.

AES-256-GCM; what a value is sealed for (table, column, row) is authenticated with it, so that a ciphertext moved to
another place does not open. The master key is ``KEHU_MASTER_KEY`` (base64 of 32 bytes; several, separated by commas,
while it is being changed: the first is the current one), else a private file of the project.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Connection, Integer, LargeBinary, String, Table, delete, insert, select, update

from connectors.errors import BadConfiguration
from sync import audit
from sync.database import UtcDateTime, metadata
from sync.errors import Misused, NotFound, SyncError
from sync.keyfile import load_key

VARIABLE = "KEHU_MASTER_KEY"
LONGEST = 64_000
_VERSION, _NONCE = b"\x01", 12

data_key = Table(
    "data_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False, comment="the key, sealed by the master key"),
    Column("master", String(16), nullable=False, comment="which master key: the first half of its SHA-256"),
    Column("created_at", UtcDateTime, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    Column("name", String(120), primary_key=True, comment="referred to as vault:NAME"),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)


class VaultError(SyncError):
    """A sealed value does not open: another master key, or it was tampered with."""

    code = "vault_error"
    default_remedy = "Check KEHU_MASTER_KEY: it must hold the key with which the secrets were stored."


class Place(NamedTuple):
    """What a value is sealed for; it opens nowhere else."""

    table: str
    column: str
    row: str

    @property
    def context(self) -> bytes:
        """What is authenticated along with the value."""
        return "\x1f".join(self).encode("utf-8", "surrogatepass")


class SecretView(NamedTuple):
    """A stored secret without its value."""

    name: str
    changed_at: datetime
    key: int


class Vault:
    """Seals and opens values inside the caller's transactions. ``masters``: the current master key first."""

    def __init__(self, masters: Sequence[bytes]) -> None:
        self._masters = {_mark(key): key for key in masters}
        self._current = _mark(masters[0])
        self._keys: dict[bytes, bytes] = {}  # by the wrapped key: a number may be rolled back and given anew

    def __repr__(self) -> str:
        return f"Vault(masters={list(self._masters)})"

    @classmethod
    def at(cls, folder: Path, environment: Mapping[str, str] | None = None) -> Vault:
        """The vault of a project's state folder. Raises BadConfiguration for a master key that is none."""
        given = (os.environ if environment is None else environment).get(VARIABLE, "")
        if given:
            return cls([_decoded(part) for part in given.split(",")])
        return cls([load_key(folder / "master.key")])

    def lacks(self, connection: Connection) -> int:
        """How many data keys were wrapped by a master key that is not given: what they seal cannot be opened."""
        marks = connection.execute(select(data_key.c.master)).scalars()
        return sum(mark not in self._masters for mark in marks)

    def seal(self, connection: Connection, place: Place, value: bytes) -> bytes:
        """The value encrypted for a place, with the newest data key; the first one is made when there is none."""
        number = connection.execute(select(data_key.c.id).order_by(data_key.c.id.desc()).limit(1)).scalar_one_or_none()
        number = self._new_key(connection) if number is None else number
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self._key(connection, number)).encrypt(nonce, value, place.context)
        return _VERSION + number.to_bytes(4, "big") + nonce + sealed

    def open(self, connection: Connection, place: Place, sealed: bytes) -> bytes:
        """The value behind a ciphertext. Raises VaultError if it was sealed for another place or key, or changed."""
        number, nonce, rest = key_of(sealed), sealed[5 : 5 + _NONCE], sealed[5 + _NONCE :]
        try:
            return AESGCM(self._key(connection, number)).decrypt(nonce, rest, place.context)
        except (InvalidTag, ValueError):
            raise VaultError("A stored secret cannot be opened.") from None

    def seal_outside(self, context: str, value: bytes) -> bytes:
        """The value encrypted by the master key itself, for a file that is opened without the database."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + AESGCM(self._masters[self._current]).encrypt(nonce, value, context.encode())

    def open_outside(self, context: str, sealed: bytes) -> bytes:
        """What ``seal_outside`` sealed, by any of the master keys given. Raises VaultError."""
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        for master in self._masters.values():
            try:
                return AESGCM(master).decrypt(nonce, rest, context.encode())
            except (InvalidTag, ValueError):
                continue
        raise VaultError("A stored secret cannot be opened: the master key is another one.")

    def put(self, connection: Connection, name: str, value: str, *, by: str) -> None:
        """Store a named secret. Raises Misused for a name or size that will not do."""
        if not name.isprintable() or not 1 <= len(name) <= 120 or len(value.encode()) > LONGEST or not value:
            raise Misused("A secret has a name of at most {longest} characters, and a value.", longest=120)
        sealed = self.seal(connection, _place(name), value.encode())
        connection.execute(delete(secret).where(secret.c.name == name))
        connection.execute(insert(secret).values(name=name, sealed=sealed, changed_at=datetime.now(UTC)))
        audit.record(connection, by, "secret.stored", f"secret:{name}")

    def get(self, connection: Connection, name: str) -> str | None:
        """The value of a named secret; None if there is none. Raises VaultError."""
        row = connection.execute(select(secret.c.sealed).where(secret.c.name == name)).one_or_none()
        return None if row is None else self.open(connection, _place(name), bytes(row.sealed)).decode()

    def remove(self, connection: Connection, name: str, *, by: str) -> None:
        """Forget a named secret. Raises NotFound."""
        if connection.execute(delete(secret).where(secret.c.name == name)).rowcount != 1:
            raise NotFound("There is no secret {name}.", name=name[:80], remedy="`kehu secret list` shows them.")
        audit.record(connection, by, "secret.removed", f"secret:{name}")

    def rotate(self, connection: Connection, *, by: str) -> int:
        """A new data key: all named secrets are sealed anew, all data keys wrapped by the current master key.

        Answers how many secrets. Old data keys stay for values that others have sealed.
        """
        self._rewrap(connection)
        self._new_key(connection)
        rows = connection.execute(select(secret.c.name, secret.c.sealed)).all()
        for name, sealed in rows:
            renewed = self.seal(connection, _place(name), self.open(connection, _place(name), bytes(sealed)))
            connection.execute(update(secret).where(secret.c.name == name).values(sealed=renewed))
        audit.record(connection, by, "secret.rotated", "vault", {"secrets": len(rows)})
        return len(rows)

    def _rewrap(self, connection: Connection) -> None:
        for row in connection.execute(select(data_key).where(data_key.c.master != self._current)).all():
            wrapped = self._wrap(row.id, self._key(connection, row.id))
            values = {"wrapped": wrapped, "master": self._current}
            connection.execute(update(data_key).where(data_key.c.id == row.id).values(values))

    def _new_key(self, connection: Connection) -> int:
        values: dict[str, Any] = {"wrapped": b"", "master": self._current, "created_at": datetime.now(UTC)}
        number = int(connection.execute(insert(data_key).values(values).returning(data_key.c.id)).scalar_one())
        wrapped = self._wrap(number, secrets.token_bytes(32))
        connection.execute(update(data_key).where(data_key.c.id == number).values(wrapped=wrapped))
        return number

    def _wrap(self, number: int, key: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self._masters[self._current]).encrypt(nonce, key, _context(number))

    def _key(self, connection: Connection, number: int) -> bytes:
        row = connection.execute(select(data_key).where(data_key.c.id == number)).one_or_none()
        master = None if row is None else self._masters.get(row.master)
        if row is None or master is None:
            raise VaultError("A stored secret cannot be opened: the master key is another one.")
        wrapped = bytes(row.wrapped)
        if wrapped not in self._keys:
            try:
                self._keys[wrapped] = AESGCM(master).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _context(number))
            except InvalidTag:
                raise VaultError("A stored secret cannot be opened.") from None
        return self._keys[wrapped]


def stored(connection: Connection) -> list[SecretView]:
    """The named secrets, without values."""
    rows = connection.execute(select(secret).order_by(secret.c.name))
    return [SecretView(row.name, row.changed_at, key_of(bytes(row.sealed))) for row in rows]


def key_of(sealed: bytes) -> int:
    """The number of the data key a value is sealed with. Raises VaultError for what is no sealed value."""
    if len(sealed) < 5 + _NONCE or sealed[:1] != _VERSION:
        raise VaultError("A stored secret cannot be opened.")
    return int.from_bytes(sealed[1:5], "big")


def _place(name: str) -> Place:
    return Place("secret", "sealed", name)


def _context(number: int) -> bytes:
    return Place("data_key", "wrapped", str(number)).context


def _mark(key: bytes) -> str:
    return sha256(b"kehu master key" + key).hexdigest()[:16]


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BadConfiguration(
            "{variable} does not hold 32 bytes in base64.",
            setting=VARIABLE,
            variable=VARIABLE,
            remedy="Make one with `openssl rand -base64 32`, and keep it where backups of the database are not.",
        )
    return key
