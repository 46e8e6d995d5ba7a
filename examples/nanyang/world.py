"""Who really exists: organisations and persons, before any system wrote them down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from examples.nanyang import numbers
from examples.nanyang.words import (
    ABROAD,
    BRANDS,
    CITIES,
    GIVEN,
    STREETS,
    SURNAMES,
    TRADES,
    WESTERN_BRANDS,
    WESTERN_FAMILY,
    WESTERN_GIVEN,
    WESTERN_TRADES,
)

FREE_MAIL = ("qq.com", "163.com", "126.com", "gmail.com", "outlook.com")
ORGANISATIONS = 0.4
"""The share of organisations among the true customers; the rest are persons."""


@dataclass(slots=True)
class Place:
    """Where somebody is; Chinese texts are empty abroad."""

    city: str
    latin: str
    province: str = ""
    street: str = ""
    latin_street: str = ""
    postcode: str = ""
    country: str = "CN"


@dataclass(slots=True)
class Organisation:
    """A company. ``phone`` may be a switchboard that several companies share."""

    id: str
    native: str
    latin: str
    short: str
    place: Place
    phone: str
    domain: str
    tax: str = ""
    branch: str = ""

    @property
    def name(self) -> str:
        """The name it is registered under."""
        return self.native or self.latin


@dataclass(slots=True)
class Person:
    """A human being. ``before`` is the employer of those who moved; ``household`` shares an email with another."""

    id: str
    family: str
    given: str
    latin_family: str
    latin_given: str
    mobile: str
    email: str
    place: Place
    employer: Organisation | None = None
    before: Organisation | None = None
    old_email: str = ""
    household: str = ""

    @property
    def native(self) -> str:
        """The name in Chinese characters; empty for those who have none."""
        return self.family + self.given

    @property
    def latin(self) -> str:
        """The name in Latin letters, given name first."""
        return f"{self.latin_given} {self.latin_family}"


@dataclass(slots=True)
class World:
    """Everybody."""

    organisations: list[Organisation] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.organisations) + len(self.persons)


def build(seed: int, customers: int) -> World:
    """As many true customers as asked for (at least 20)."""
    rng = Random(f"nanyang:{seed}:world")
    world = World()
    count = max(20, customers)
    names = _company_names(rng)
    for number in range(int(count * ORGANISATIONS)):
        world.organisations.append(_organisation(rng, number, names))
    for number in range(count - len(world.organisations)):
        world.persons.append(_person(rng, number, world.organisations))
    _share_switchboards(rng, world.organisations)
    _open_branches(rng, world.organisations)
    _move(rng, world)
    _found_households(rng, world.persons)
    return world


def _company_names(rng: Random) -> Iterator[tuple[str, str]]:
    """Pairs of brand characters and their pinyin, none twice."""
    signs = list(BRANDS)
    taken: set[str] = set()
    while True:
        brand = "".join(rng.sample(signs, rng.choice((2, 2, 3))))
        if brand not in taken:
            taken.add(brand)
            yield brand, "".join(BRANDS[sign] for sign in brand)


def _organisation(rng: Random, number: int, names: Iterator[tuple[str, str]]) -> Organisation:
    if rng.random() < 0.15:
        return _foreign(rng, number)
    brand, pinyin = next(names)
    trade, english = rng.choice(TRADES)
    place, area, division = _place(rng)
    return Organisation(
        f"O{number:04d}",
        f"{place.city}市{brand}{trade}有限公司",
        f"{place.latin} {pinyin.capitalize()} {english} Co., Ltd.",
        brand,
        place,
        numbers.landline(rng, area),
        f"{pinyin}-{number}.example",
        numbers.credit_code(rng, division),
    )


def _foreign(rng: Random, number: int) -> Organisation:
    country, city, code, form, first, length = rng.choice(ABROAD)
    brand = f"{rng.choice(WESTERN_BRANDS)} {rng.choice(WESTERN_TRADES)} {city}"
    place = Place(city, city, latin_street=f"{rng.randrange(1, 200)} Harbour Street", country=country)
    domain = f"{brand.lower().replace(' ', '-')}-{number}.example"
    return Organisation(
        f"O{number:04d}", "", f"{brand} {form}", brand, place, numbers.abroad(rng, code, first, length), domain
    )


def _place(rng: Random) -> tuple[Place, str, str]:
    city, latin, province, area, postcode, division = rng.choice(CITIES)
    street, latin_street = rng.choice(STREETS)
    house = rng.randrange(1, 400)
    place = Place(
        city,
        latin,
        province,
        f"{street}{house}号",
        f"No. {house}, {latin_street}",
        f"{postcode}{rng.randrange(1000):03d}",
    )
    return place, area, division


def _person(rng: Random, number: int, organisations: list[Organisation]) -> Person:
    employer = rng.choice(organisations) if rng.random() < 0.7 else None
    if employer is not None and not employer.native:
        return _foreigner(rng, number, employer)
    family = rng.choice(list(SURNAMES)[: 12 if rng.random() < 0.6 else None])
    given = "".join(rng.sample(list(GIVEN), rng.choice((1, 2, 2))))
    if rng.random() < 0.04:  # namesakes, as there are many in any Chinese list
        family, given = rng.choice((("张", "伟"), ("王", "芳"), ("李", "静")))
    latin_given = "".join(GIVEN[sign] for sign in given).capitalize()
    handle = f"{SURNAMES[family]}.{latin_given}".lower()
    own = f"{handle}{number}.demo@{rng.choice(FREE_MAIL)}"
    email = f"{handle}{number}@{employer.domain}" if employer is not None and rng.random() < 0.8 else own
    place = employer.place if employer is not None else _place(rng)[0]
    return Person(
        f"P{number:04d}", family, given, SURNAMES[family], latin_given, numbers.mobile(rng), email, place, employer
    )


def _foreigner(rng: Random, number: int, employer: Organisation) -> Person:
    given, family = rng.choice(WESTERN_GIVEN), rng.choice(WESTERN_FAMILY)
    code, first, length = next((row[2], row[4], row[5]) for row in ABROAD if row[0] == employer.place.country)
    email = f"{given.split()[0]}.{family}{number}@{employer.domain}".lower()
    phone = numbers.abroad(rng, code, first, length)
    return Person(f"P{number:04d}", "", "", family, given, phone, email, employer.place, employer)


def _share_switchboards(rng: Random, organisations: list[Organisation]) -> None:
    """Tenants of one office building are reached by one number."""
    for city in CITIES:
        tenants = [one for one in organisations if one.place.city == city[0]]
        if len(tenants) >= 3:
            first, *others = rng.sample(tenants, rng.choice((2, 3)))
            for tenant in others:
                tenant.phone = first.phone


def _open_branches(rng: Random, organisations: list[Organisation]) -> None:
    """Some firms took over a branch in another city; systems still know both."""
    for organisation in organisations:
        if organisation.native and rng.random() < 0.08:
            organisation.branch = rng.choice([city[0] for city in CITIES if city[0] != organisation.place.city])


def _move(rng: Random, world: World) -> None:
    """Some persons changed their employer, and with it their email; the mobile number stays."""
    chinese = [one for one in world.organisations if one.native]
    for person in world.persons:
        if person.employer is not None and person.family and rng.random() < 0.08 and len(chinese) > 1:
            person.before, person.old_email = person.employer, person.email
            person.employer = rng.choice([one for one in chinese if one is not person.before])
            handle = f"{person.latin_family}.{person.latin_given}".lower()
            person.email = f"{handle}{person.id[1:]}@{person.employer.domain}"


def _found_households(rng: Random, persons: list[Person]) -> None:
    """Some private customers share a family name, an address and an email with another one."""
    private = [one for one in persons if one.employer is None]
    for first, second in zip(private[::8], private[1::8], strict=False):
        second.family, second.latin_family = first.family, first.latin_family
        while second.given == first.given:
            second.given = rng.choice(list(GIVEN))
        second.latin_given = "".join(GIVEN[sign] for sign in second.given).capitalize()
        second.place, second.email = first.place, first.email
        first.household = second.household = first.id
