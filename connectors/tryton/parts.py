"""What belongs to a party in Tryton: its models, their fields, and how they point to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.tryton.values import stamp_of

PARTY = "party.party"
RELATION = "party.relation.all"
STAMPS = ("create_date", "write_date")
OWN_FIELDS = ("name", "code", "active", "lang", "categories", "replaced_by", "credit_limit_amount")
TYPES = {
    "char": "string", "text": "string", "selection": "string", "boolean": "boolean", "integer": "number",
    "float": "number", "numeric": "string", "date": "string", "datetime": "string", "timestamp": "string",
    "many2one": "object", "one2many": "array", "many2many": "array", "dict": "object",
}  # fmt: skip
NAMED = {"lang": "code", "country": "code", "subdivision": "name", "categories": "name", "type": "name"}
"""Fields that point to another record, and what is read of it. Where they are no pointer, they are read plainly."""

IDS = frozenset({"to", "replaced_by"})
"""Pointers to other parties: read as ids, because a name would grow old when the other party is renamed."""


@dataclass(frozen=True, slots=True)
class Part:
    """A model whose records belong to a party: the field of the party, the way back, and what is read."""

    name: str
    model: str
    party: str
    fields: Sequence[str]
    stamped: bool = True


PARTS = (
    Part(
        "contact_mechanisms", "party.contact_mechanism", "party",
        ("type", "value", "value_compact", "name", "comment", "active", "sequence"),
    ),
    Part("identifiers", "party.identifier", "party", ("type", "code", "active", "sequence")),
    Part(
        "addresses", "party.address", "party",
        ("name", "party_name", "attn", "street", "zip", "postal_code", "city", "country", "subdivision", "invoice",
         "delivery", "active", "sequence"),
    ),
    Part(
        "relations", RELATION, "from_",
        ("type", "to", "start_date", "end_date"), False,
    ),
)  # fmt: skip


def changed_at(row: Mapping[str, Any]) -> str | None:
    """The newest stamp of a party and its parts, as far as they have any."""
    parts = [item for part in PARTS for item in row.get(f"{part.name}.") or ()]
    stamps = [stamp_of(item.get(name)) for item in [row, *parts] for name in STAMPS]
    return max((stamp for stamp in stamps if stamp), default=None)
