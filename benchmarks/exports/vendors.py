"""Vendors in American English: chains with numbered shops, legal forms, trade names, renamed ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.exports.errors import Change, missing, one_change, shortened
from benchmarks.exports.making import Export, Key, Row
from benchmarks.population import vocabulary as words
from benchmarks.population.persons import plain

TRADES = [
    *words.ENGLISH_TRADES,
    "Plumbing",
    "Electric",
    "Roofing",
    "Construction",
    "Supply",
    "Insurance",
    "Dental",
    "Realty",
    "Bakery",
    "Landscaping",
]
FORMS = ["Inc", "Inc.", "LLC", "L.L.C.", "Corp", "Corporation", "Ltd", "Co", "Company", "LP"]
BRANDS = [
    "American",
    "National",
    "United",
    "First",
    "Premier",
    "Pacific",
    "Atlantic",
    "Midwest",
    "Northern",
    "Sunrise",
    "Summit",
    "Pioneer",
    "Heritage",
    "Liberty",
    "Global",
    "Allied",
]
NEW_BRANDS = ["Apex", "Vertex", "Nova", "Orion", "Titan", "Zenith"]
TRADE_NAMES = ["Quick", "Best", "Smart", "City"]
INITIALS = "ABCDJKMRST"
PARTNERS = ("& Sons", "Brothers", "Group", "Partners", "and Associates")
CITIES = [
    ("Chicago", "IL", "606"),
    ("Boston", "MA", "021"),
    ("Dallas", "TX", "752"),
    ("Phoenix", "AZ", "850"),
    ("Denver", "CO", "802"),
    ("Atlanta", "GA", "303"),
]
STREET_KINDS = ("Street", "Avenue", "Drive", "Parkway")
ABBREVIATIONS = {"Street": "St", "Avenue": "Ave", "Drive": "Dr", "Parkway": "Pkwy", "Suite": "Ste"}
NAME_ABBREVIATIONS = {"&": "and", "Brothers": "Bros", "Company": "Co", "Associates": "Assoc"}
SWITCHBOARD = "800-555-0199"
COPIES = {1: 58, 2: 27, 3: 11, 4: 4}


@dataclass(frozen=True)
class Company:
    """What the shops of one company share."""

    brand: str
    trade: str
    form: str
    domain: str
    tax: str


@dataclass(frozen=True)
class Vendor:
    """A company, or one shop of a chain, as a row has it."""

    company: Company
    name: str
    city: str
    state: str
    street: str
    postcode: str
    phone: str
    tax: str


def company(chance: random.Random) -> Iterator[Vendor]:
    """A company, or the two to six shops of a chain, which share name and domain only."""
    shared = _company(chance)
    chain = chance.random() < 0.08
    for _ in range(chance.randint(2, 6) if chain else 1):
        yield _vendor(chance, shared, chain)


def _company(chance: random.Random) -> Company:
    brand = _brand(chance)
    if chance.random() < 0.3:
        brand = f"{brand} {chance.choice(PARTNERS)}"
    trade, form = chance.choice(TRADES), chance.choice(FORMS)
    domain = plain(brand + trade) + chance.choice((".com", ".net", ".us"))
    return Company(brand, trade, form, domain, _tax_number(chance))


def _brand(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.5:
        return words.zipf(chance, words.FAMILY)
    if kind < 0.85:
        return chance.choice(BRANDS)
    return f"{chance.choice(INITIALS)}&{chance.choice(INITIALS)}"


def _tax_number(chance: random.Random) -> str:
    return f"{chance.randint(10, 99)}-{chance.randint(1000000, 9999999)}"


def _vendor(chance: random.Random, shared: Company, chain: bool) -> Vendor:
    city, state, code = chance.choice(CITIES)
    usual = f"{shared.brand} {shared.trade}"
    return Vendor(
        company=shared,
        city=city,
        state=state,
        street=_street(chance) + (f" Suite {chance.randint(100, 900)}" if chance.random() < 0.3 else ""),
        postcode=f"{code}{chance.randint(0, 99):02}",
        phone=_phone(chance),
        name=f"{usual} #{chance.randint(1, 999)}" if chain else f"{usual} {shared.form}",
        tax=_tax_number(chance) if chain else shared.tax,
    )


def _street(chance: random.Random) -> str:
    return f"{chance.randint(1, 9999)} {chance.choice(words.STREETS)} {chance.choice(STREET_KINDS)}"


def _phone(chance: random.Random) -> str:
    return f"{chance.randint(201, 989)}-{chance.randint(200, 999)}-{chance.randint(0, 9999):04}"


def _other_form(chance: random.Random, vendor: Vendor) -> Vendor:
    return replace(vendor, name=vendor.name.replace(vendor.company.form, chance.choice(FORMS)).strip())


def _without_form(_chance: random.Random, vendor: Vendor) -> Vendor:
    _, mark, number = vendor.name.partition(" #")
    return replace(vendor, name=f"{vendor.company.brand} {vendor.company.trade}{mark}{number}")


def _abbreviated(_chance: random.Random, vendor: Vendor) -> Vendor:
    return replace(vendor, name=shortened(vendor.name, NAME_ABBREVIATIONS).upper())


def _misspelt(chance: random.Random, vendor: Vendor) -> Vendor:
    brand = vendor.company.brand
    return replace(vendor, name=vendor.name.replace(brand, words.misspelt(chance, brand)))


def _by_brand(_chance: random.Random, vendor: Vendor) -> Vendor:
    return replace(vendor, name=vendor.company.brand)


def _renamed(chance: random.Random, vendor: Vendor) -> Vendor:
    return replace(vendor, name=f"{chance.choice(NEW_BRANDS)} {vendor.company.trade} {vendor.company.form}")


def _with_article(_chance: random.Random, vendor: Vendor) -> Vendor:
    return replace(vendor, name=f"The {vendor.name}")


def _with_trade_name(chance: random.Random, vendor: Vendor) -> Vendor:
    return replace(vendor, name=f"{vendor.name} dba {chance.choice(TRADE_NAMES)} {vendor.company.trade}")


NAME_CHANGES: list[tuple[float, Change[Vendor]]] = [
    (0.20, _other_form),
    (0.30, _without_form),
    (0.40, _abbreviated),
    (0.50, _misspelt),
    (0.55, _by_brand),
    (0.60, _renamed),
    (0.65, _with_article),
    (0.70, _with_trade_name),
]


def _later(chance: random.Random, vendor: Vendor) -> Vendor:
    """The vendor in another row: one change of the name, an address written otherwise, a PO box, another number."""
    vendor = one_change(chance, vendor, NAME_CHANGES)
    if chance.random() < 0.2:
        vendor = replace(vendor, street=shortened(vendor.street, ABBREVIATIONS))
    if chance.random() < 0.15:
        vendor = replace(vendor, street=f"P.O. Box {chance.randint(1, 9999)}")
    if chance.random() < 0.12:
        vendor = replace(vendor, phone=_phone(chance))
    return vendor


def _row(chance: random.Random, vendor: Vendor, again: bool) -> Row:
    email = _email(chance, vendor.company.domain)
    if again:
        vendor = _later(chance, vendor)
    return {
        "Vendor Name": vendor.name,
        "Remit Address": missing(chance, vendor.street, 0.1),
        "Remit City": missing(chance, vendor.city, 0.1),
        "ST": vendor.state,
        "Remit ZIP": missing(chance, vendor.postcode, 0.1),
        "Phone Number": missing(chance, vendor.phone if chance.random() > 0.03 else SWITCHBOARD, 0.25),
        "AP Email": missing(chance, email, 0.5),
        "Tax ID (EIN)": missing(chance, vendor.tax, 0.6),
    }


def _email(chance: random.Random, domain: str) -> str:
    return f"{'billing' if chance.random() < 0.5 else plain(words.zipf(chance, words.GIVEN))}@{domain}"


VENDORS_US = Export(2_500, "US", "entity", "v", Key("Vendor ID", "{}", 1), COPIES, company, _row)
