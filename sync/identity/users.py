"""Users: making, listing, changing, disabling. Every change is in the audit log."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from sync import audit
from sync.errors import Misused, NotFound, Refused
from sync.identity import passwords, sessions
from sync.identity.permissions import Role
from sync.identity.tables import api_key, user_account

_NAME = re.compile(r"[^\W_][\w.@+-]{0,119}")
_KNOWN = "`kehu user list` shows them."


class User(NamedTuple):
    """One user."""

    id: int
    name: str
    role: Role
    has_password: bool
    created_at: datetime
    signed_in_at: datetime | None
    disabled_at: datetime | None


def add(connection: Connection, name: str, role: Role, *, by: str, password: str | None = None) -> User:
    """A new user; without a password until one is set by a one-time link. Raises Misused, Refused, WeakPassword."""
    name = _checked(name)
    if find(connection, name) is not None:
        raise Refused("There is a user {name} already.", name=name, remedy="Choose another name.")
    values: dict[str, Any] = {"name": name, "role": role.value, "created_at": datetime.now(UTC)}
    values["password_hash"] = None if password is None else passwords.hashed(password, name)
    connection.execute(insert(user_account).values(values))
    audit.record(connection, by, "user.added", f"user:{name}", {"role": role.value})
    return get(connection, name)


def get(connection: Connection, name: str) -> User:
    """A user by name. Raises NotFound."""
    found = find(connection, name)
    if found is None:
        raise NotFound("There is no user {name}.", name=name[:80], remedy=_KNOWN)
    return found


def find(connection: Connection, name: str) -> User | None:
    """A user by name; None if there is none."""
    row = connection.execute(select(user_account).where(user_account.c.name == _folded(name))).one_or_none()
    return None if row is None else _user(row)


def all_users(connection: Connection, *, after: str = "", limit: int = 1_000) -> list[User]:
    """Users in order of name, after a name."""
    statement = select(user_account).where(user_account.c.name > after).order_by(user_account.c.name).limit(limit)
    return [_user(row) for row in connection.execute(statement)]


def set_role(connection: Connection, name: str, role: Role, *, by: str) -> User:
    """Give another role; the user signs in anew. Raises NotFound, Refused for the last administrator."""
    user = get(connection, name)
    if user.role is not role:
        _keep_one_admin(connection, user)
        _update(connection, user, role=role.value)
        sessions.revoke_all(connection, user.id)
        audit.record(connection, by, "user.role_changed", f"user:{user.name}", {"from": user.role, "to": role})
    return get(connection, name)


def disable(connection: Connection, name: str, *, by: str) -> User:
    """Shut a user out at once: sessions and keys end. Raises NotFound, Refused for the last administrator."""
    user = get(connection, name)
    if user.disabled_at is None:
        _keep_one_admin(connection, user)
        _update(connection, user, disabled_at=datetime.now(UTC))
        sessions.revoke_all(connection, user.id)
        held = (api_key.c.user_id == user.id) & api_key.c.revoked_at.is_(None)
        connection.execute(update(api_key).where(held).values(revoked_at=datetime.now(UTC)))
        audit.record(connection, by, "user.disabled", f"user:{user.name}")
    return get(connection, name)


def enable(connection: Connection, name: str, *, by: str) -> User:
    """Let a disabled user in again; keys stay revoked. Raises NotFound."""
    user = get(connection, name)
    if user.disabled_at is not None:
        _update(connection, user, disabled_at=None)
        audit.record(connection, by, "user.enabled", f"user:{user.name}")
    return get(connection, name)


def set_password(connection: Connection, name: str, password: str, *, by: str) -> None:
    """Set a password; all sessions end. Raises NotFound, WeakPassword."""
    user = get(connection, name)
    _update(connection, user, password_hash=passwords.hashed(password, user.name))
    sessions.revoke_all(connection, user.id)
    audit.record(connection, by, "user.password_set", f"user:{user.name}")


def _keep_one_admin(connection: Connection, user: User) -> None:
    if user.role is not Role.ADMIN:
        return
    # Locked, so that two administrators cannot remove each other at the same moment.
    admins = (user_account.c.role == Role.ADMIN.value) & user_account.c.disabled_at.is_(None)
    others = connection.execute(select(user_account.c.id).where(admins).with_for_update()).scalars().all()
    if set(others) <= {user.id}:
        raise Refused("{name} is the last administrator.", name=user.name, remedy="Make another one first.")


def count(connection: Connection) -> int:
    """How many users there are."""
    return int(connection.execute(select(func.count()).select_from(user_account)).scalar_one())


def _update(connection: Connection, user: User, **values: Any) -> None:
    connection.execute(update(user_account).where(user_account.c.id == user.id).values(**values))


def _checked(name: str) -> str:
    name = _folded(name)
    if not _NAME.fullmatch(name):
        raise Misused(
            "{name} cannot be the name of a user.",
            name=name[:80],
            remedy="Use letters, digits and . _ @ + -, at most 120 of them, and begin with a letter or digit.",
        )
    return name


def _folded(name: str) -> str:
    return name.strip().lower()[:200].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _user(row: Any) -> User:
    known = row.password_hash is not None
    return User(row.id, row.name, Role(row.role), known, row.created_at, row.signed_in_at, row.disabled_at)
