"""Pins: a steward's own value of a golden field, which no sync overwrites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection

from mappings.customer import Customer
from mappings.survivorship import FIELDS
from mappings.uniting import DICTS, LISTS
from sync.errors import Misused, Refused
from sync.master import decisions
from sync.master.bulk import bulk_for
from sync.master.decisions import Pin
from sync.stewardship import acts
from sync.stewardship.acts import Steward
from sync.stewardship.records import CustomerRef, find_customer, find_record

PINNABLE = tuple(field for field in FIELDS if field not in ("kind", "source_created_at", "source_changed_at"))
"""The kind rules what a customer can be merged with, and the sources' own stamps are the sources' own."""

STRUCTURED = frozenset({*LISTS, *DICTS, "organisation"})
"""Fields that hold a list or an object."""

_MOST = 20_000


class PinView(NamedTuple):
    """A pin of a customer; ``holds`` tells whether it gives the value, rather than a later pin of the same field."""

    decision: int
    field: str
    value: Any
    record: str
    holds: bool


def pin(connection: Connection, by: Steward, customer: str, field: str, value: Any, record: str | None = None) -> int:
    """Give a golden field a value that stays until it is unpinned; None keeps the field empty.

    The pin is anchored on a source record of the customer, by default the senior one, and is with whatever customer
    that record is in. Of several pins of one field in one customer the last one holds. Answers the act's number.
    Raises UnknownCustomer, UnknownRecord, Misused for a field or value that cannot be, Refused for another's record.
    """
    number = acts.next_number(connection)
    whole = find_customer(connection, customer)
    anchor = whole.records[0] if record is None else find_record(connection, record)
    if anchor.customer_id != whole.id:
        raise Refused(
            "{record} is no record of {customer}.",
            record=anchor.address,
            customer=whole.public_id,
            remedy="`kehu master get {record}` shows whose it is.",
        )
    checked = canonical_value(field, value)
    acts.write(connection, number, acts.PIN, by, {anchor.id: 0}, field=field, value=checked)
    return number


def unpin(connection: Connection, by: Steward, customer: str, field: str) -> int:
    """Let the sources rule a field again: takes back all its pins in the customer. Answers the act's number.

    Raises UnknownCustomer, Misused for an unknown field, Refused where nothing is pinned.
    """
    number = acts.next_number(connection)
    whole = find_customer(connection, customer)
    _require_field(field)
    found = [one for one in _in_force(connection, whole) if one.field == field]
    if not found:
        raise Refused(
            "{field} of {customer} is not pinned.", field=field, customer=whole.public_id, remedy="Nothing to do."
        )
    acts.write(connection, number, acts.UNPIN, by, {one.record: 0 for one in found}, field=field)
    acts.take_back(connection, [one.id for one in found], number)
    return number


def pins(connection: Connection, customer: str) -> list[PinView]:
    """The pins of a customer, by field, the one that holds first. Raises UnknownCustomer."""
    whole = find_customer(connection, customer)
    names = {record.id: record.address for record in whole.records}
    found = sorted(_in_force(connection, whole), key=lambda one: (one.field, -one.id))
    holding = {one.field: one.id for one in reversed(found)}
    return [PinView(one.id, one.field, one.value, names[one.record], holding[one.field] == one.id) for one in found]


def canonical_value(field: str, value: Any) -> Any:
    """The value as a golden record holds it. Raises Misused for an unknown field or a value it cannot have."""
    _require_field(field)
    if value is None or value in ("", [], {}):
        return None
    try:
        customer = Customer.model_validate_json(_json({"kind": "person", "name": "-", field: value}))
    except (ValidationError, ValueError, TypeError, RecursionError) as error:
        raise Misused(
            "{field} cannot be {value}: {detail}",
            field=field,
            value=str(value)[:200],
            detail=_detail(error),
            remedy="See docs/canonical-customer.md for what the field holds; lists and objects are written as JSON.",
        ) from None
    return _without_defaults(customer.model_dump(mode="json", include={field}, exclude_none=True, exclude_unset=True))[
        field
    ]


def _json(content: Mapping[str, Any]) -> bytes:
    text = orjson.dumps(content)
    if len(text) > _MOST:
        raise ValueError(f"longer than {_MOST} bytes")
    if b"\\u0000" in text:
        raise ValueError("holds a character that is not text")
    return text


def _without_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Entries of lists as mappings write them: what is not verified and not valid does not say so."""
    return {
        name: [
            {key: inner for key, inner in entry.items() if inner is not False or key == "granted"}
            if isinstance(entry, dict)
            else entry
            for entry in value
        ]
        if isinstance(value, list)
        else value
        for name, value in values.items()
    }


def _in_force(connection: Connection, whole: CustomerRef) -> list[Pin]:
    members = {record.id for record in whole.records}
    words = decisions.read(bulk_for(connection), members)
    return [one for one in words.pins.values() if one.record in members]


def _require_field(field: str) -> None:
    if field not in PINNABLE:
        raise Misused("{field} cannot be pinned; these can: {known}.", field=field[:80], known=", ".join(PINNABLE))


def _detail(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{first['msg']}."
    return f"{str(error)[:200].rstrip('.')}."
