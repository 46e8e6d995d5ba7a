"""When two names agree: forms of a name that can be compared by equality, and a looser test for the rest.

A *form* is a string made once per record. Persons: sorted folded words ("john smith"), with "~" in front
when all words are pinyin ("~wei zhang"). Organisations: "brand|trade|region". *Anchors* are the words by
which loosely agreeing forms always meet: every two forms that agree share an anchor, so anchors serve as
blocking keys.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache

from mappings.contract import Canonical
from mappings.normalise.divisions import leading_city, leading_province
from mappings.normalise.names import is_pinyin_name, person_tokens, split_person_name
from mappings.normalise.organisations import latin_brand, split_organisation_name
from mappings.normalise.scripts import has_han, pinyin, simplify

PINYIN = "~"


class Agreement(IntEnum):
    """How far two names agree; UNKNOWN when one side has no name."""

    DIFFERENT = 0
    UNKNOWN = 1
    LOOSE = 2
    EXACT = 3


def comparable_names(customer: Canonical) -> tuple[list[str], list[str]]:
    """Distinct forms of all names, and the distinct names in Chinese characters (persons: whole, organisations:
    brand); no forms for a nameless customer.
    """
    read, texts = _READERS[customer["kind"]](customer)
    if len(texts) == 1:
        form, native = read(texts[0])
        return [form] if form else [], [native] if native else []
    found = [read(text) for text in dict.fromkeys(texts)]
    return sorted({f for f, _ in found if f}), sorted({n for _, n in found if n})


def anchors(form: str) -> tuple[str, ...]:
    """The words by which forms that agree with this one can be found."""
    if form[0] == PINYIN:
        return (form,)
    if "|" in form:
        return (form.partition("|")[0],)
    words = form.split(" ")
    if len(words[0]) < 2 or len(words[-1]) < 2:
        words = [w for w in words if len(w) > 1] or [form]
    return (words[0], words[-1]) if len(words) > 1 else (words[0],)


def forms_agree(left: str, right: str) -> Agreement:
    """How far two forms agree (never UNKNOWN)."""
    if left == right:
        return Agreement.EXACT
    return Agreement.LOOSE if _loosely(left, right) else Agreement.DIFFERENT


def names_agree(left: list[str], left_natives: list[str], right: list[str], right_natives: list[str]) -> Agreement:
    """The best agreement of any two forms; names that differ in Chinese characters never agree, however
    they sound.
    """
    if not left or not right:
        return Agreement.UNKNOWN
    if left_natives and right_natives and set(left_natives).isdisjoint(right_natives):
        return Agreement.DIFFERENT
    if left == right:
        return Agreement.EXACT
    if len(left) == 1 and len(right) == 1:
        return forms_agree(left[0], right[0])
    return max(forms_agree(a, b) for a in left for b in right)


_Reader = Callable[[str], tuple[str, str]]


def _person_texts(customer: Canonical) -> tuple[_Reader, list[str]]:
    name, native, latin = customer.get("name"), customer.get("native_name"), customer.get("latin_name")
    if name and not native and not latin:
        return _read_person, [name]
    texts = [text for text in (name, native, latin) if text]
    if not texts:
        given, family = customer.get("given_name", ""), customer.get("family_name", "")
        texts = [f"{family}{given}" if has_han(family) else f"{given} {family}"] if given and family else []
    return _read_person, texts


def _organisation_texts(customer: Canonical) -> tuple[_Reader, list[str]]:
    fields = ("legal_name", "name", "trading_name", "native_name", "latin_name")
    return _read_organisation, [t for f in fields if (t := customer.get(f))]


_READERS = {"person": _person_texts, "organisation": _organisation_texts}


def _read_person(text: str) -> tuple[str, str]:
    tokens = person_tokens(text)
    if not tokens:
        return "", ""
    form = PINYIN + " ".join(tokens) if is_pinyin_name(tokens) else " ".join(tokens)
    return form, ("" if text.isascii() or not has_han(text) else _native_person(text))


@lru_cache(maxsize=32768)
def _native_person(text: str) -> str:
    parts = split_person_name(text)
    return simplify(parts.family + parts.given) if parts else ""


def _read_organisation(text: str) -> tuple[str, str]:
    parts = split_organisation_name(text)
    if parts is None:
        return "", ""
    if parts.brand.isascii():
        return f"{parts.brand.replace(' ', '')}|{parts.trade}|{_region(parts.region)}", ""
    trade = "".join(pinyin(parts.trade))
    return f"{latin_brand(parts)}|~{trade}|{_region(parts.region)}", parts.brand if has_han(parts.brand) else ""


@lru_cache(maxsize=4096)
def _region(text: str) -> str:
    """A region in joined pinyin without 省/市, the innermost one (广东省深圳市 → shenzhen), to meet "Shenzhen" in
    Latin names.
    """
    if not has_han(text):
        return text.replace(" ", "")
    province = leading_province(text)
    city = leading_city(text[province.length :])
    name = city.name or province.name or text
    return "".join(pinyin(name[:-1] if name[-1] in "市省" and len(name) > 2 else name))


@lru_cache(maxsize=65536)
def _loosely(left: str, right: str) -> bool:
    if "|" in left or "|" in right:
        return _organisations_loosely(left, right)
    if left[0] == PINYIN or right[0] == PINYIN:
        return False
    return not set(anchors(left)).isdisjoint(anchors(right)) and _persons_loosely(left.split(" "), right.split(" "))


def _persons_loosely(left: list[str], right: list[str]) -> bool:
    """Two words agree, at least one of them in full, and all words of the shorter name are accounted for.

    "John Smith" with "J. Smith" and "John A. Smith"; neither "Smith" nor "Jane Smith".
    """
    shorter, longer = sorted((left, right), key=lambda words: (len(words), words))
    rest = [w for w in longer if w not in shorter]
    unmatched = [w for w in shorter if w not in longer]
    full = len(shorter) - len(unmatched)
    if full == 0 or len(shorter) < 2:
        return False
    return all(_initial_in(word, rest) for word in unmatched)


def _initial_in(word: str, rest: list[str]) -> bool:
    """Takes the word of ``rest`` that ``word`` abbreviates, or that abbreviates it, out of ``rest``."""
    for other in rest:
        if (len(word) == 1 or len(other) == 1) and word[0] == other[0]:
            rest.remove(other)
            return True
    return False


def _organisations_loosely(left: str, right: str) -> bool:
    """The same brand, and neither trade nor region contradict each other (trades compare within one script
    only).
    """
    if left.count("|") != 2 or right.count("|") != 2:
        return False
    brand, trade, region = left.split("|")
    other_brand, other_trade, other_region = right.split("|")
    if brand != other_brand or (region and other_region and region != other_region):
        return False
    if not trade.strip("~") or not other_trade.strip("~"):
        return True
    return trade == other_trade or trade.startswith("~") != other_trade.startswith("~")
