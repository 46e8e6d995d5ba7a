"""Patients in English: families, twins, nicknames, maiden names, misread letters, day-first dates."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.exports.errors import Change, misread, missing, one_change, shortened
from benchmarks.exports.making import Export, Key, Row, day_between, weighed
from benchmarks.population import vocabulary as words
from benchmarks.population.persons import plain

NICKNAMES = {
    "Robert": "Bob",
    "William": "Bill",
    "Elizabeth": "Liz",
    "Margaret": "Peggy",
    "Michael": "Mike",
    "James": "Jim",
    "Jennifer": "Jenny",
    "Katherine": "Kate",
    "Thomas": "Tom",
    "Richard": "Dick",
    "Anthony": "Tony",
    "Christopher": "Chris",
    "Susan": "Sue",
    "Edward": "Ted",
    "Patricia": "Pat",
    "David": "Dave",
}
TOWNS = [("London", "SW"), ("Leeds", "LS"), ("Bristol", "BS"), ("York", "YO"), ("Bath", "BA"), ("Exeter", "EX")]
ABBREVIATIONS = {"Street": "St.", "Road": "Rd", "Avenue": "Ave"}
FAMILY_SIZES = {1: 50, 2: 25, 3: 15, 4: 10}
COPIES = {1: 55, 2: 28, 3: 12, 4: 5}
FIRST_CHILD, SECOND_CHILD = 2, 3
NAMESAKES, TWINS = 0.12, 0.35


@dataclass(frozen=True)
class Home:
    """What a family shares; ``code`` begins its postcode."""

    family: str
    town: str
    code: str
    street: str
    flat: str
    postcode: str
    phone: str


@dataclass(frozen=True)
class Patient:
    """A patient as a row has them."""

    home: Home
    given: str
    middle: str
    family: str
    maiden: str
    birth: datetime.date
    sex: str
    mobile: str
    email: str
    nhs: str


def family(chance: random.Random) -> Iterator[Patient]:
    """The patients of one family: a child may have the first parent's name, two children may be twins."""
    home = _home(chance)
    members: list[Patient] = []
    for _ in range(weighed(chance, FAMILY_SIZES)):
        members.append(_patient(chance, home, members))
        yield members[-1]


def _home(chance: random.Random) -> Home:
    surname = words.zipf(chance, words.FAMILY)
    town, code = chance.choice(TOWNS)
    return Home(
        family=surname,
        town=town,
        code=code,
        street=_street(chance),
        flat=f"Flat {chance.randint(1, 20)}, " if chance.random() < 0.2 else "",
        postcode=_postcode(chance, code),
        phone=f"0{chance.choice(('20', '113', '117', '1904'))}{chance.randint(1000000, 9999999)}",
    )


def _street(chance: random.Random) -> str:
    return f"{chance.randint(1, 250)} {chance.choice(words.STREETS)} {chance.choice(words.STREET_KINDS)}"


def _postcode(chance: random.Random, code: str) -> str:
    outward, sector = f"{code}{chance.randint(1, 20)}", chance.randint(1, 9)
    return f"{outward} {sector}{chance.choice('ABDEFGHJ')}{chance.choice('LNPQRSTU')}"


def _patient(chance: random.Random, home: Home, elders: list[Patient]) -> Patient:
    place = len(elders)
    given = words.zipf(chance, words.GIVEN)
    middle = words.zipf(chance, words.GIVEN) if chance.random() < 0.5 else ""
    birth = day_between(chance, 1930, 1985) if place < FIRST_CHILD else day_between(chance, 1986, 2015)
    if place == SECOND_CHILD and chance.random() < TWINS:
        birth = elders[-1].birth
    if place == FIRST_CHILD and chance.random() < NAMESAKES:
        given = elders[0].given
    return Patient(
        home=home,
        given=given,
        middle=middle,
        family=home.family,
        birth=birth,
        mobile=f"07{chance.randint(100000000, 999999999)}",
        nhs=str(chance.randint(4000000000, 7999999999)),
        maiden=words.zipf(chance, words.FAMILY),
        sex=chance.choice("MF"),
        email=_email(chance, given, home.family) if place < FIRST_CHILD else "",
    )


