"""What the deterministic rules see of a customer, and the evidence of one pair.

Features, a flat tuple in the order of the constants below:

- kind: "p" or "o"; only customers of one kind are ever the same
- forms: comparable forms of the names (see ``names``); natives: the names in Chinese characters
- ids: valid official numbers, "scheme=value"; each proves identity by itself
- contacts: "e:" folded emails, "p:" phones, "i:" numbers without a check digit; proof together with an
agreeing name. Placeholders are left out
- bare: the contacts that are enough for a nameless record (a person's own mailbox, a verified phone)
- verified: the contacts whose owner confirmed them
- tax: "authority=value" of valid tax numbers; two different ones under one authority are two customers
- birth and given: for the veto on a different given name with a different date of birth
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mappings.contract import Canonical, Evidence, Features
from mappings.matching.names import Agreement, comparable_names, names_agree
from mappings.normalise.emails import fold_mailbox
from mappings.normalise.identifiers import tax_authority
from mappings.normalise.names import split_person_name
from mappings.normalise.placeholders import (
    is_placeholder_date,
    is_placeholder_identifier,
    is_placeholder_mailbox,
    is_placeholder_phone,
)
from mappings.normalise.scripts import fold
from mappings.normalise.vocabulary import words

KIND, FORMS, NATIVES, IDS, CONTACTS, BARE, VERIFIED, TAX, BIRTH, GIVEN = range(10)

IDENTIFIER = Evidence(24.0, "identifier")
DIFFERENT_TAXPAYERS = Evidence(-100.0, "different tax numbers")
DIFFERENT_PERSONS = Evidence(-100.0, "different given name and date of birth")

_CONTACT_RULES: dict[str, tuple[Evidence | None, ...]] = {  # by agreement: DIFFERENT, UNKNOWN, LOOSE, EXACT
    "e": (None, None, Evidence(9.0, "email and similar name"), Evidence(12.0, "email and name")),
    "p": (None, None, Evidence(7.0, "phone and similar name"), Evidence(10.0, "phone and name")),
    "i": (None, None, Evidence(7.5, "unchecked number and similar name"), Evidence(11.0, "unchecked number and name")),
}
_VERIFIED_RULES: dict[str, tuple[Evidence | None, ...]] = {
    "e": (None, None, Evidence(9.5, "verified email and similar name"), Evidence(16.0, "verified email and name")),
    "p": (None, None, Evidence(8.0, "verified phone and similar name"), Evidence(14.0, "verified phone and name")),
}
NAMELESS = {
    "e": Evidence(6.0, "email of a nameless contact"),
    "p": Evidence(5.0, "verified phone of a nameless contact"),
}

_SHARED_MAILBOXES = words(
    "info office sales contact mail admin support service kontakt hello post enquiries inquiries marketing accounts "
    "accounting billing finance invoice invoices purchasing einkauf vertrieb buchhaltung hr jobs team help orders "
    "webmaster postmaster noreply no-reply kefu xiaoshou caiwu caigou"
)
_SAME_GIVEN = 0.82


def features_of(customer: Canonical) -> Features:
    """The features of one canonical customer."""
    person = customer["kind"] == "person"
    contacts: list[str] = []
    bare: list[str] = []
    verified: list[str] = []
    if emails := customer.get("emails"):
        _add_emails(emails, person, contacts, bare, verified)
    if phones := customer.get("phones"):
        _add_phones(phones, person, contacts, bare, verified)
    ids: list[str] = []
    tax: list[str] = []
    if identifiers := customer.get("identifiers"):
        _add_identifiers(identifiers, ids, tax, contacts)
    if external := customer.get("external_ids"):
        contacts.extend(f"i:{system}={value}" for system, value in external.items())
    birth = given = ""
    if person and (born := customer.get("birth_date")) and not is_placeholder_date(born):
        birth, given = born, _given_name(customer)
    forms, natives = comparable_names(customer)
    return (
        "p" if person else "o",
        forms,
        natives,
        ids,
        contacts,
        bare,
        verified,
        tax,
        birth,
        given,
    )


def pair_evidence(left: Features, right: Features) -> Evidence | None:
    """The strongest rule that holds for the pair, or the veto that forbids it; None if no rule holds.
    Symmetric.
    """
    if left[KIND] != right[KIND]:
        return None
    found = _strongest_rule(left, right)
    if found is None:
        return None
    return veto(left, right) or found


def veto(left: Features, right: Features) -> Evidence | None:
    """Why the two can never be one customer, if so."""
    if left[TAX] and right[TAX] and taxpayers_differ(left[TAX], right[TAX]):
        return DIFFERENT_TAXPAYERS
    if left[BIRTH] and right[BIRTH] and persons_differ(identity(left), identity(right)):
        return DIFFERENT_PERSONS
    return None


def taxpayers_differ(left: list[str], right: list[str]) -> bool:
    """Whether both have numbers under one authority and none of these in common."""
    if left == right:
        return False
    mine, theirs = _by_authority(left), _by_authority(right)
    return any(mine[a].isdisjoint(theirs[a]) for a in mine.keys() & theirs.keys())


class Identity(NamedTuple):
    """Date of birth (ISO) and folded given name."""

    birth: str
    given: str


def identity(features: Features) -> Identity:
    """What the veto on persons looks at."""
    return Identity(features[BIRTH], features[GIVEN])


def persons_differ(left: Identity, right: Identity) -> bool:
    """Whether given names and dates of birth both contradict each other beyond a typing error."""
    if not left.given or not right.given or _dates_agree(left.birth, right.birth):
        return False
    one, other = sorted((left.given, right.given), key=len)
    if other.startswith(one):
        return False
    from rapidfuzz.distance import JaroWinkler  # rarely needed, so not loaded by every process

    return JaroWinkler.similarity(one, other) < _SAME_GIVEN


def contact_rule(contact: str, verified: bool, agreement: Agreement) -> Evidence | None:
    """The evidence of one shared contact under an agreement of names."""
    return (_VERIFIED_RULES if verified else _CONTACT_RULES)[contact[0]][agreement]


def _strongest_rule(left: Features, right: Features) -> Evidence | None:
    for value in left[IDS]:
        if value in right[IDS]:
            return IDENTIFIER
    best: Evidence | None = None
    agreement: Agreement | None = None
    others = right[CONTACTS]
    for contact in left[CONTACTS]:
        if contact in others:
            if agreement is None:
                agreement = names_agree(left[FORMS], left[NATIVES], right[FORMS], right[NATIVES])
                if agreement is Agreement.DIFFERENT:
                    return None
            best = _stronger(best, _contact_evidence(contact, agreement, left, right))
    return best


def _contact_evidence(contact: str, agreement: Agreement, left: Features, right: Features) -> Evidence | None:
    if agreement is Agreement.UNKNOWN:
        return NAMELESS[contact[0]] if contact in left[BARE] and contact in right[BARE] else None
    verified = contact in left[VERIFIED] or contact in right[VERIFIED]
    return (_VERIFIED_RULES if verified else _CONTACT_RULES)[contact[0]][agreement]


def _stronger(one: Evidence | None, other: Evidence | None) -> Evidence | None:
    if one is None or other is None:
        return one or other
    return one if one.weight >= other.weight else other


def _add_emails(emails: Any, person: bool, contacts: list[str], bare: list[str], verified: list[str]) -> None:
    for email in emails:
        mailbox, _, domain = email["value"].lower().rpartition("@")
        if is_placeholder_mailbox(mailbox, domain):
            continue
        mailbox, domain = fold_mailbox(mailbox, domain)
        contact = f"e:{mailbox}@{domain}"
        if contact in contacts:
            continue
        contacts.append(contact)
        if person and mailbox not in _SHARED_MAILBOXES:
            bare.append(contact)
        if email.get("verified"):
            verified.append(contact)


def _add_phones(phones: Any, person: bool, contacts: list[str], bare: list[str], verified: list[str]) -> None:
    for phone in phones:
        value, extension = phone["value"], phone.get("extension")
        if is_placeholder_phone(value):
            continue
        contact = f"p:{value}x{extension}" if extension else "p:" + value
        if contact in contacts:
            continue
        contacts.append(contact)
        if phone.get("verified"):
            verified.append(contact)
            if person:
                bare.append(contact)


def _add_identifiers(identifiers: Any, ids: list[str], tax: list[str], contacts: list[str]) -> None:
    for identifier in identifiers:
        scheme, value = identifier["scheme"], identifier["value"]
        if not identifier.get("valid"):
            if not is_placeholder_identifier(value):
                contacts.append(f"i:{scheme}={value}")
            continue
        ids.append(f"{scheme}={value}")
        authority = tax_authority(scheme, value)
        if authority is not None:
            tax.append(f"{authority}={value}")


def _given_name(customer: Canonical) -> str:
    given = customer.get("given_name")
    if not given:
        parts = split_person_name(customer.get("name", ""))
        given = parts.given if parts else ""
    return fold(given).replace(" ", "")


def _by_authority(tax: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entry in tax:
        authority, _, value = entry.partition("=")
        found.setdefault(authority, set()).add(value)
    return found


def _dates_agree(left: str, right: str) -> bool:
    """Equal, one character apart, or day and month swapped."""
    if left == right or len(left) != 10 or len(right) != 10:
        return left == right
    if sum(a != b for a, b in zip(left, right, strict=True)) <= 1:
        return True
    return left[:4] == right[:4] and left[5:7] == right[8:] and left[8:] == right[5:7]
