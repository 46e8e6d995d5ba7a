"""Tokens: where a consumer goes on. Opaque to consumers, bound to one feed, checked in every part.

A token names the feed (so that a restored copy of the database that went its own way is noticed), the number of the
last change the consumer was told of, and, while it is still being given the snapshot, the last customer it has.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from struct import Struct
from typing import NamedTuple

from sqlalchemy import Connection

from sync.errors import Misused, SyncError
from sync.master.bulk import Bulk, bulk_for

FEED, FLOOR, HEAD = "feed", "change_floor", "change"
"""In ``counter``: which feed this is, the last change that was compacted, the last change."""
LONGEST = 60
_LIVE, _SNAPSHOT = Struct(">BQQ"), Struct(">BQQq")


class BadToken(Misused):
    """What was sent is no token of ours."""

    code = "bad_token"
    default_remedy = "Send the `token` of the latest answer or event as it was, or begin again without one."


class TokenExpired(SyncError):
    """The changes after this token are no longer kept, or are of another copy of the database."""

    code = "token_expired"
    default_remedy = "Start again without a token: first the customers as they are, then every change."


class Token(NamedTuple):
    """A place in a feed. ``after``: customers up to this id were told of; None: all, the snapshot is done."""

    feed: int
    seq: int
    after: int | None = None


class Bounds(NamedTuple):
    """Which feed this is; changes after ``floor`` up to ``head`` can be read."""

    feed: int
    floor: int
    head: int


def encode(token: Token) -> str:
    """The token as text that is safe in an address and in a header."""
    if token.after is None:
        packed = _LIVE.pack(1, token.feed, token.seq)
    else:
        packed = _SNAPSHOT.pack(2, token.feed, token.seq, token.after)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> Token:
    """The place behind a text. Raises BadToken."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _bad() from None
    if len(packed) == _LIVE.size and packed[0] == 1:
        token = Token(*_LIVE.unpack(packed)[1:])
    elif len(packed) == _SNAPSHOT.size and packed[0] == 2:
        token = Token(*_SNAPSHOT.unpack(packed)[1:])
    else:
        raise _bad()
    if token.feed >= 1 << 63 or token.seq >= 1 << 63:
        raise _bad()
    return token


def bounds(bulk: Bulk) -> Bounds:
    """What can be read now."""
    rows = bulk.fetch("SELECT name, value FROM counter WHERE name IN (?, ?, ?)", FEED, FLOOR, HEAD)
    values: dict[str, int] = {name: value for name, value in rows}
    return Bounds(values.get(FEED, 0), values.get(FLOOR, 0), values.get(HEAD, 0))


def check(token: Token, known: Bounds) -> None:
    """Raises TokenExpired for a token whose following changes cannot all be read here."""
    if token.feed != known.feed or token.seq > known.head:
        raise TokenExpired("This token belongs to another copy of the database.")
    if token.seq < known.floor:
        raise TokenExpired("The changes after this token are no longer kept.")


def now(connection: Connection) -> Token:
    """The place after the newest change: read in the transaction of an export, where to go on from it."""
    known = bounds(bulk_for(connection))
    return Token(known.feed, known.head)


def start(connection: Connection) -> Token:
    """The place before everything: the customers as they are come first."""
    return now(connection)._replace(after=-1)


def renew(connection: Connection) -> None:
    """Make this another feed, e.g. after restoring a backup: all tokens given so far have expired."""
    bulk = bulk_for(connection)
    bulk.run("DELETE FROM counter WHERE name = ?", FEED)
    bulk.run("INSERT INTO counter (name, value) VALUES (?, ?)", FEED, secrets.randbits(62))


def _bad() -> BadToken:
    return BadToken("This is not a token of the change feed.")
