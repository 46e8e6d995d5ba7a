"""Answers to writes that may be sent twice: the same key and body get the same answer, stored for a day.

While a write runs its key is held by a lock that the database server or the kernel frees when the process dies, so
that a crash never leaves a key claimed. The answer is stored in the transaction of the work itself where there is one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import orjson
import xxhash
from sqlalchemy import Column, Connection, Integer, LargeBinary, String, Table, Text, delete, insert, select, text

from sync.database import Database, UtcDateTime, metadata
from sync.errors import Refused
from sync.vault import Place, Vault

KEPT_FOR = timedelta(hours=24)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("owner", String(120), primary_key=True, comment="user:NAME or key:ID"),
    Column("key", String(200), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False, comment="SHA-256 of method, address and body"),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False, comment="JSON"),
    Column("body", LargeBinary, nullable=False, comment="sealed: it may hold what is shown once"),
    Column("at", UtcDateTime, nullable=False, index=True),
    comment="Answers to writes, for who sends the same again.",
)


class InFlight(Refused):
    """The same key is being worked on at this moment."""

    code = "idempotency_in_flight"
    default_remedy = "Wait a little, then send the same request again."


class Claim(NamedTuple):
    """Who sends which key, and the SHA-256 of what is asked."""

    owner: str
    key: str
    fingerprint: bytes


class Answer(NamedTuple):
    """An HTTP answer as it is stored."""

    status: int
    headers: dict[str, str]
    body: bytes


class Stored(NamedTuple):
    """An answer, and the fingerprint of the request it belongs to."""

    fingerprint: bytes
    answer: Answer


@contextmanager
def held(database: Database, claim: Claim) -> Iterator[None]:
    """Hold a key while the block runs. Raises InFlight while somebody else holds it, here or in another process."""
    number = xxhash.xxh3_64_intdigest(f"{claim.owner}\n{claim.key}".encode("utf-8", "replace")) >> 1
    with _on_postgres(database, number) if database.is_postgres else _by_file(database, number):
        yield


def find(connection: Connection, vault: Vault, claim: Claim) -> Stored | None:
    """What was answered to this owner's key; None if nothing (any more)."""
    row = connection.execute(
        select(idempotency_key).where(
            idempotency_key.c.owner == claim.owner,
            idempotency_key.c.key == claim.key,
            idempotency_key.c.at > datetime.now(UTC) - KEPT_FOR,
        )
    ).one_or_none()
    if row is None:
        return None
    body = vault.open(connection, _place(claim), bytes(row.body))
    return Stored(bytes(row.fingerprint), Answer(row.status, orjson.loads(row.headers), body))


def opened(connection: Connection, vault: Vault, owner: str, key: str) -> bytes:
    """The stored answer's body; empty for none. Raises VaultError."""
    mine = (idempotency_key.c.owner == owner) & (idempotency_key.c.key == key)
    sealed = connection.execute(select(idempotency_key.c.body).where(mine)).scalar_one_or_none()
    return b"" if sealed is None else vault.open(connection, _place(Claim(owner, key, b"")), bytes(sealed))


def store(connection: Connection, vault: Vault, claim: Claim, answer: Answer) -> None:
    """Keep an answer, sealed, in the caller's transaction; forgets the old ones."""
    own = (idempotency_key.c.owner == claim.owner) & (idempotency_key.c.key == claim.key)
    now = datetime.now(UTC)
    connection.execute(delete(idempotency_key).where(own | (idempotency_key.c.at <= now - KEPT_FOR)))
    body = vault.seal(connection, _place(claim), answer.body)
    values = {**claim._asdict(), "status": answer.status, "body": body, "at": now}
    connection.execute(insert(idempotency_key).values(headers=orjson.dumps(answer.headers).decode(), **values))


def _place(claim: Claim) -> Place:
    return Place("idempotency_key", "body", f"{claim.owner}\x1f{claim.key}")


@contextmanager
def _on_postgres(database: Database, number: int) -> Iterator[None]:
    with database.engine.connect() as made:
        connection = made.execution_options(isolation_level="AUTOCOMMIT")
        if not connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}).scalar_one():
            raise _in_flight()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": number})


@contextmanager
def _by_file(database: Database, number: int) -> Iterator[None]:
    folder = Path(f"{database.url.database}.held")
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{number:x}"
    descriptor = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is locked, so that nobody locks a file that is gone
        os.close(descriptor)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise _in_flight() from None
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)  # it was removed between the two calls


def _in_flight() -> InFlight:
    return InFlight("The same request is being worked on.")
