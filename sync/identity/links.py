"""One-time links by which a user sets a password: made by an administrator, used once, for a day."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from sync import audit
from sync.identity import users
from sync.identity.errors import NotSignedIn
from sync.identity.principals import digest
from sync.identity.tables import one_time_link, user_account

LIFETIME = timedelta(hours=24)


def make(connection: Connection, name: str, *, by: str) -> str:
    """The token of a new link; earlier ones of the user stop working. Raises NotFound."""
    user = users.get(connection, name)
    connection.execute(delete(one_time_link).where(one_time_link.c.user_id == user.id))
    token = secrets.token_urlsafe(32)
    values = {"hash": digest(token), "user_id": user.id, "expires_at": datetime.now(UTC) + LIFETIME}
    connection.execute(insert(one_time_link).values(values))
    audit.record(connection, by, "user.link_made", f"user:{user.name}")
    return token


def whose(connection: Connection, token: str) -> str:
    """The name of the user that a link is for. Raises NotSignedIn if it does not work (any more)."""
    statement = (
        select(user_account.c.name)
        .join(one_time_link, one_time_link.c.user_id == user_account.c.id)
        .where(
            one_time_link.c.hash == digest(token[:200]),
            one_time_link.c.expires_at > datetime.now(UTC),
            user_account.c.disabled_at.is_(None),
        )
    )
    found = connection.execute(statement).scalar_one_or_none()
    if found is None:
        raise NotSignedIn(
            "This link does not work any more.", remedy="An administrator makes a new one with `kehu user reset NAME`."
        )
    return str(found)


def use(connection: Connection, token: str, password: str) -> str:
    """Set the password, and use the link up; answers the user's name. Raises NotSignedIn, WeakPassword."""
    name = whose(connection, token)
    gone = connection.execute(delete(one_time_link).where(one_time_link.c.hash == digest(token[:200])))
    if gone.rowcount != 1:
        raise NotSignedIn("This link does not work any more.")
    users.set_password(connection, name, password, by=f"user:{name}")
    return name
