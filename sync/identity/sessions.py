"""Sessions: kept in the database, so that every one can be ended at once; the cookie holds a random token only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from sync.identity.permissions import PERMISSIONS, Role
from sync.identity.principals import Principal, digest
from sync.identity.tables import user_account, user_session

LIFETIME = timedelta(hours=12)
_TOKEN_BYTES = 32
LONGEST_TOKEN = 200


class SessionView(NamedTuple):
    """One session as its user may see it; ``id`` is not the cookie's value."""

    id: str
    user: str
    way: str
    address: str
    agent: str
    created_at: datetime
    expires_at: datetime


def begin(connection: Connection, user_id: int, way: str, *, address: str = "", agent: str = "") -> str:
    """A new session; answers the cookie's value, which is stored nowhere."""
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), datetime.now(UTC)
    values = {"id": digest(token), "user_id": user_id, "way": way, "created_at": now, "expires_at": now + LIFETIME}
    values |= {"address": _text(address, 60), "agent": _text(agent, 300)}
    connection.execute(insert(user_session).values(values))
    connection.execute(update(user_account).where(user_account.c.id == user_id).values(signed_in_at=now))
    return token


def principal(connection: Connection, token: str) -> Principal | None:
    """Whose session a cookie's value is; None for one that never was, has ended, or whose user is disabled."""
    if not token or len(token) > LONGEST_TOKEN:
        return None
    statement = (
        select(user_session.c.id, user_account.c.id.label("user_id"), user_account.c.name, user_account.c.role)
        .join(user_account, user_account.c.id == user_session.c.user_id)
        .where(
            user_session.c.id == digest(token),
            user_session.c.revoked_at.is_(None),
            user_session.c.expires_at > datetime.now(UTC),
            user_account.c.disabled_at.is_(None),
        )
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    role = Role(row.role)
    return Principal(row.user_id, row.name, role, PERMISSIONS[role], session=bytes(row.id))


def end(connection: Connection, session: bytes) -> bool:
    """End a session; answers whether it was alive."""
    alive = (user_session.c.id == session) & user_session.c.revoked_at.is_(None)
    return connection.execute(update(user_session).where(alive).values(revoked_at=datetime.now(UTC))).rowcount == 1


def end_token(connection: Connection, token: str) -> bool:
    """End the session of a cookie's value; answers whether it was alive."""
    return end(connection, digest(token))


def revoke_all(connection: Connection, user_id: int) -> int:
    """End all sessions of a user; answers how many were alive."""
    alive = (user_session.c.user_id == user_id) & user_session.c.revoked_at.is_(None)
    return connection.execute(update(user_session).where(alive).values(revoked_at=datetime.now(UTC))).rowcount


def alive(connection: Connection, user_id: int) -> list[SessionView]:
    """The sessions of a user that have not ended, newest first."""
    statement = (
        select(user_session, user_account.c.name)
        .join(user_account, user_account.c.id == user_session.c.user_id)
        .where(
            user_session.c.user_id == user_id,
            user_session.c.revoked_at.is_(None),
            user_session.c.expires_at > datetime.now(UTC),
        )
        .order_by(user_session.c.created_at.desc())
    )
    return [_view(row) for row in connection.execute(statement)]


def csrf_token(token: str) -> str:
    """What a form or script must send along with the cookie: derived from it, so that nothing is stored."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"kehu csrf", hashlib.sha256).hexdigest()


def csrf_fits(token: str, sent: str) -> bool:
    """Whether the value sent belongs to the cookie."""
    return hmac.compare_digest(csrf_token(token).encode(), sent.encode("utf-8", "surrogatepass"))


def _view(row: Any) -> SessionView:
    number = bytes(row.id).hex()[:16]
    return SessionView(number, row.name, row.way, row.address, row.agent, row.created_at, row.expires_at)


def _text(value: str, longest: int) -> str:
    return value[:longest].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
