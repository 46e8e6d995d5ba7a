"""API keys: shown once, stored hashed, with scopes and an end. A key may never more than its owner may.

A key reads ``kehu_<id>_<secret>``: the id is public and names the key in lists and in the audit log.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Select, insert, select, update

from sync import audit
from sync.errors import Misused, NotFound
from sync.identity.errors import Forbidden
from sync.identity.permissions import PERMISSIONS, SCOPES, Permission, Role
from sync.identity.principals import Principal, digest
from sync.identity.tables import api_key, user_account

_FORM = re.compile(r"kehu_(?P<id>[a-z2-7]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_HOUR = timedelta(hours=1)
LONGEST_DAYS = 3_650


class KeyView(NamedTuple):
    """One key, without its secret."""

    id: str
    name: str
    user: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class Created(NamedTuple):
    """A new key; ``secret`` is what the client sends, and is shown this once."""

    key: KeyView
    secret: str


def create(
    connection: Connection, name: str, user: str, scopes: Collection[str], *, by: str, days: int | None = 365
) -> Created:
    """A new key of a user. Raises Misused for unknown scopes, Forbidden for scopes its owner has not, NotFound."""
    owner = _owner(connection, user)
    wanted = _scopes(scopes)
    beyond = sorted(wanted - PERMISSIONS[Role(owner.role)])
    if beyond:
        raise Forbidden("{user} has not the permission {scopes}.", user=owner.name, scopes=", ".join(beyond))
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise Misused("A key lives between 1 and {longest} days.", longest=LONGEST_DAYS)
    number = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    secret, now = f"kehu_{number}_{secrets.token_urlsafe(32)}", datetime.now(UTC)
    values = {
        "id": number,
        "name": _named(name),
        "hash": digest(secret),
        "user_id": owner.id,
        "scopes": orjson.dumps(sorted(wanted)).decode(),
        "created_at": now,
        "expires_at": None if days is None else now + timedelta(days=days),
    }
    connection.execute(insert(api_key).values(values))
    details = {"user": owner.name, "scopes": sorted(wanted), "days": days}
    audit.record(connection, by, "key.created", f"key:{number}", details)
    return Created(get(connection, number), secret)


def principal(connection: Connection, secret: str) -> Principal | None:
    """Whose key it is; None for one that never was, has expired or was revoked, or whose owner is disabled."""
    form = _FORM.fullmatch(secret)
    if form is None:
        return None
    now = datetime.now(UTC)
    statement = (
        select(api_key, user_account.c.name.label("user"), user_account.c.role)
        .join(user_account, user_account.c.id == api_key.c.user_id)
        .where(api_key.c.id == form["id"], api_key.c.revoked_at.is_(None), user_account.c.disabled_at.is_(None))
    )
    row = connection.execute(statement).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.hash), digest(secret)):
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    role = Role(row.role)
    scopes = {Permission(scope) for scope in orjson.loads(row.scopes) if scope in SCOPES}
    allowed = PERMISSIONS[role] & (scopes | {Permission.SELF})
    return Principal(row.user_id, row.user, role, allowed, key=row.id)


def use_is_news(connection: Connection, number: str) -> bool:
    """Whether the last use that was noted is older than an hour."""
    return connection.execute(select(api_key.c.id).where(api_key.c.id == number, _stale())).one_or_none() is not None


def note_use(connection: Connection, number: str) -> None:
    """Remember that a key was used; written once an hour."""
    used = update(api_key).where(api_key.c.id == number, _stale()).values(used_at=datetime.now(UTC))
    connection.execute(used)


def get(connection: Connection, number: str) -> KeyView:
    """A key by its public id. Raises NotFound."""
    row = connection.execute(_keys().where(api_key.c.id == number)).one_or_none()
    if row is None:
        raise NotFound("There is no API key {key}.", key=number[:40], remedy="`kehu key list` shows them.")
    return _view(row)


def all_keys(
    connection: Connection, *, user_id: int | None = None, after: str = "", limit: int = 1_000
) -> list[KeyView]:
    """Keys in order of id, of one user or of all."""
    statement = _keys().where(api_key.c.id > after).order_by(api_key.c.id).limit(limit)
    if user_id is not None:
        statement = statement.where(api_key.c.user_id == user_id)
    return [_view(row) for row in connection.execute(statement)]


def revoke(connection: Connection, number: str, *, by: str) -> KeyView:
    """End a key at once; again is harmless. Raises NotFound."""
    found = get(connection, number)
    if found.revoked_at is None:
        connection.execute(update(api_key).where(api_key.c.id == number).values(revoked_at=datetime.now(UTC)))
        audit.record(connection, by, "key.revoked", f"key:{number}", {"user": found.user})
    return get(connection, number)


def _stale() -> ColumnElement[bool]:
    return api_key.c.used_at.is_(None) | (api_key.c.used_at < datetime.now(UTC) - _HOUR)


def _owner(connection: Connection, user: str) -> Any:
    wanted = (user_account.c.name == user.strip().lower()) & user_account.c.disabled_at.is_(None)
    row = connection.execute(select(user_account).where(wanted)).one_or_none()
    if row is None:
        raise NotFound("There is no user {name}.", name=user[:80], remedy="`kehu user list` shows them.")
    return row


def _scopes(scopes: Collection[str]) -> frozenset[Permission]:
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        raise Misused(
            "There is no scope {scopes}. There are: {known}.",
            scopes=", ".join(unknown)[:200] or "-",
            known=", ".join(sorted(SCOPES)),
            remedy="Name at least one of them.",
        )
    return frozenset(map(Permission, scopes))


def _named(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 120 or not name.isprintable():
        raise Misused("A key needs a name of at most {longest} characters: what is it for?", longest=120)
    return name


def _keys() -> Select[Any]:
    return select(api_key, user_account.c.name.label("user")).join(user_account, user_account.c.id == api_key.c.user_id)


def _view(row: Any) -> KeyView:
    scopes = tuple(orjson.loads(row.scopes))
    return KeyView(row.id, row.name, row.user, scopes, row.created_at, row.expires_at, row.used_at, row.revoked_at)
