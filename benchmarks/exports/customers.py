"""Customers in German: umlauts written three ways, double names, a family's mailbox."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.exports import german
from benchmarks.exports.errors import Change, missing, one_change
from benchmarks.exports.making import Export, Key, Row, day_between, weighed
from benchmarks.population import vocabulary as words
from benchmarks.population.persons import plain

TOWNS = [
    ("Berlin", "10"),
    ("Hamburg", "20"),
    ("München", "80"),
    ("Köln", "50"),
    ("Stuttgart", "70"),
    ("Düsseldorf", "40"),
    ("Nürnberg", "90"),
    ("Leipzig", "04"),
]
TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
ONE_LETTER = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "ß": "s", "Ö": "O", "Ä": "A", "Ü": "U"})
FAMILY_SIZES = {1: 65, 2: 25, 3: 10}
COPIES = {1: 60, 2: 27, 3: 10, 4: 3}


@dataclass(frozen=True)
class Home:
    """What a family shares; its mailbox only in part."""

    family: str
    town: str
    street: str
    postcode: str
    phone: str
    email: str


@dataclass(frozen=True)
class Customer:
    """A customer as a row has them."""

    home: Home
    given: str
    family: str
    birth: datetime.date
    email: str
    mobile: str
    street: str


def family(chance: random.Random) -> Iterator[Customer]:
    """The customers of one family."""
    home = _home(chance)
    for _ in range(weighed(chance, FAMILY_SIZES)):
        yield _customer(chance, home)


def _home(chance: random.Random) -> Home:
    surname = words.zipf(chance, german.FAMILY)
    town, code = chance.choice(TOWNS)
    return Home(
        family=surname,
        town=town,
        street=_street(chance) + chance.choice(("", "", "a", "b")),
        postcode=f"{code}{chance.randint(0, 999):03}",
        phone=f"0{chance.randint(30, 99)} {chance.randint(100000, 9999999)}",
        email=f"familie.{surname.translate(TWO_LETTERS).lower()}{chance.randint(1, 99)}@web.de",
    )


def _street(chance: random.Random) -> str:
    return f"{chance.choice(german.STREETS)} {chance.randint(1, 150)}"


def _customer(chance: random.Random, home: Home) -> Customer:
    given = words.zipf(chance, german.GIVEN)
    return Customer(
        home=home,
        given=given,
        family=home.family,
        birth=day_between(chance, 1940, 2004),
        email=home.email if chance.random() < 0.3 else _email(chance, given, home.family),
        mobile=f"01{chance.choice('567')}{chance.randint(0, 9)} {chance.randint(1000000, 99999999)}",
        street=home.street,
    )


def _email(chance: random.Random, given: str, surname: str) -> str:
    first, last = given.translate(TWO_LETTERS), surname.translate(TWO_LETTERS)
    by_initial = f"{given[0].translate(TWO_LETTERS)}.{last}@gmx.de"
    by_name = f"{first}{last}{chance.randint(1, 99)}@gmail.com"
    return chance.choice((by_initial, by_name)).lower()


def _umlauts_in_two_letters(_chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, given=customer.given.translate(TWO_LETTERS), family=customer.family.translate(TWO_LETTERS))


def _umlauts_in_one_letter(_chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, given=customer.given.translate(ONE_LETTER), family=customer.family.translate(ONE_LETTER))


def _half_a_double_given_name(_chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, given=customer.given.split("-")[0])


def _initial(_chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, given=f"{customer.given[0]}.")


def _misspelt(chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, family=words.misspelt(chance, customer.family))


def _double_name(chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, family=f"{customer.family}-{words.zipf(chance, german.FAMILY)}")


def _married(chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, family=words.zipf(chance, german.FAMILY))


def _swapped(_chance: random.Random, customer: Customer) -> Customer:
    return replace(customer, given=customer.family, family=customer.given)


NAME_CHANGES: list[tuple[float, Change[Customer]]] = [
    (0.12, _umlauts_in_two_letters),
    (0.18, _umlauts_in_one_letter),
    (0.24, _half_a_double_given_name),
    (0.30, _initial),
    (0.36, _misspelt),
    (0.40, _double_name),
    (0.43, _married),
    (0.47, _swapped),
]


def _later(chance: random.Random, customer: Customer) -> Customer:
    """The customer in another row: one change of the name, the street written otherwise, moved, a new mailbox."""
    own_name = plain(customer.given)
    customer = one_change(chance, customer, NAME_CHANGES)
    customer = replace(customer, street=_written_street(chance, customer.street))
    if chance.random() < 0.12:
        customer = replace(customer, street=_street(chance))
    if chance.random() < 0.15:
        email = f"{own_name}{chance.randint(100, 9999)}@{chance.choice(words.FREE_MAIL)}"
        customer = replace(customer, email=email)
    return customer


def _written_street(chance: random.Random, street: str) -> str:
    if chance.random() < 0.3:
        return street.replace("straße", "str.")
    if chance.random() < 0.1:
        return street.replace("straße", "strasse")
    return street


def _row(chance: random.Random, customer: Customer, again: bool) -> Row:
    if again:
        customer = _later(chance, customer)
    home, mobile = customer.home, customer.mobile
    return {
        "Anrede": chance.choice(("Herr", "Frau")),
        "Nachname": customer.family,
        "Vorname": missing(chance, customer.given, 0.03),
        "Straße": missing(chance, customer.street, 0.08),
        "PLZ": missing(chance, home.postcode, 0.06),
        "Ort": missing(chance, home.town, 0.06),
        "Telefon": missing(chance, chance.choice((home.phone, mobile, mobile.replace("01", "+49 1", 1))), 0.3),
        "E-Mail-Adresse": missing(chance, customer.email, 0.35),
        "Geburtsdatum": missing(chance, f"{customer.birth:%d.%m.%Y}", 0.5),
    }


KUNDEN_DE = Export(2_500, "DE", "Wahrheit", "d", Key("Kundennummer", "{}", 10_000), COPIES, family, _row)
