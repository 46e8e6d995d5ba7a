"""The ERP: an SQLite database with companies and their contact persons, as twelve years of clerks left it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

from examples.nanyang import noise
from examples.nanyang.clock import moment
from examples.nanyang.truth import Sighting
from examples.nanyang.words import OWNERS, TITLES
from examples.nanyang.world import Organisation, Person, World

FILE_NAME = "erp.db"
KNOWN = 0.9
"""The share of companies that the ERP knows."""

_SCHEMA = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, name_en TEXT, tax_no TEXT, phone TEXT,
    email TEXT, country TEXT, province TEXT, city TEXT, address TEXT, postcode TEXT, currency TEXT, credit_limit TEXT,
    status TEXT, owner TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX customers_updated ON customers (updated_at, id);
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), name TEXT NOT NULL, title TEXT,
    mobile TEXT, email TEXT, updated_at TEXT NOT NULL
);
CREATE INDEX contacts_updated ON contacts (updated_at, id);
"""
_CUSTOMER = "INSERT INTO customers VALUES (" + ", ".join("?" * 19) + ")"
_CONTACT = "INSERT INTO contacts VALUES (?, ?, ?, ?, ?, ?, ?)"


class Erp:
    """Writes the database and remembers who is who."""

    def __init__(self, seed: int, world: World) -> None:
        self._rng = Random(f"nanyang:{seed}:erp")
        self._world = world
        self._customers: list[tuple[object, ...]] = []
        self._contacts: list[tuple[object, ...]] = []
        self._ids: dict[str, int] = {}
        self.sightings: list[Sighting] = []

    def write(self, folder: Path) -> None:
        """Write erp.db into the folder."""
        for organisation in self._world.organisations:
            if self._rng.random() < KNOWN:
                self._organisation(organisation)
        for person in self._world.persons:
            self._person(person)
        path = folder / FILE_NAME
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path)
        with connection:
            connection.executescript(_SCHEMA)
            connection.executemany(_CUSTOMER, self._customers)
            connection.executemany(_CONTACT, self._contacts)
        connection.close()

    def _organisation(self, organisation: Organisation) -> None:
        self._ids[organisation.id] = self._customer(organisation, noise.company_name(self._rng, organisation))
        if organisation.branch:
            self._customer(organisation, f"{organisation.native}{organisation.branch}分公司", branch=True)
        elif self._rng.random() < 0.05:  # entered twice
            self._customer(organisation, noise.company_name(self._rng, organisation, latin=0.5))

    def _customer(self, organisation: Organisation, name: str, branch: bool = False) -> int:
        rng, place = self._rng, organisation.place
        number = len(self._customers) + 1
        changed = moment(rng)
        email = f"info@{organisation.domain}" if rng.random() < 0.7 else rng.choice(["", noise.PLACEHOLDER_EMAIL])
        self._customers.append(
            (
                number, f"C{10_000 + number}", name, organisation.latin if rng.random() < 0.6 else "",
                self._tax(organisation), organisation.phone if rng.random() < 0.9 else "", email, place.country,
                place.province, organisation.branch if branch else place.city, place.street or place.latin_street,
                place.postcode, "CNY" if place.country == "CN" else "USD", f"{rng.randrange(1, 60) * 5000}.00",
                rng.choice(["正常", "正常", "正常", "停用", "潜在"]), rng.choice(OWNERS),
                (changed.replace(year=changed.year - rng.randrange(1, 8), day=1)).strftime("%Y-%m-%d %H:%M:%S"),
                changed.strftime("%Y-%m-%d %H:%M:%S"), 0,
            )
        )  # fmt: skip
        self.sightings.append(Sighting("erp", "customers", str(number), "", organisation.id))
        return number

    def _tax(self, organisation: Organisation) -> str:
        kind = self._rng.random()
        if not organisation.tax or kind < 0.08:
            return ""
        if kind < 0.13:  # mistyped: the check digit is wrong then, so it proves nothing
            return noise.typo(self._rng, organisation.tax)
        return noise.full_width(organisation.tax) if kind < 0.16 else organisation.tax

    def _person(self, person: Person) -> None:
        employer, email = person.before or person.employer, person.old_email or person.email
        if employer is None or employer.id not in self._ids or self._rng.random() < 0.2:
            return
        number = len(self._contacts) + 1
        rng = self._rng
        if rng.random() < 0.06:
            email = noise.PLACEHOLDER_EMAIL
        mobile = noise.PLACEHOLDER_PHONE if rng.random() < 0.04 else noise.phone(rng, person.mobile)
        self._contacts.append(
            (
                number, self._ids[employer.id], noise.person_name(rng, person, latin=0.1), rng.choice(TITLES), mobile,
                noise.email(rng, email), moment(rng).strftime("%Y-%m-%d %H:%M:%S"),
            )
        )  # fmt: skip
        self.sightings.append(Sighting("erp", "contacts", str(number), "", person.id))
