"""The audit log: who did what, append-only, each entry chained to the one before by its hash.

``hash = SHA-256(previous hash ‖ canonical JSON of the entry)``. The number comes from a counter row that stays locked
until the commit, so that concurrent writers form one chain; call ``record`` last in a unit of work, since others wait.
Who can write to the database could rewrite the whole chain: keep heads (``kehu audit head``) somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, String, Table, Text, insert, select

from sync.database import UtcDateTime, metadata
from sync.language import Phrase
from sync.master.bulk import bulk_for
from sync.master.tables import counter

COUNTER = "audit"
SYSTEM = "system"
LONGEST_DETAILS = 20_000
_PAGE = 1_000
_FIRST = bytes(32)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="gap-free, from 1"),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(200), nullable=False, comment="user:NAME, key:ID, cli:LOGIN, steward:NAME or system"),
    Column("action", String(80), nullable=False),
    Column("object", Text, nullable=False, comment="what it was done to, e.g. connection:erp"),
    Column("details", Text, nullable=False, comment="JSON; never secrets, never whole records"),
    Column("hash", LargeBinary, nullable=False),
    comment="Who did what. Triggers forbid changes; the chain of hashes proves that there were none.",
)

_acting: ContextVar[str] = ContextVar("kehu_actor", default=SYSTEM)


class Entry(NamedTuple):
    """One entry, with its hash in hexadecimal."""

    seq: int
    at: datetime
    actor: str
    action: str
    object: str
    details: dict[str, Any]
    hash: str


class Head(NamedTuple):
    """The newest entry's number and hash; (0, zeros) for an empty log. Written as ``SEQ:HASH``."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


class Finding(NamedTuple):
    """What is wrong with an entry."""

    seq: int
    what: str


class Verified(NamedTuple):
    """The outcome of a check: how many entries, what is wrong with which, and the head."""

    entries: int
    findings: list[Finding]
    head: Head


def actor() -> str:
    """Who acts in this context; ``system`` if nobody said."""
    return _acting.get()


def act_as(name: str) -> None:
    """From now on this context acts as somebody."""
    _acting.set(name[:200])


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Act as somebody while the block runs."""
    token = _acting.set(name[:200])
    try:
        yield
    finally:
        _acting.reset(token)


def record(
    connection: Connection, actor: str, action: str, object: str, details: Mapping[str, Any] | None = None
) -> int:
    """Append an entry in the caller's transaction; answers its number.

    ``details`` are small, JSON-like, and hold neither secrets nor personal data.
    """
    number = bulk_for(connection).numbers(COUNTER, 1)[0]
    before = connection.execute(select(audit_entry.c.hash).where(audit_entry.c.seq == number - 1)).scalar_one_or_none()
    text = orjson.dumps(dict(details or {}), option=orjson.OPT_SORT_KEYS, default=str).decode()
    if len(text) > LONGEST_DETAILS:
        text = orjson.dumps({"shortened": text[:1_000]}).decode()
    at = datetime.now(UTC)
    words = (_storable(actor[:200]), _storable(action[:80]), _storable(object[:500]), _storable(text))
    hashed = _hash(bytes(before or _FIRST), number, at, *words)
    row = dict(zip(("actor", "action", "object", "details"), words, strict=True))
    connection.execute(insert(audit_entry).values(seq=number, at=at, hash=hashed, **row))
    return number


def entries(
    connection: Connection,
    *,
    before: int | None = None,
    limit: int = 50,
    actor: str | None = None,
    action: str | None = None,
    object: str | None = None,
) -> list[Entry]:
    """The newest entries first, below a number; all filters must fit."""
    statement = select(audit_entry).order_by(audit_entry.c.seq.desc()).limit(limit)
    if before is not None:
        statement = statement.where(audit_entry.c.seq < before)
    for column, value in {"actor": actor, "action": action, "object": object}.items():
        if value is not None:
            statement = statement.where(audit_entry.c[column] == value)
    return [_entry(row) for row in connection.execute(statement)]


def head(connection: Connection) -> Head:
    """The newest entry's number and hash, to be kept outside."""
    statement = select(audit_entry.c.seq, audit_entry.c.hash).order_by(audit_entry.c.seq.desc()).limit(1)
    row = connection.execute(statement).one_or_none()
    return Head(0, _FIRST.hex()) if row is None else Head(row.seq, bytes(row.hash).hex())


def verify(connection: Connection, anchor: Head | None = None) -> Verified:
    """Check the whole chain, and that a head kept outside is in it. Names every entry that is wrong."""
    findings: list[Finding] = []
    count, previous, hash_before = 0, 0, _FIRST
    seen_anchor = anchor is None or anchor.seq == 0
    for row in _rows(connection):
        count += 1
        findings += [Finding(gone, Phrase("the entry is missing")) for gone in range(previous + 1, row.seq)][:_PAGE]
        stored = bytes(row.hash)
        if row.seq == previous + 1 and stored != _hash_of(row, hash_before):
            findings.append(Finding(row.seq, Phrase("the entry was changed, or the one before it")))
        if anchor is not None and row.seq == anchor.seq:
            seen_anchor = True
            if stored.hex() != anchor.hash:
                findings.append(Finding(row.seq, Phrase("the entry is not the one whose hash was kept outside")))
        previous, hash_before = row.seq, stored
    findings += _cut_off(connection, previous, None if seen_anchor else anchor)
    return Verified(count, findings, Head(previous, hash_before.hex()))


def _cut_off(connection: Connection, last: int, anchor: Head | None) -> list[Finding]:
    """Entries that are missing at the end, as the counter and the anchor tell."""
    issued = connection.execute(select(counter.c.value).where(counter.c.name == COUNTER)).scalar_one_or_none() or 0
    end = max(issued, anchor.seq if anchor else 0)
    return [Finding(gone, Phrase("the entry is missing")) for gone in range(last + 1, min(end, last + _PAGE) + 1)]


def _rows(connection: Connection) -> Iterator[Any]:
    last = 0
    while True:
        statement = select(audit_entry).where(audit_entry.c.seq > last).order_by(audit_entry.c.seq).limit(_PAGE)
        page = connection.execute(statement).all()
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].seq


def _hash_of(row: Any, before: bytes) -> bytes:
    return _hash(before, row.seq, row.at, row.actor, row.action, row.object, row.details)


def _hash(before: bytes, seq: int, at: datetime, actor: str, action: str, object: str, details: str) -> bytes:
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    return sha256(before + orjson.dumps([seq, moment, actor, action, object, details])).digest()


def _entry(row: Any) -> Entry:
    details = orjson.loads(row.details)
    return Entry(row.seq, row.at, row.actor, row.action, row.object, details, bytes(row.hash).hex())


def _storable(value: str) -> str:
    """The text as both databases can hold it: no NUL, no lone surrogates."""
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
