"""Made-up persons and families, each person in one to four records."""
# ruff: noqa: E501

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from opencc import OpenCC

from benchmarks.population import vocabulary as words
from mappings.normalise.names import given_pinyin, surname_pinyin


@dataclass(frozen=True)
class Person:
    """One person as they are."""

    given: str
    family: str
    chinese: bool
    birth: str
    phone: str
    email: str
    street: str
    city: str
    postcode: str


class Maker:
    """Makes persons, alone or in families."""

    def __init__(self, chance: random.Random, chinese: float) -> None:
        self._chance, self._chinese = chance, chinese
        self._number = 0

    def group(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The records of one household."""
        chance = self._chance
        person = self._person()
        household = [person]
        if chance.random() < 0.2:
            household += [self._relative(person) for _ in range(chance.randint(1, 3))]
        for one in household:
            self._number += 1
            entity = f"p{self._number}"
            copies = chance.choices((1, 2, 3, 4), (70, 20, 7, 3))[0]
            for copy in range(copies):
                yield entity, self._record(one, copy)

    def _person(self) -> Person:
        chance = self._chance
        chinese = chance.random() < self._chinese
        if chinese:
            family = words.zipf(chance, words.SURNAMES)
            given = "".join(chance.choice(words.NAME_CHARACTERS) for _ in range(1 if chance.random() < 0.2 else 2))
            _region, city, code = chance.choice(words.CHINESE_CITIES)
            street = f"{chance.choice(words.CHINESE_STREETS)}{chance.randint(1, 900)}号{chance.randint(1, 30)}栋{chance.randint(101, 3302)}室"
            phone = f"+861{chance.choice('3456789')}{chance.randint(0, 999999999):09}"
            postcode = code + f"{chance.randint(0, 99):02}"
        else:
            given, family = words.zipf(chance, words.GIVEN), words.zipf(chance, words.FAMILY)
            city, code = chance.choice(words.CITIES)
            street = f"{chance.randint(1, 300)} {chance.choice(words.STREETS)} {chance.choice(words.STREET_KINDS)}"
            phone = f"+44{chance.randint(7000000000, 7999999999)}"
            postcode = f"{code}{chance.randint(1, 99)} {chance.randint(1, 9)}{chance.choice('ABDEFGHJ')}{chance.choice('LNPQRST')}"
        birth = f"{chance.randint(1935, 2006)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        return Person(given, family, chinese, birth, phone, self._email(given, family, chinese), street, city, postcode)

    def _email(self, given: str, family: str, chinese: bool) -> str:
        chance = self._chance
        first, last = (latin_given(given), latin_family(family)) if chinese else (plain(given), plain(family))
        form = chance.random()
        tail = str(chance.randint(1, 9999)) if chance.random() < 0.8 else ""
        local = (
            f"{first}.{last}{tail}"
            if form < 0.4
            else f"{first[0]}{last}{tail}"
            if form < 0.7
            else f"{last}{chance.randint(1000, 99999999)}"
        )
        return f"{local}@{chance.choice(words.FREE_MAIL)}"

    def _relative(self, person: Person) -> Person:
        """Somebody of the household: the same name's father or son, a twin, a spouse or child; shared contacts."""
        chance = self._chance
        other = self._person()
        given = other.given if other.chinese == person.chinese else words.zipf(chance, words.GIVEN)
        if person.chinese and not other.chinese:
            given = "".join(chance.choice(words.NAME_CHARACTERS) for _ in range(2))
        born = other.birth
        kind = chance.random()
        if kind < 0.08:
            given, born = person.given, f"{int(person.birth[:4]) - 28}{other.birth[4:]}"
        elif kind < 0.16:
            born = person.birth
        email = person.email if chance.random() < 0.4 else self._email(given, person.family, person.chinese)
        phone = (
            person.phone
            if chance.random() < 0.6
            else other.phone
            if other.chinese == person.chinese
            else person.phone[:-4] + f"{chance.randint(0, 9999):04}"
        )
        return replace(person, given=given, birth=born, email=email, phone=phone)

    def _record(self, person: Person, copy: int) -> dict[str, Any]:
        chance = self._chance
        if copy and chance.random() < 0.08:  # moved
            other = self._person()
            if other.chinese == person.chinese:
                person = replace(person, street=other.street, city=other.city, postcode=other.postcode)
        if copy and chance.random() < 0.04 and not person.chinese:  # married
            person = replace(person, family=words.zipf(chance, words.FAMILY))
        if copy and chance.random() < 0.2:
            person = replace(
                person,
                phone=self._person().phone if chance.random() < 0.7 else person.phone[:-1] + str(chance.randint(0, 9)),
            )
        if copy and chance.random() < 0.2:
            person = replace(person, email=self._email(person.given, person.family, person.chinese))
        return self._written(person, copy)

    def _written(self, person: Person, copy: int) -> dict[str, Any]:
        chance = self._chance
        found: dict[str, Any] = {"kind": "person", **self._names(person, copy)}
        birth = person.birth
        if copy and chance.random() < 0.1:
            birth = (
                f"{birth[:4]}-{birth[8:]}-{birth[5:7]}"
                if int(birth[8:]) <= 12
                else birth[:-1] + str(chance.randint(1, 8))
            )
        if chance.random() < 0.75:
            found["birth_date"] = birth
        if chance.random() < 0.8:
            email = "noemail@example.com" if chance.random() < 0.03 else person.email
            found["emails"] = [{"value": email}]
        if chance.random() < 0.8:
            phone = (
                ("+8613800138000" if person.chinese else "+447000000000") if chance.random() < 0.02 else person.phone
            )
            found["phones"] = [{"value": phone}]
        if chance.random() < 0.85:
            street = person.street
            if copy and not person.chinese and chance.random() < 0.25:
                street = street.replace("Street", "St").replace("Road", "Rd").replace("Avenue", "Ave")
            address = {"street": street, "city": person.city}
            if chance.random() < 0.8:
                address["postcode"] = person.postcode
            found["addresses"] = [address]
        return found

    def _names(self, person: Person, copy: int) -> dict[str, str]:
        chance = self._chance
        if person.chinese:
            return _chinese_names(chance, person, copy)
        given, family = person.given, person.family
        kind = chance.random() if copy else 1.0
        if kind < 0.12:
            given = words.misspelt(chance, given)
        elif kind < 0.24:
            family = words.misspelt(chance, family)
        elif kind < 0.30:
            given = given[0]
        elif kind < 0.33:
            given, family = family, given
        elif kind < 0.36:
            return {"family_name": family, "name": family}
        return {"given_name": given, "family_name": family, "name": f"{given} {family}"}


def _chinese_names(chance: random.Random, person: Person, copy: int) -> dict[str, str]:
    kind = chance.random() if copy else 1.0
    whole = person.family + person.given
    if kind < 0.15:
        given, family = latin_given(person.given).title(), latin_family(person.family).title()
        return {"given_name": given, "family_name": family, "name": f"{given} {family}"}
    if kind < 0.25:
        return {"name": traditional(whole), "native_name": traditional(whole)}
    if kind < 0.30 and len(person.given) > 1:
        whole = person.family + person.given[0] + chance.choice(words.NAME_CHARACTERS)
    return {"name": whole, "native_name": whole}


@cache
def latin_given(given: str) -> str:
    """Pinyin of a given name."""
    return given_pinyin(given).replace(" ", "")


@cache
def latin_family(family: str) -> str:
    """Pinyin of a surname."""
    return surname_pinyin(family).replace(" ", "")


_TRADITIONAL = OpenCC("s2t")


def traditional(text: str) -> str:
    """In traditional characters."""
    return str(_TRADITIONAL.convert(text))


def plain(name: str) -> str:
    """As it stands in a mailbox."""
    return "".join(c for c in name.lower() if "a" <= c <= "z") or "x"
