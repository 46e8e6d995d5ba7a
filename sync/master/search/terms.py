"""What a customer is found by, and what a question asks for: the same folding on both sides.

A term begins with a letter that says what it is: n a name, e an email, p a phone, i an identifier, k the kind, t a
tag, c a connection. Chinese names are found by any part of them (each suffix is a term, and a question is a prefix),
by pinyin, and by its initials; Latin names by the beginning of each word, whatever the accents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mappings.normalise.names import latin_person_name
from mappings.normalise.phones import normalise_phone
from mappings.normalise.scripts import fold, half_width, has_han, pinyin, simplify

LONGEST_TERM = 60
LONGEST_SUFFIX = 12
LONGEST_NAME = 40
MOST_TERMS = 400
SHORTEST_PHONE = 7
"""Digits; ends of phone numbers are terms too."""
NAMES = ("name", "legal_name", "trading_name", "native_name", "latin_name")

_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+")
_NOT_DIGIT = re.compile(r"\D+")
_NUMBER = re.compile(r"\+?[\d\s().-]+")
_LAST = "\U0010ffff"


class Range(NamedTuple):
    """Terms from one to another, both included."""

    low: str
    high: str


class Condition(NamedTuple):
    """A customer fits if it has a term in any of the ranges."""

    ranges: tuple[Range, ...]


def terms_of(kind: str, golden: Mapping[str, Any], connections: Iterable[str] = ()) -> set[str]:
    """All terms of a customer; at most ``MOST_TERMS``."""
    found = {f"k{kind}"}
    found.update(f"c{name}" for name in connections)
    found.update(f"t{_plain(str(tag))}" for tag in golden.get("tags", ()))
    for term in _of_contents(kind, golden):
        if len(found) >= MOST_TERMS:
            break
        found.add(term[:LONGEST_TERM])
    return {_storable(term) for term in found}


def words(text: str) -> list[Condition]:
    """What a search text asks for: each word of it must fit somewhere."""
    whole = half_width(text).strip()
    if _NUMBER.fullmatch(whole) and len(_digits(whole)) >= 3:
        return [_anywhere(_digits(whole))]  # a phone number may be written with blanks
    return [_anywhere(part) for word in whole.split()[:8] for part in _parts(word)]


def whole_contacts(condition: Condition) -> Condition:
    """The same of names; of emails, phones and numbers only whole ones, so that none can be spelt out by asking."""
    kept = [one for one in condition.ranges if one.low[:1] == "n"]
    whole = [Range(one.low, one.low) for one in condition.ranges if one.low[:1] != "n"]
    long = [one for one in whole if one.low[:1] != "p" or len(one.low) > SHORTEST_PHONE]
    return Condition((*kept, *long) or (_exactly("-").ranges))


def email(text: str) -> Condition:
    """Exactly this email address."""
    return _exactly(f"e{_plain(text)}")


def phone(text: str, region: str | None = None) -> Condition:
    """Exactly this phone number, written nationally or internationally."""
    normal = normalise_phone(text, region)
    return _exactly(f"p{_digits(normal.value if normal else text)}")


def identifier(text: str) -> Condition:
    """Exactly this number, alone or as ``scheme:number``."""
    return _exactly(f"i{_plain(text)}")


def tagged(tag: str) -> Condition:
    """Having this tag."""
    return _exactly(f"t{_plain(tag)}")


def known_to(connection: str) -> Condition:
    """With a record in this connection."""
    return _exactly(f"c{connection}")


def of_kind(kind: str) -> Condition:
    """A person, or an organisation."""
    return _exactly(f"k{kind}")


def _of_contents(kind: str, golden: Mapping[str, Any]) -> Iterator[str]:
    for entry in golden.get("emails", ()):
        address = _plain(str(entry.get("value", "")))
        yield from (f"e{address}", f"e{address.partition('@')[2]}")
    for entry in golden.get("phones", ()):
        yield from _of_phone(_digits(str(entry.get("value", ""))))
    for entry in golden.get("identifiers", ()):
        value = _plain(str(entry.get("value", "")))
        yield from (f"i{value}", f"i{entry.get('scheme', '')}:{value}")
    for value in golden.get("external_ids", {}).values():
        yield f"i{_plain(str(value))}"
    seen: set[str] = set()
    for field in NAMES:
        name = golden.get(field)
        if isinstance(name, str) and name not in seen:
            seen.add(name)
            yield from _of_name(name[:LONGEST_NAME], kind)


def _of_phone(digits: str) -> Iterator[str]:
    """The whole number, what is left without a country code of 1 to 3 digits, and its end."""
    if digits:
        yield from (f"p{digits[start:]}" for start in range(min(4, max(1, len(digits) - 6))))
        yield f"p{digits[-4:]}"


def _of_name(name: str, kind: str) -> Iterator[str]:
    plain = _plain(simplify(half_width(name)))
    for run in _CJK.findall(plain):
        yield from (f"n{run[start : start + LONGEST_SUFFIX]}" for start in range(len(run)))
        if has_han(run):
            yield from _of_pinyin(run, kind)
    for word in fold(_CJK.sub(" ", plain)).split():
        yield f"n{word}"


def _of_pinyin(run: str, kind: str) -> Iterator[str]:
    spoken = latin_person_name(run) if kind == "person" else None
    syllables = pinyin(run)
    yield f"n{''.join(syllables)}"
    yield f"n{''.join(syllable[0] for syllable in syllables)}"
    if spoken is not None:
        family, _, given = spoken.lower().partition(" ")
        yield from (f"n{family}{given}", f"n{given}{family}", f"n{given}")


def _parts(word: str) -> Iterator[str]:
    """A word of a question, with Chinese and Latin letters apart."""
    plain = _plain(simplify(word))
    if "@" in plain or not _CJK.search(plain):
        yield plain
        return
    yield from (part for part in re.split(f"({_CJK.pattern})", plain) if part.strip())


def _anywhere(word: str) -> Condition:
    """A word at the beginning of a name's part, an email, a phone or an identifier."""
    if _CJK.match(word):
        return Condition((_from(f"n{word[:LONGEST_SUFFIX]}"),))
    folded = fold(word).replace(" ", "")
    wanted = [f"e{word}", f"i{word}"] + ([f"n{folded}"] if folded else [])
    digits = _digits(word)
    if len(digits) >= 3 and _NUMBER.fullmatch(word):
        wanted.append(f"p{digits}")
    return Condition(tuple(_from(prefix[:LONGEST_TERM]) for prefix in wanted))


def _from(prefix: str) -> Range:
    safe = _storable(prefix)
    return Range(safe, safe + _LAST)


def _exactly(term: str) -> Condition:
    safe = _storable(term[:LONGEST_TERM])
    return Condition((Range(safe, safe),))


def _plain(text: str) -> str:
    return half_width(text).strip().lower()


def _digits(text: str) -> str:
    return _NOT_DIGIT.sub("", text) if not text.isdigit() else text


def _storable(term: str) -> str:
    return term.replace("\x00", "").encode("utf-8", "replace").decode()
