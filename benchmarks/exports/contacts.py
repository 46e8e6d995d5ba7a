"""Contacts in American English, the name in one column: initials, suffixes, placeholders for phones and mailboxes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.exports.errors import Change, missing, one_change, shortened
from benchmarks.exports.making import Export, Row, weighed
from benchmarks.population import vocabulary as words
from benchmarks.population.persons import plain

CITIES = [
    ("Chicago", "IL", "606"),
    ("Boston", "MA", "021"),
    ("Dallas", "TX", "752"),
    ("Springfield", "IL", "627"),
    ("Denver", "CO", "802"),
]
ABBREVIATIONS = {"Street": "St", "Avenue": "Ave", "Drive": "Dr", "Boulevard": "Blvd"}
NO_PHONE = ("000-000-0000", "999-999-9999", "555-555-5555", "n/a")
NO_EMAIL = ("noemail@noemail.com", "none@none.com", "test@test.com", "na@na.com")
FAMILY_SIZES = {1: 55, 2: 25, 3: 12, 4: 8}
COPIES = {1: 55, 2: 28, 3: 12, 4: 5}
FIRST_CHILD = 2
JUNIORS = 0.4


@dataclass(frozen=True)
class Home:
    """What a family shares; its mailbox only in part."""

    family: str
    city: str
    state: str
    street: str
    postcode: str
    phone: str
    email: str


@dataclass(frozen=True)
class Contact:
    """A contact as a row has them."""

    home: Home
    given: str
    middle: str
    family: str
    eldest: bool
    suffix: str
    mobile: str
    email: str
    street: str


def family(chance: random.Random) -> Iterator[Contact]:
    """The contacts of one family: a child may be the junior of the first parent."""
    home = _home(chance)
    elders: list[Contact] = []
    for _ in range(weighed(chance, FAMILY_SIZES)):
        elders.append(_contact(chance, home, elders))
        yield elders[-1]


def _home(chance: random.Random) -> Home:
    surname = words.zipf(chance, words.FAMILY)
    city, state, code = chance.choice(CITIES)
    return Home(
        family=surname,
        city=city,
        state=state,
        street=_street(chance),
        postcode=f"{code}{chance.randint(0, 99):02}",
        phone=f"({chance.randint(201, 989)}) {chance.randint(200, 999)}-{chance.randint(0, 9999):04}",
        email=f"the{plain(surname)}s{chance.randint(1, 99)}@{chance.choice(words.FREE_MAIL)}",
    )


def _street(chance: random.Random) -> str:
    number, side = chance.randint(1, 9999), chance.choice(("N ", "S ", "E ", "W ", ""))
    return f"{number} {side}{chance.choice(words.STREETS)} {chance.choice(tuple(ABBREVIATIONS))}"


def _contact(chance: random.Random, home: Home, elders: list[Contact]) -> Contact:
    given, suffix = words.zipf(chance, words.GIVEN), ""
    if len(elders) == FIRST_CHILD and chance.random() < JUNIORS:
        given, suffix = elders[0].given, "Jr."
    return Contact(
        home=home,
        given=given,
        middle=chance.choice("ABCDEFGHJKLMRST"),
        family=home.family,
        eldest=not elders,
        suffix=suffix,
        mobile=f"{chance.randint(201, 989)}-{chance.randint(200, 999)}-{chance.randint(0, 9999):04}",
        email=home.email if chance.random() < 0.3 else _email(chance, given, home.family),
        street=home.street,
    )


def _email(chance: random.Random, given: str, surname: str) -> str:
    separator = chance.choice((".", "_", ""))
    number = chance.choice(("", str(chance.randint(1, 999))))
    return f"{plain(given)}{separator}{plain(surname)}{number}@{chance.choice(words.FREE_MAIL)}"


def _initial(_chance: random.Random, contact: Contact) -> Contact:
    return replace(contact, given=contact.given[0])


def _misspelt_given(chance: random.Random, contact: Contact) -> Contact:
    return replace(contact, given=words.misspelt(chance, contact.given))


def _misspelt_family(chance: random.Random, contact: Contact) -> Contact:
    return replace(contact, family=words.misspelt(chance, contact.family))


def _married(chance: random.Random, contact: Contact) -> Contact:
    return replace(contact, family=words.zipf(chance, words.FAMILY))


NAME_CHANGES: list[tuple[float, Change[Contact]]] = [
    (0.10, _initial),
    (0.20, _misspelt_given),
    (0.28, _misspelt_family),
    (0.31, _married),
]


def _later(chance: random.Random, contact: Contact) -> Contact:
    """The contact in another row: one change of the name, a street written otherwise, a PO box, a new mailbox."""
    own_name = plain(contact.given)[0] + plain(contact.family)
    contact = one_change(chance, contact, NAME_CHANGES)
    if chance.random() < 0.25:
        contact = replace(contact, street=shortened(contact.street, ABBREVIATIONS))
    if chance.random() < 0.1:
        contact = replace(contact, street=f"PO Box {chance.randint(1, 9999)}")
    if chance.random() < 0.2:
        email = f"{own_name}{chance.randint(1, 99)}@{chance.choice(words.FREE_MAIL)}"
        contact = replace(contact, email=email)
    return contact


def _row(chance: random.Random, contact: Contact, again: bool) -> Row:
    home = contact.home
    phone = contact.mobile if chance.random() < 0.6 else home.phone
    if again:
        contact = _later(chance, contact)
    return {
        "Contact Name": _name(chance, contact),
        "Phone #": missing(chance, _or_placeholder(chance, phone, NO_PHONE), 0.2),
        "EmailAddr": missing(chance, _or_placeholder(chance, contact.email, NO_EMAIL), 0.25),
        "Mailing Street": missing(chance, contact.street, 0.1),
        "Mailing City": missing(chance, home.city, 0.1),
        "Mailing State/Province": home.state,
        "Mailing Zip/Postal Code": missing(chance, _postcode(chance, home.postcode), 0.1),
        "Lead Source": chance.choice(("Web", "Trade Show", "Phone")),
    }


def _name(chance: random.Random, contact: Contact) -> str:
    given, middle, family = contact.given, contact.middle, contact.family
    usual = f"{given} {family}"
    name = chance.choice(
        (
            usual,
            usual,
            f"{family}, {given}",
            f"{given} {middle}. {family}",
            f"{family}, {given} {middle}",
            usual.upper(),
        )
    )
    if contact.suffix and chance.random() < 0.7:
        return f"{name} {contact.suffix}"
    if contact.eldest and chance.random() < 0.03:
        return f"{name} Sr"
    return name


def _or_placeholder(chance: random.Random, value: str, placeholders: tuple[str, ...]) -> str:
    return value if chance.random() > 0.03 else chance.choice(placeholders)


def _postcode(chance: random.Random, postcode: str) -> str:
    """With the four further digits in one case of five."""
    return postcode if chance.random() > 0.2 else f"{postcode}-{chance.randint(0, 9999):04}"


CONTACTS_US = Export(3_000, "US", "person_uid", "c", None, COPIES, family, _row)
