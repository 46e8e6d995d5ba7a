"""The two keys of erasure, sealed by the vault: one marks tombstones, one signs receipts."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select

from sync.privacy.tables import erasure_key
from sync.vault import Place, Vault

MARKS, RECEIPTS = "marks", "receipts"


def marks_key(connection: Connection, vault: Vault) -> bytes:
    """The key of the tombstones; made with the first erasure. Raises VaultError."""
    known = opened(connection, vault, MARKS)
    if known is None:
        known = secrets.token_bytes(32)
        keep(connection, vault, MARKS, known)
    return known


def receipts_key(connection: Connection, vault: Vault) -> Ed25519PrivateKey:
    """The key that signs receipts. Raises VaultError."""
    known = opened(connection, vault, RECEIPTS)
    if known is not None:
        return Ed25519PrivateKey.from_private_bytes(known)
    made = Ed25519PrivateKey.generate()
    keep(connection, vault, RECEIPTS, made.private_bytes_raw())
    return made


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """What others verify with, raw."""
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return key.public_key().public_bytes(*raw)


def opened(connection: Connection, vault: Vault, name: str) -> bytes | None:
    """One of the keys, raw; None before the first erasure. Raises VaultError."""
    row = connection.execute(select(erasure_key.c.sealed).where(erasure_key.c.name == name)).one_or_none()
    return None if row is None else vault.open(connection, _place(name), bytes(row.sealed))


def keep(connection: Connection, vault: Vault, name: str, value: bytes) -> None:
    """Store one of the keys, which must not be there yet."""
    public = public_bytes(Ed25519PrivateKey.from_private_bytes(value)) if name == RECEIPTS else None
    sealed = vault.seal(connection, _place(name), value)
    connection.execute(insert(erasure_key).values(name=name, sealed=sealed, public=public))


def _place(name: str) -> Place:
    return Place("erasure_key", "sealed", name)
