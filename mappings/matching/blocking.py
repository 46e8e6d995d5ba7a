"""Which records are compared at all: keys in chains from coarse to fine, the coarsest that is not too common.

A chain asks one question ("same family name?") ever more narrowly ("… and same first letter of the given
name?"). Of each chain a record has the key of the coarsest variant whose block is not known to be too
large; which blocks are is learnt from the data and frozen with the model (``oversized``), so that the
answer does not depend on the order of arrival.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter

from xxhash import xxh3_64_intdigest

from mappings.matching.columns import ORGANISATION_COLUMNS, PERSON_COLUMNS, Values
from mappings.matching.model import Kind

Chain = Sequence[str]
"""Variants of one question, coarsest first."""

_HALF, _WHOLE = 1 << 63, 1 << 64
_P = {name: place for place, name in enumerate(PERSON_COLUMNS)}
_O = {name: place for place, name in enumerate(ORGANISATION_COLUMNS)}
_SOUNDEX = {c: d for d, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for c in letters}


def block_keys(
    kind: Kind, values: Values, oversized: Container[int], word_frequencies: Mapping[str, float]
) -> list[int]:
    """The blocking keys of a record as signed 64-bit integers, without repeats."""
    return chosen_keys(kind, values, oversized, word_frequencies)[0]


def chosen_keys(
    kind: Kind, values: Values, oversized: Container[int], word_frequencies: Mapping[str, float]
) -> tuple[list[int], bool]:
    """The same, and whether a chain has come to its end: every variant of it is too common."""
    found: dict[int, None] = {}
    exhausted = False
    for question, parts in _questions(kind, values, word_frequencies):
        text, plain = "", question == _PREFIXES
        for number, part in enumerate(parts):
            if not part:
                continue
            text = part if plain else f"{text}|{part}"
            variant = f"{kind}|{text}" if plain else f"{kind}|{number}{question}{text}"
            key = xxh3_64_intdigest(variant.encode("utf-8", "surrogatepass")) & -2
            if key >= _HALF:
                key -= _WHOLE
            if key not in oversized:
                found[key] = None
                break
        else:
            exhausted = True
    return list(found), exhausted


def proof_key(kind: Kind, text: str) -> int:
    """The key of something whose holders are one customer by that alone. Proof keys are odd, all others are even."""
    return key_of(kind, text) | 1


def is_proof(key: int) -> bool:
    """Whether a key is a proof key."""
    return bool(key & 1)


def variant_of(kind: Kind, values: Values, key: int, word_frequencies: Mapping[str, float]) -> tuple[str, str]:
    """What a key of a record asks, and the value: ("family name", "smith"); two empty texts if it is none of its."""
    for chain in chains(kind, values, word_frequencies):
        for variant in chain:
            if key_of(kind, variant) == key:
                question, _, value = variant.lstrip("0123456789").partition("|")
                return question or "prefix", value.replace("|", " + ")
    return "", ""


def oversized_keys(
    kind: Kind, records: Iterable[Values], word_frequencies: Mapping[str, float], cap: int
) -> frozenset[int]:
    """The keys that more than ``cap`` of the records share, over all variants of all chains."""
    counts: Counter[int] = Counter()
    for values in records:
        counts.update({key_of(kind, v) for chain in chains(kind, values, word_frequencies) for v in chain})
    return frozenset(key for key, count in counts.items() if count > cap)


def block_cap(count: int) -> int:
    """How many records may share a key in a customer base of this size."""
    return 30 if count < 100_000 else 10


def key_of(kind: Kind, variant: str) -> int:
    """xxh3 of a variant, as a signed 64-bit integer; even (see ``proof_key``)."""
    number = xxh3_64_intdigest(f"{kind}|{variant}".encode("utf-8", "surrogatepass")) & ~1
    return number - (1 << 64) if number >= 1 << 63 else number


def chains(kind: Kind, values: Values, word_frequencies: Mapping[str, float]) -> Iterator[Chain]:
    """The questions that a record can answer."""
    for question, parts in _questions(kind, values, word_frequencies):
        yield list(_variants(question, parts))


_Question = tuple[str, tuple[str, ...]]
_PREFIXES = "prefixes"


def _questions(kind: Kind, values: Values, word_frequencies: Mapping[str, float]) -> Iterator[_Question]:
    return _person_questions(values) if kind == "person" else _organisation_questions(values, word_frequencies)


def _variants(question: str, parts: Sequence[str]) -> Iterator[str]:
    """Variants that each add one more part; parts that are unknown add nothing. Most records need the first only."""
    if question == _PREFIXES:
        yield from dict.fromkeys(parts)
        return
    text = question
    for number, part in enumerate(parts):
        if part:
            text = f"{text}|{part}"
            yield f"{number}{text}"


_PERSON = itemgetter(*(_P[name] for name in ("given_latin", "family_latin", "birth", "city", "postcode", "street")))


def _person_questions(v: Values) -> Iterator[_Question]:
    given, family, birth, city, postcode, street = (text or "" for text in _PERSON(v))
    year, initial = birth[:4], family[:1]
    yield from _contact_questions(v[_P["emails"]], v[_P["phones"]], given[:1] + initial)
    if v[_P["number"]]:
        yield _PREFIXES, (f"n|{v[_P['number']]}",)
    if birth:
        yield "b", (birth, given[:1], initial)
    if family:
        yield "f", (family, given[:1], given[:3], year)
    if given:
        yield "g", (given, initial, family[:3], year)
    if postcode:
        yield "p", (postcode, initial, given[:1])
    if street:
        yield "s", (street, postcode, initial)
    sounds = soundex(family), soundex(given)
    if family and given:
        yield "x", (f"{sounds[0]} {given[0]}", sounds[1], year)
        yield "w", (" ".join(sorted((given, family))), year)
    for sound in dict.fromkeys(filter(None, sounds)):  # swapped, misspelt or one missing
        yield "y", (sound, year[:3], year, birth[5:7])
    if city and year:
        yield "c", (f"{city} {year}", birth[5:], given[:1])


def _organisation_questions(v: Values, frequencies: Mapping[str, float]) -> Iterator[_Question]:
    name, words = v[_O["name_latin"]] or "", v[_O["words"]] or []
    postcode, city, street = v[_O["postcode"]] or "", v[_O["city"]] or "", v[_O["street"]] or ""
    yield from _contact_questions(v[_O["emails"]], v[_O["phones"]], name[:3])
    if v[_O["tax"]]:
        yield _PREFIXES, (f"t|{v[_O['tax']]}",)
    if v[_O["domain"]]:
        yield "d", (v[_O["domain"]], name[:3])
    if name:
        compact = name.replace(" ", "")
        yield "2", (" ".join(name.split(" ")[:2]), postcode)
        yield _PREFIXES, tuple(f"p{n}|{compact[:n]}" for n in (5, 8, 12))
        rare = sorted(words, key=lambda w: (frequencies.get(w, 0.0), w))
        yield "r", (rare[0], postcode)
        if len(rare) > 1:
            yield "rr", (f"{rare[0]} {rare[1]}", postcode)
    if street:
        yield "s", (" ".join(street.split(" ")[:2]), name[:2])
    if v[_O["contact"]]:
        yield "k", (v[_O["contact"]], city)


def _contact_questions(
    emails: Sequence[str] | None, phones: Sequence[str] | None, refinement: str
) -> Iterator[_Question]:
    for email in emails or ():
        yield "e", (email, refinement)
        yield "l", (email.rpartition("@")[0], refinement)
    for phone in phones or ():
        yield "t", (phone[-7:], refinement)


@lru_cache(maxsize=65536)
def soundex(word: str) -> str:
    """American Soundex of an ASCII word: first letter and three digits."""
    letters = [c for c in word if "a" <= c <= "z"]
    if not letters:
        return ""
    code, last = letters[0], _SOUNDEX.get(letters[0])
    for letter in letters[1:]:
        digit = _SOUNDEX.get(letter)
        if digit is not None and digit != last:
            code += str(digit)
        if letter not in "hw":
            last = digit
    return (code + "000")[:4]
