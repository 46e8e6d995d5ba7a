"""What the probabilistic matcher sees of a customer: named columns of one person or organisation, None
where unknown.

Text columns hold plain ASCII (accents off, pinyin for Chinese), so that similarity means the same on bytes
and on characters; columns that may hold Chinese characters are only compared by equality.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mappings.contract import Canonical
from mappings.normalise.divisions import leading_city, leading_province
from mappings.normalise.emails import email_domain, fold_email, is_free_mail
from mappings.normalise.names import (
    addressed_surname,
    generation_of,
    given_pinyin,
    person_tokens,
    split_joined_pinyin,
    split_person_name,
    surname_pinyin,
)
from mappings.normalise.nicknames import root_name
from mappings.normalise.organisations import branch_of, split_organisation_name
from mappings.normalise.placeholders import (
    is_placeholder_date,
    is_placeholder_email,
    is_placeholder_identifier,
    is_placeholder_phone,
    is_placeholder_text,
)
from mappings.normalise.scripts import fold, half_width, has_han, simplify
from mappings.normalise.surnames import SURNAMES, is_pinyin

PERSON_COLUMNS = (
    "given", "given_latin", "family", "family_latin", "birth", "email", "emails", "phone", "phones",
    "street", "city", "postcode", "number", "root", "middle", "generation",
)  # fmt: skip
"""given and family as compared by equality (Chinese characters, else folded Latin); ``_latin`` by similarity. root: the
full form of a nickname; middle: the initial of a second name; generation: "2" for Jr, "" where a name says none.
"""

ORGANISATION_COLUMNS = (
    "name", "name_latin", "words", "street", "city", "postcode", "phone", "phones", "tax", "email", "emails",
    "domain", "contact", "branch", "seat", "trade",
)  # fmt: skip
"""name without legal form: simplified characters, else folded words; words: its distinct words, for the
subset level. branch: "" for the company itself, None where the name leaves it open. seat: the city in the name; trade:
of a Chinese name, in pinyin.

