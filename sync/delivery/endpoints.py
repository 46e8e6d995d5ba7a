"""Endpoints: who is told of which changes, where. Every change by people is in the audit log."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from pydantic import SecretStr
from sqlalchemy import Connection, delete, insert, select, update

from sync import audit
from sync.delivery import addresses, notices, signing
from sync.delivery.messages import TYPES
from sync.delivery.tables import webhook_attempt, webhook_due, webhook_endpoint, webhook_notice
from sync.errors import Misused, NotFound
from sync.feed import tokens
from sync.master.bulk import bulk_for
from sync.vault import Place, Vault

ACTIVE, DISABLED = "active", "disabled"
BY_HAND, GONE, FAILING = "by_hand", "gone", "failing"
PAYLOADS = ("full", "thin")
LONGEST_OVERLAP = 168
MOST = 100
"""Endpoints of one installation."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


class Endpoint(NamedTuple):
    """One endpoint, without its secret. ``position``: changes up to it are delivered, or wait in the queue."""

    id: str
    url: str
    description: str
    types: tuple[str, ...]
    payload: str
    state: str
    reason: str | None
    position: int
    revision: int
    failures: int
    failing_since: datetime | None
    resume_at: float
    delivered_at: datetime | None
    old_secret_until: datetime | None
    created_by: str
    created_at: datetime
    changed_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether anything is sent to it."""
        return self.state == ACTIVE

    @property
    def thin(self) -> bool:
        """Whether it is told which fields changed, but not their values."""
        return self.payload == "thin"


class Created(NamedTuple):
    """An endpoint and its secret, which is shown this once."""

    endpoint: Endpoint
    secret: SecretStr


class Wanted(NamedTuple):
    """What people decide about an endpoint; None: as it is."""

    url: str | None = None
    types: Sequence[str] | None = None
    description: str | None = None
    payload: str | None = None


def create(
    connection: Connection,
    vault: Vault,
    wanted: Wanted,
    *,
    by: str,
    allow_private: Sequence[str] = (),
    secret: str | None = None,
) -> Created:
    """A new endpoint, told of changes from now on. Raises Misused for an address, type or secret that will not do."""
    values = _values(wanted._replace(url=wanted.url or ""), allow_private)
    if len(all_endpoints(connection)) >= MOST:
        raise Misused("There may be {most} endpoints.", most=MOST, remedy="Remove one first.")
    number, now = "we_" + "".join(secrets.choice(_ALPHABET) for _ in range(12)), datetime.now(UTC)
    key = signing.new_secret() if secret is None else signing.given_secret(secret)
    defaults = {"types": "[]", "payload": "full", "description": "", "state": ACTIVE, "revision": 1}
    connection.execute(
        insert(webhook_endpoint).values(
            {
                **defaults,
                **values,
                "id": number,
                "secret": _sealed(connection, vault, number, "secret", key),
                "position": tokens.now(connection).seq,
                "created_by": by,
                "created_at": now,
                "changed_at": now,
            }
        )
    )
    made = get(connection, number)
    details = {"url": addresses.shown(made.url), "types": list(made.types), "payload": made.payload}
    audit.record(connection, by, "webhook.created", f"webhook:{number}", details)
    return Created(made, key)


def get(connection: Connection, endpoint_id: str) -> Endpoint:
    """An endpoint. Raises NotFound."""
    row = connection.execute(select(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id)).one_or_none()
    if row is None:
        raise NotFound("There is no webhook {id}.", id=endpoint_id[:40], remedy="`kehu webhook list` shows them.")
    return _view(row)


def all_endpoints(connection: Connection, *, after: str = "", limit: int = MOST + 1) -> list[Endpoint]:
    """Endpoints in order of id."""
    statement = select(webhook_endpoint).where(webhook_endpoint.c.id > after)
    return [_view(row) for row in connection.execute(statement.order_by(webhook_endpoint.c.id).limit(limit))]


def change(
    connection: Connection, endpoint_id: str, wanted: Wanted, *, by: str, allow_private: Sequence[str] = ()
) -> Endpoint:
    """Change what is wanted; what waits is delivered in the new way. Raises Misused, NotFound."""
    get(connection, endpoint_id)
    values = _values(wanted, allow_private)
    if values:
        _write(connection, endpoint_id, values)
        shown = {**values, "url": addresses.shown(values["url"])} if "url" in values else values
        audit.record(connection, by, "webhook.changed", f"webhook:{endpoint_id}", shown)
    return get(connection, endpoint_id)


def enable(connection: Connection, endpoint_id: str, *, by: str) -> Endpoint:
    """Go on where it stopped. What is no longer kept is told as a notice."""
    found = get(connection, endpoint_id)
    if found.is_active:
        return found
    floor = tokens.bounds(bulk_for(connection)).floor
    if found.position < floor:
        notices.lost(connection, endpoint_id, floor - found.position)
    fresh = {"failures": 0, "failing_since": None, "resume_at": 0.0, "reason": None}
    _write(connection, endpoint_id, {"state": ACTIVE, "position": max(found.position, floor), **fresh})
    connection.execute(update(webhook_due).where(webhook_due.c.endpoint_id == endpoint_id).values(next_at=0.0))
    notices.enabled(connection, endpoint_id)
    audit.record(connection, by, "webhook.enabled", f"webhook:{endpoint_id}")
    return get(connection, endpoint_id)


def disable(connection: Connection, endpoint_id: str, *, by: str) -> Endpoint:
    """Send nothing more; what comes in the meantime waits, as long as changes are kept."""
    found = get(connection, endpoint_id)
    if found.is_active:
        _write(connection, endpoint_id, {"state": DISABLED, "reason": BY_HAND})
        audit.record(connection, by, "webhook.disabled", f"webhook:{endpoint_id}")
    return get(connection, endpoint_id)


def remove(connection: Connection, endpoint_id: str, *, by: str) -> None:
    """Forget an endpoint, its queue and its log. Raises NotFound."""
    get(connection, endpoint_id)
    for table in (webhook_due, webhook_attempt, webhook_notice):
        connection.execute(delete(table).where(table.c.endpoint_id == endpoint_id))
    connection.execute(delete(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id))
    audit.record(connection, by, "webhook.removed", f"webhook:{endpoint_id}")


def rotate(
    connection: Connection, vault: Vault, endpoint_id: str, *, by: str, overlap: timedelta, secret: str | None = None
) -> Created:
    """A new secret; the old one signs too for a while, so that the receiver can change over at any moment."""
    if not timedelta(0) <= overlap <= timedelta(hours=LONGEST_OVERLAP):
        raise Misused("Both secrets sign for at most {hours} hours.", hours=LONGEST_OVERLAP)
    [current, *_] = signing_keys(connection, vault, endpoint_id)
    key = signing.new_secret() if secret is None else signing.given_secret(secret)
    values: dict[str, Any] = {"secret": _sealed(connection, vault, endpoint_id, "secret", key)}
    values["old_secret"] = _sealed(connection, vault, endpoint_id, "old_secret", current) if overlap else None
    values["old_secret_until"] = datetime.now(UTC) + overlap if overlap else None
    _write(connection, endpoint_id, values)
    details = {"overlap_hours": overlap.total_seconds() / 3600}
    audit.record(connection, by, "webhook.rotated", f"webhook:{endpoint_id}", details)
    return Created(get(connection, endpoint_id), key)


def signing_keys(connection: Connection, vault: Vault, endpoint_id: str) -> list[SecretStr]:
    """The secrets that sign now, the current one first. Raises NotFound, VaultError."""
    table = webhook_endpoint.c
    wanted = select(table.secret, table.old_secret, table.old_secret_until).where(table.id == endpoint_id)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound("There is no webhook {id}.", id=endpoint_id[:40], remedy="`kehu webhook list` shows them.")
    found = [vault.open(connection, _place(endpoint_id, "secret"), bytes(row.secret))]
    if row.old_secret is not None and row.old_secret_until > datetime.now(UTC):
        found.append(vault.open(connection, _place(endpoint_id, "old_secret"), bytes(row.old_secret)))
    return [SecretStr(value.decode()) for value in found]


def _values(wanted: Wanted, allow_private: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if wanted.url is not None:
        values["url"] = addresses.check(wanted.url, allow_private)
    if wanted.types is not None:
        values["types"] = orjson.dumps(_known(wanted.types)).decode()
    if wanted.description is not None:
        values["description"] = wanted.description.strip()[:200]
    if wanted.payload is not None:
        if wanted.payload not in PAYLOADS:
            raise Misused("A payload is full or thin.", remedy="Thin tells which fields changed, not their values.")
        values["payload"] = wanted.payload
    return values


def _known(types: Collection[str]) -> list[str]:
    unknown = sorted(set(types) - set(TYPES))
    if unknown:
        raise Misused(
            "There is no event {types}. There are: {known}.",
            types=", ".join(unknown)[:200],
            known=", ".join(TYPES),
            remedy="Correct it, or name none: then all are sent.",
        )
    return sorted(set(types))


def _write(connection: Connection, endpoint_id: str, values: dict[str, Any]) -> None:
    table = webhook_endpoint
    changed = {**values, "revision": table.c.revision + 1, "changed_at": datetime.now(UTC)}
    connection.execute(update(table).where(table.c.id == endpoint_id).values(changed))


def _sealed(connection: Connection, vault: Vault, endpoint_id: str, column: str, key: SecretStr) -> bytes:
    return vault.seal(connection, _place(endpoint_id, column), key.get_secret_value().encode())


def _place(endpoint_id: str, column: str) -> Place:
    return Place("webhook_endpoint", column, endpoint_id)


def _view(row: Any) -> Endpoint:
    named = row._asdict()
    named["types"] = tuple(orjson.loads(row.types))
    return Endpoint(**{name: named[name] for name in Endpoint._fields})
