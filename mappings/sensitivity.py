"""How sensitive each field of the canonical customer is. Who may see which is decided by this table alone."""

from __future__ import annotations

from enum import StrEnum


class Sensitivity(StrEnum):
    """What a field tells about a natural person (GDPR art. 4 (1), PIPL art. 4)."""

    PUBLIC = "public"
    """Nothing by itself: states, stamps, tags, consents, and whose contact somebody is."""
    IDENTITY = "identity"
    """Who a person is. The same of an organisation stands in public registers."""
    CONTACT = "contact"
    """How to reach somebody: behind an organisation's number or address, too, stands a person."""
    PRIVATE = "private"
    """What is nobody's business, or may hold anything."""


SENSITIVITY: dict[str, Sensitivity] = {
    **dict.fromkeys(("kind", "status", "currency", "language", "tags", "consents", "organisation"), Sensitivity.PUBLIC),
    **dict.fromkeys(("source_created_at", "source_changed_at", "last_contact_at"), Sensitivity.PUBLIC),
    **dict.fromkeys(("name", "legal_name", "trading_name", "native_name", "latin_name"), Sensitivity.IDENTITY),
    **dict.fromkeys(("identifiers", "addresses", "website", "credit_limit"), Sensitivity.IDENTITY),
    **dict.fromkeys(("given_name", "family_name"), Sensitivity.IDENTITY),
    **dict.fromkeys(("emails", "phones"), Sensitivity.CONTACT),
    **dict.fromkeys(("birth_date", "owner", "external_ids", "attributes"), Sensitivity.PRIVATE),
}
"""Every field of ``mappings.customer.Customer``."""


def is_personal(kind: str, field: str) -> bool:
    """Whether a customer's field is personal data; a field that is not in the table is."""
    sensitivity = SENSITIVITY.get(field, Sensitivity.PRIVATE)
    if sensitivity is Sensitivity.IDENTITY:
        return kind != "organisation"
    return sensitivity is not Sensitivity.PUBLIC
