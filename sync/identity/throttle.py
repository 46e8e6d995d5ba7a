"""Slowing down who guesses passwords, per account and per address.

An attempt is counted before the password is looked at, so that many at once do not slip through.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from sync.identity.errors import TooManyAttempts
from sync.identity.tables import sign_in_throttle
from sync.master.bulk import bulk_for

_FORGET = timedelta(hours=24)
_LOCKED = (
    "INSERT INTO sign_in_throttle (subject, failures, last_at) VALUES (?, 0, ?) "
    "ON CONFLICT (subject) DO UPDATE SET failures = sign_in_throttle.failures"
)


class Allowance(NamedTuple):
    """So many failures are free; each further one doubles the wait, up to ``longest`` seconds."""

    free: int
    longest: float


PER_ACCOUNT = Allowance(free=5, longest=900.0)
PER_ADDRESS = Allowance(free=30, longest=900.0)


def charge(connection: Connection, name: str, address: str, now: datetime | None = None) -> None:
    """Count an attempt. Raises TooManyAttempts while the account or the address has to wait; that is not counted.

    Both rows are locked before anything is read, made if need be, and always the account's first: whoever comes at the
    same time waits, where two who found no row to lock would each take what the other needs next.
    """
    moment = now or datetime.now(UTC)
    subjects = {_account(name): PER_ACCOUNT, _address(address): PER_ADDRESS}
    bulk = bulk_for(connection)
    for subject in subjects:
        bulk.run(_LOCKED, subject, bulk.instant(moment))
    for subject, allowance in subjects.items():
        _wait(connection, subject, allowance, moment)
    counted = {"failures": sign_in_throttle.c.failures + 1, "last_at": moment}
    connection.execute(update(sign_in_throttle).where(sign_in_throttle.c.subject.in_(subjects)).values(counted))


def clear(connection: Connection, name: str, address: str) -> None:
    """The sign-in was right: forget the account's failures and those of the address, and whatever is old."""
    subject = sign_in_throttle.c.subject
    for one in (_account(name), _address(address)):
        connection.execute(delete(sign_in_throttle).where(subject == one))
    old = select(subject).where(sign_in_throttle.c.last_at < datetime.now(UTC) - _FORGET)
    connection.execute(delete(sign_in_throttle).where(subject.in_(old.with_for_update(skip_locked=True))))


def _wait(connection: Connection, subject: str, allowance: Allowance, now: datetime) -> None:
    row = connection.execute(select(sign_in_throttle).where(sign_in_throttle.c.subject == subject)).one()
    if row.failures < allowance.free:
        return
    delay = min(2.0 ** min(row.failures - allowance.free, 20), allowance.longest)
    left = (row.last_at + timedelta(seconds=delay) - now).total_seconds()
    if left > 0:
        raise TooManyAttempts(
            "Too many attempts; try again in {seconds} s.", seconds=int(left) + 1, retry_after=int(left) + 1
        )


def _account(name: str) -> str:
    return f"account:{name[:150]}"


def _address(address: str) -> str:
    return f"address:{address[:60]}"