New columns are put last: versions that were learnt before have fewer of them.
"""

PHONE_DIGITS = 8
_COUNTRY = frozenset({"中国", "china"})
Values = tuple[Any, ...]


def person_values(customer: Canonical) -> Values:
    """The values of ``PERSON_COLUMNS``."""
    given, family = _person_name(customer)
    emails, phones = _emails(customer), _phones(customer)
    street, city, postcode = _address(customer)
    latin, middle = _first_and_middle(_given_latin(given), _family_latin(family))
    equal = _equal(given) if has_han(given) else latin
    return (
        equal, latin, _equal(family), _family_latin(family), _birth(customer),
        emails[0] if emails else None, emails or None, phones[0] if phones else None, phones or None,
        street, city, postcode, _number(customer),
        root_name(latin) if latin else None, middle, _generation(customer) if latin or family else None,
    )  # fmt: skip


def _birth(customer: Canonical) -> str | None:
    birth = customer.get("birth_date")
    return None if birth is None or is_placeholder_date(birth) else birth


def _first_and_middle(given: str | None, family: str | None) -> tuple[str | None, str | None]:
    """A given name in Latin letters without initials behind it ("mary l", "r m"), and the initial of the second name.
    The syllables of a Chinese name are one word.
    """
    if given is None or " " not in given:
        return given, None
    words = given.split(" ")
    if family in SURNAMES and all(is_pinyin(word) for word in words):
        return "".join(words), None
    kept = len(words)
    while kept > 1 and len(words[kept - 1]) == 1:
        kept -= 1
    return " ".join(words[:kept]), words[1][0]


def _generation(customer: Canonical) -> str:
    """Out of the name as a whole or its parts."""
    texts = (customer.get("name"), customer.get("family_name"), customer.get("given_name"))
    return next((found for text in texts if text and (found := generation_of(text))), "")


def organisation_values(customer: Canonical) -> Values:
    """The values of ``ORGANISATION_COLUMNS``."""
    name, latin, region = _organisation_name(customer)
    emails, phones = _emails(customer), _phones(customer)
    street, city, postcode = _address(customer)
    domain = next((d for e in emails if not is_free_mail(d := email_domain(e))), None)
    contact = " ".join(person_tokens(customer.get("attributes", {}).get("contact", ""))) or None
    return (
        name, latin, sorted(set(latin.split())) if latin else None, street, city or region, postcode,
        phones[0] if phones else None, phones or None, _tax(customer),
        emails[0] if emails else None, emails or None, domain, contact, _branch(customer), *_seat_and_trade(customer),
    )  # fmt: skip


def _person_name(customer: Canonical) -> tuple[str, str]:
    native = customer.get("native_name")
    if native and has_han(native) and (parts := split_person_name(native)):
        return parts.given, parts.family
    given, family = customer.get("given_name", ""), customer.get("family_name", "")
    if not given and not family and (name := customer.get("name", "")):
        parts = split_person_name(name) or split_joined_pinyin(name)
        if parts:
            return parts.given, parts.family
        return "", addressed_surname(name)
    if family and generation_of(family):
        family = family.split()[0]
    return (
        "" if given and is_placeholder_text(given) else given,
        "" if family and is_placeholder_text(family) else family,
    )


def _equal(text: str) -> str | None:
    if not text:
        return None
    return simplify(half_width(text)).replace(" ", "") if has_han(text) else fold(text) or None


def _given_latin(given: str) -> str | None:
    return (given_pinyin(given) if has_han(given) else fold(given)) or None


def _family_latin(family: str) -> str | None:
    return (surname_pinyin(family) if has_han(family) else fold(family)) or None


def _organisation_name(customer: Canonical) -> tuple[str | None, str | None, str | None]:
    """The name without region and legal form as written and in Latin, and the region. Of a Chinese name brand and trade
    are one Latin word each ("tengxun jisuanjixitong"), so that the brand alone is recognised in a Latin name.
    """
    text = customer.get("native_name") or customer.get("legal_name") or customer.get("name") or ""
    parts = split_organisation_name(text) if text else None
    if parts is None:
        return None, None, None
    region = _city(parts.region)
    if has_han(parts.brand):
        core = parts.brand + parts.trade
        return core, " ".join(filter(None, (_joined(parts.brand), _joined(parts.trade)))), region
    core = " ".join(f"{parts.brand} {parts.trade}".split())
    return core, core, region


def _branch(customer: Canonical) -> str | None:
    text = customer.get("native_name") or customer.get("legal_name") or customer.get("name") or ""
    return branch_of(text) if text else None


def _seat_and_trade(customer: Canonical) -> tuple[str | None, str | None]:
    text = customer.get("native_name") or customer.get("legal_name") or customer.get("name") or ""
    parts = split_organisation_name(text) if text else None
    if parts is None:
        return None, None
    seat = None if parts.region in _COUNTRY else _city(parts.region)
    return seat, (_joined(parts.trade) or None) if has_han(parts.trade) else None


def _joined(text: str) -> str:
    return fold(text).replace(" ", "")


@lru_cache(maxsize=8192)
def _city(text: str) -> str | None:
    """A city in comparable form: 深圳市, 广东省深圳市 and Shenzhen are one."""
    if not has_han(text):
        return fold(text) or None
    text = simplify(half_width(text))
    province = leading_province(text)
    name = leading_city(text[province.length :]).name or province.name or text
    return _joined(name[:-1] if name[-1] in "市省" and len(name) > 2 else name) or None


def _emails(customer: Canonical) -> list[str]:
    found = [fold_email(e["value"]) for e in customer.get("emails", ()) if not is_placeholder_email(e["value"])]
    return list(dict.fromkeys(found))


def _phones(customer: Canonical) -> list[str]:
    """The last digits: they survive missing area and country codes."""
    found = [
        p["value"][-PHONE_DIGITS:].lstrip("+")
        for p in customer.get("phones", ())
        if not is_placeholder_phone(p["value"])
    ]
    return list(dict.fromkeys(found))


def _address(customer: Canonical) -> tuple[str | None, str | None, str | None]:
    addresses = customer.get("addresses")
    if not addresses:
        return None, None, None
    address = addresses[0]
    street = fold(address.get("street") or address.get("text") or "")
    postcode = fold(address.get("postcode", "")).replace(" ", "")
    if len(postcode) > 4 and is_placeholder_identifier(postcode):
        postcode = ""
    return street or None, _city(address.get("city", "")), postcode or None


def _number(customer: Canonical) -> str | None:
    """The first official or private number, with its scheme where it is checked."""
    for identifier in customer.get("identifiers", ()):
        if not is_placeholder_identifier(identifier["value"]):
            return str(identifier["value"])
    return None


def _tax(customer: Canonical) -> str | None:
    return _number(customer)