def _email(chance: random.Random, given: str, surname: str) -> str:
    return f"{plain(given)}.{plain(surname)}{chance.randint(1, 99)}@{chance.choice(words.FREE_MAIL)}"


def _misspelt_given(chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, given=words.misspelt(chance, patient.given))


def _misspelt_family(chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, family=words.misspelt(chance, patient.family))


def _nickname(_chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, given=NICKNAMES.get(patient.given, patient.given))


def _initial(_chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, given=patient.given[0])


def _swapped(_chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, given=patient.family, family=patient.given)


def _maiden_name(_chance: random.Random, patient: Patient) -> Patient | None:
    return replace(patient, family=patient.maiden) if patient.sex == "F" else None


def _double_name(_chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, family=f"{patient.family}-{patient.maiden}")


def _misread_given(chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, given=misread(chance, patient.given))


def _misread_family(chance: random.Random, patient: Patient) -> Patient:
    return replace(patient, family=misread(chance, patient.family))


def _by_middle_name(_chance: random.Random, patient: Patient) -> Patient | None:
    return replace(patient, given=patient.middle) if patient.middle else None


NAME_CHANGES: list[tuple[float, Change[Patient]]] = [
    (0.08, _misspelt_given),
    (0.16, _misspelt_family),
    (0.22, _nickname),
    (0.28, _initial),
    (0.32, _swapped),
    (0.36, _maiden_name),
    (0.40, _double_name),
    (0.46, _misread_given),
    (0.52, _misread_family),
    (0.56, _by_middle_name),
]


def _later(chance: random.Random, patient: Patient) -> Patient:
    """The patient in another row: one change of the name, another day of birth, moved, an address written otherwise."""
    patient = one_change(chance, patient, NAME_CHANGES)
    return replace(patient, birth=_later_birth(chance, patient.birth), home=_later_home(chance, patient.home))


def _later_birth(chance: random.Random, birth: datetime.date) -> datetime.date:
    """Another day, day and month swapped, or the first of January, as systems put it where only the year is known."""
    if chance.random() < 0.08:
        return birth.replace(day=chance.randint(1, 28))
    if chance.random() < 0.04 and birth.day <= 12:
        return birth.replace(month=birth.day, day=birth.month)
    if chance.random() < 0.02:
        return birth.replace(month=1, day=1)
    return birth


def _later_home(chance: random.Random, home: Home) -> Home:
    if chance.random() < 0.12:
        home = replace(home, street=_street(chance), postcode=_postcode(chance, home.code))
    if chance.random() < 0.2:
        home = replace(home, street=shortened(home.street, ABBREVIATIONS).upper())
    if chance.random() < 0.15:
        home = replace(home, postcode=home.postcode.replace(" ", "").lower())
    return home


def _row(chance: random.Random, patient: Patient, again: bool) -> Row:
    if again:
        patient = _later(chance, patient)
    home = patient.home
    return {
        "Title": chance.choice(("Mr", "Mrs", "Ms", "")),
        "Forename": patient.given + (f" {patient.middle[0]}" if patient.middle and chance.random() < 0.3 else ""),
        "Surname": missing(chance, patient.family if chance.random() > 0.05 else patient.family.upper(), 0.02),
        "DOB": missing(chance, f"{patient.birth:%d/%m/%Y}", 0.06),
        "Gender": patient.sex,
        "Addr1": missing(chance, home.flat + home.street, 0.05),
        "Addr2": "",
        "Town": missing(chance, home.town, 0.1),
        "Post Code": missing(chance, home.postcode, 0.08),
        "Tel No": missing(chance, home.phone, 0.4),
        "Mobile Tel": missing(chance, patient.mobile, 0.5),
        "E-mail": missing(chance, patient.email, 0.4),
        "NHS": missing(chance, patient.nhs, 0.75),
    }


PATIENTS_UK = Export(4_000, "GB", "Person", "u", Key("Ref No", "P{:06}"), COPIES, family, _row)
