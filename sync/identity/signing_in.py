"""The ways in: by password, and by the local link of whoever may read the project's private files."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection, select, update

from sync import audit
from sync.database import Database
from sync.identity import links, passwords, sessions, throttle, users
from sync.identity.errors import WrongCredentials
from sync.identity.permissions import Role
from sync.identity.tables import user_account

if TYPE_CHECKING:
    from sync.identity.sign_on import Person

LOCAL_ADMIN = "admin"
"""The user as whom a local link signs in; made at the first start."""


class Visit(NamedTuple):
    """Where a sign-in comes from."""

    address: str = ""
    agent: str = ""


class _UsedUp(Exception):
    """The link does not work: nothing is to be done."""


def by_password(database: Database, name: str, password: str, visit: Visit) -> str:
    """A new session's cookie value. Raises WrongCredentials, TooManyAttempts."""
    name = name.strip().lower()[:120]
    with database.transaction() as connection:
        throttle.charge(connection, name, visit.address)
        row = connection.execute(
            select(user_account).where(user_account.c.name == name, user_account.c.disabled_at.is_(None))
        ).one_or_none()
    stored = None if row is None else row.password_hash
    if not passwords.fits(password, stored) or row is None or stored is None:
        with database.transaction() as connection:
            audit.record(connection, "anonymous", "sign_in.failed", f"user:{name}", {"address": visit.address})
        raise WrongCredentials("Name and password do not fit.")
    with database.transaction() as connection:
        throttle.clear(connection, name, visit.address)
        if passwords.outdated(stored):
            renewed = passwords.rehashed(password)
            connection.execute(update(user_account).where(user_account.c.id == row.id).values(password_hash=renewed))
        return _begin(connection, row.id, name, "password", visit)


def by_local_link(database: Database, use: Callable[[], bool], visit: Visit) -> str | None:
    """A session of the local administrator; ``use`` uses the link up. None, and nothing done, if it was used."""
    try:
        with database.transaction() as connection:
            user = users.find(connection, LOCAL_ADMIN)
            if user is None:
                user = users.add(connection, LOCAL_ADMIN, Role.ADMIN, by=audit.SYSTEM)
            token = _begin(connection, user.id, user.name, "link", visit)
            if not use():
                raise _UsedUp
            return token
    except _UsedUp:
        return None


def by_new_password(database: Database, token: str, password: str, visit: Visit) -> str:
    """Set a password by a one-time link, and begin a session. Raises NotSignedIn, WeakPassword."""
    with database.transaction() as connection:
        user = users.get(connection, links.use(connection, token, password))
        throttle.clear(connection, user.name, visit.address)
        return _begin(connection, user.id, user.name, "password", visit)


def by_sign_on(database: Database, person: Person, visit: Visit) -> str:
    """A session of whom the provider vouches for; made a user at the first time, given today's role each time.

    Raises WrongCredentials for a user who was disabled. A name that somebody else has here already gets the provider's
    host behind it: nobody takes over a user by being called the same elsewhere.
    """
    with database.transaction() as connection:
        mine = (user_account.c.issuer == person.issuer) & (user_account.c.subject == person.subject)
        row = connection.execute(select(user_account).where(mine)).one_or_none()
        if row is None:
            user = users.add(connection, _free_name(connection, person), person.role, by="sso")
            bound = {"issuer": person.issuer, "subject": person.subject}
            connection.execute(update(user_account).where(user_account.c.id == user.id).values(**bound))
        elif row.disabled_at is not None:
            raise WrongCredentials("Name and password do not fit.")
        else:
            user = users.get(connection, row.name)
            if user.role is not person.role:
                user = users.set_role(connection, user.name, person.role, by="sso")
        return _begin(connection, user.id, user.name, "sso", visit)


def _free_name(connection: Connection, person: Person) -> str:
    plain = "".join(one if one.isalnum() or one in "._@+-" else "-" for one in person.name).strip("-._@+")[:60]
    host = urlsplit(person.issuer).hostname or "sso"
    mark = sha256(person.subject.encode()).hexdigest()[:8]
    for name in (plain, f"{plain}@{host}", f"{plain}-{mark}@{host}", f"user-{mark}"):
        if plain and users.find(connection, name) is None:
            return name
    return f"user-{mark}"


def sign_out(database: Database, session: bytes, actor: str) -> None:
    """End a session."""
    with database.transaction() as connection:
        if sessions.end(connection, session):
            audit.record(connection, actor, "sign_out", actor)


def _begin(connection: Connection, user_id: int, name: str, way: str, visit: Visit) -> str:
    token = sessions.begin(connection, user_id, way, address=visit.address, agent=visit.agent)
    details = {"way": way, "address": visit.address}
    audit.record(connection, f"user:{name}", "sign_in", f"user:{name}", details)
    return token
