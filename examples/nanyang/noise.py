"""What people make of names and numbers when they type them."""

from __future__ import annotations

from random import Random

from examples.nanyang.words import TRADITIONAL
from examples.nanyang.world import Organisation, Person

PLACEHOLDER_EMAIL = "noemail@nanyang.example"
PLACEHOLDER_PHONE = "13800138000"
_FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"})


def full_width(text: str) -> str:
    """Latin letters, digits and signs as a Chinese input method types them."""
    return text.translate(_FULL_WIDTH)


def traditional(text: str) -> str:
    """In traditional characters."""
    return text.translate(TRADITIONAL)


def person_name(rng: Random, person: Person, latin: float = 0.0) -> str:
    """A person's name as written somewhere; ``latin`` is the share of names in Latin letters."""
    if not person.family or rng.random() < latin:
        return rng.choice(
            [
                person.latin,
                f"{person.latin_family} {person.latin_given}",
                f"{person.latin_family.upper()} {person.latin_given}",
            ]
        )
    kind = rng.random()
    if kind < 0.08:
        return traditional(person.native)
    if kind < 0.14:
        return f"{person.family} {person.given}"
    if kind < 0.18:
        return person.native + rng.choice(("先生", "女士", "经理"))
    return person.native


def company_name(rng: Random, organisation: Organisation, latin: float = 0.0) -> str:
    """A company's name as written somewhere."""
    if not organisation.native or rng.random() < latin:
        name = organisation.latin
        return rng.choice([name, name.upper(), name.replace("Co., Ltd.", "Co.,Ltd"), name.replace("&", "and")])
    name, city = organisation.native, organisation.place.city
    kind = rng.random()
    if kind < 0.08:
        return traditional(name)
    if kind < 0.16:
        return name.replace(f"{city}市", city)
    if kind < 0.22:
        return name.replace(f"{city}市", "").replace("有限公司", f"（{city}）有限公司")
    if kind < 0.28:
        return name.replace("有限公司", "有限责任公司")
    return f"{name} " if kind < 0.31 else name


def phone(rng: Random, number: str) -> str:
    """A phone number as written somewhere: with country code, blanks, dashes, or in full width."""
    if not (len(number) == 11 and number.isdigit()):
        return number.replace("-", " ") if rng.random() < 0.2 else number
    kind = rng.random()
    if kind < 0.15:
        return f"+86 {number[:3]} {number[3:7]} {number[7:]}"
    if kind < 0.25:
        return f"{number[:3]}-{number[3:7]}-{number[7:]}"
    if kind < 0.30:
        return f"0086{number}"
    return full_width(number) if kind < 0.33 else number


def typo(rng: Random, text: str) -> str:
    """The text with two neighbouring letters swapped."""
    if len(text) < 4:
        return text
    place = rng.randrange(1, len(text) - 2)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def email(rng: Random, address: str) -> str:
    """An email address as written somewhere."""
    kind = rng.random()
    if kind < 0.06:
        return address.upper()
    return f" {address}" if kind < 0.09 else address
