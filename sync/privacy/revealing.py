"""Reveal: some fields of one customer unmasked, once, for a reason that the audit log keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from mappings.survivorship import FIELDS
from sync import audit
from sync.errors import Misused, NotFound
from sync.master import lookup
from sync.master.identity import public_id

SHORTEST, LONGEST = 5, 300
"""Characters of a reason."""


def reveal(connection: Connection, customer_id: str, fields: Sequence[str], reason: str, *, by: str) -> dict[str, Any]:
    """The fields of a customer's golden record (none named: all), audited in the same transaction.

    Raises NotFound for an id that leads nowhere, Misused for a field there is not, or without a reason.
    """
    row, _old = lookup.customer(connection, customer_id)
    if row is None:
        raise NotFound("There is no customer {customer}.", customer=customer_id[:40], remedy="Check the address.")
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise Misused("There is no field {name}. There are: {known}.", name=unknown[0][:60], known=", ".join(FIELDS))
    golden = orjson.loads(row.golden)
    wanted = [name for name in FIELDS if name in (fields or FIELDS)]
    details = {"fields": wanted if fields else "all", "reason": checked_reason(reason)}
    audit.record(connection, by, "customer.revealed", f"customer:{public_id(row.id)}", details)
    return {name: golden[name] for name in wanted if name in golden}


def checked_reason(reason: str) -> str:
    """The reason itself. Raises Misused for one that says nothing, or too much."""
    said = " ".join(reason.split())
    if not SHORTEST <= len(said) <= LONGEST:
        raise Misused(
            "A reason has {shortest} to {longest} characters.",
            shortest=SHORTEST,
            longest=LONGEST,
            remedy="Say what it is needed for, e.g. a ticket's number; no personal data.",
        )
    return said
