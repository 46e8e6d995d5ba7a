"""Names of persons: Chinese and Latin, in either order, folded so that 张伟, Zhang Wei and "ZHANG, Wei" can
meet.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mappings.normalise.placeholders import PLACEHOLDERS, is_placeholder_text
from mappings.normalise.scripts import fold, half_width, has_cjk, has_han, is_han, latin_text, pinyin, simplify
from mappings.normalise.surnames import COMPOUND, READINGS, SURNAMES, SYLLABLES, is_pinyin, syllables
from mappings.normalise.vocabulary import words

__all__ = [
    "PersonName",
    "fold",
    "given_pinyin",
    "half_width",
    "has_cjk",
    "has_han",
    "is_pinyin_name",
    "latin_person_name",
    "latin_text",
    "person_tokens",
    "pinyin",
    "simplify",
    "split_person_name",
    "surname_pinyin",
]

MAX_TEXT = 300
_TITLES = words(
    """
    mr mrs ms miss mx dr prof professor sir dame madam mme mlle monsieur madame herr frau hr fr ing
    dipl sr sra srta rev 
    """
)
_SUFFIXES = words(
    """
    jr sr ii iii iv phd md mba cpa esq msc bsc ba ma dds
    """
)
_PARTICLES = words(
    """
    von van der den de del della di da dos das du la le el al bin ibn ter ten zu zum zur st san
    """
)
_CHINESE_TITLES = re.compile(r"(?:先生|女士|小姐|太太|老师|教授|博士|医生|经理|总经理|董事长|总监|主任|同学|总)$")
_ADDRESSED = re.compile(r"[小老][一-鿿]|[一-鿿][总工姐哥叔姨]")
_NOT_HAN = re.compile(
    "^[^\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+|[^\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+$"
)
_REMARKS = words("客户 老客户 新客户 大客户 会员 供应商 同学 同事 朋友 邻居 微信 业主 学员 家长")
_REMARK = re.compile(r"[-–—_/|丨~,，;；:：+&、]")
_COMPOUND_READINGS = words("ouyang sima zhuge shangguan situ dongfang ximen nangong yuwen huangfu yuchi gongsun")
_BRACKETED = re.compile(r"[(\[（【].*?[)\]）】]")


_GENERATIONS = {"jr": "2", "junior": "2", "ii": "2", "sr": "1", "senior": "1", "iii": "3", "iv": "4"}


class PersonName(NamedTuple):
    """Given and family name as written (titles and suffixes taken off)."""

    given: str
    family: str


def split_person_name(text: str) -> PersonName | None:
    """Given and family name; None when the text does not show which is which (one word, a placeholder, too
    long).

    Chinese: a known compound surname (欧阳), else the first character. Latin: "Family, Given"; FAMILY in
    capitals; a pinyin surname first ("Zhang Xiaoming"); else the last word with its particles ("van Gogh")
    is the family name.
    """
    if len(text) > MAX_TEXT or is_placeholder_text(text):
        return None
    text = " ".join(_BRACKETED.sub(" ", half_width(text)).split())
    return _split_chinese(text) if has_han(text) else _split_latin(text)


@lru_cache(maxsize=1024)  # words, characters and given name of one customer are asked for one after the other
def _split_chinese(text: str) -> PersonName | None:
    given, dot, family = text.replace("•", "·").rpartition("·")
    if (
        dot and len(given) > 1 and len(family) > 1 and is_han(given + family)
    ):  # 阿卜杜拉·买买提: given name first, both transcribed
        return PersonName(given, family)
    whole = _unremarked(text).replace(" ", "").replace("·", "")
    bare = _CHINESE_TITLES.sub("", whole) if len(whole) > 2 else whole
    if bare != whole and simplify(bare) in COMPOUND:
        return None
    if not 2 <= len(bare) <= 6 or not is_han(bare) or _ADDRESSED.fullmatch(bare):
        return None
    length = 2 if len(bare) > 2 and simplify(bare[:2]) in COMPOUND else 1
    return PersonName(bare[length:], bare[:length])


def _unremarked(text: str) -> str:
    """A Chinese name without what people note beside it in their contacts: 张伟-老客户, A张伟, "张伟 装修"."""
    parts = [part for part in _REMARK.split(_NOT_HAN.sub("", text)) if part and part not in _REMARKS]
    text = parts[0] if parts else ""
    first = text.split(" ", 1)[0]
    return first if 2 <= len(first) <= 4 and simplify(first) not in COMPOUND and is_han(first) else text


def addressed_surname(text: str) -> str:
    """The surname of a Chinese name that is a surname with a form of address (王女士, 小王 → 王); "" if it is not."""
    text = _unremarked(_BRACKETED.sub(" ", half_width(text))).replace(" ", "")
    if _ADDRESSED.fullmatch(text):
        return text.strip("小老总工姐哥叔姨")
    bare = _CHINESE_TITLES.sub("", text) if len(text) <= 6 else text
    return bare if bare != text and (len(bare) == 1 or simplify(bare) in COMPOUND) and is_han(bare) else ""


def split_joined_pinyin(text: str) -> PersonName | None:
    """A Chinese name written as one word of pinyin, surname first ("WANGXIAOMING"). In capitals
    two syllables are enough, else three are asked for: "Lina" is a given name.
    """
    word = text.strip()
    if not word.isalpha() or not word.isascii():
        return None
    found = syllables(word.lower())
    if not (2 if word.isupper() else 3) <= len(found) <= 4:
        return None
    length = 2 if len(found) > 2 and "".join(found[:2]) in _COMPOUND_READINGS else 1
    family = "".join(found[:length])
    return PersonName("".join(found[length:]), family) if length == 2 or family in SURNAMES else None


def generation_of(text: str) -> str:
    """Which of several of one name ("1" for Sr, "2" for Jr and II, …); "" where it is not said."""
    words = text.replace(".", " ").replace(",", " ").lower().split()
    return next((_GENERATIONS[word] for word in words[1:] if word in _GENERATIONS), "")


def _split_latin(text: str) -> PersonName | None:
    before, comma, after = text.partition(",")
    if comma and fold(after) and fold(after) not in _SUFFIXES:
        return _checked(_untitled(after.split(",")[0].split()), _untitled(before.split()))
    words = _untitled(before.split())
    if len(words) < 2:
        return None
    at = _family_at(words)
    return PersonName(" ".join(words[1:]), words[0]) if at == 0 else _checked(words[:at], words[at:])


def _checked(given: list[str], family: list[str]) -> PersonName | None:
    return PersonName(" ".join(given), " ".join(family)) if given and family else None


def _family_at(words: list[str]) -> int:
    """Index of the first word of the family name; 0 for surname-first names."""
    first, last = words[0], words[-1]
    if _is_capital(first) and not last.isupper():
        return 0
    if not (_is_capital(last) and not first.isupper()) and _chinese_order(words):
        return 0
    at = len(words) - 1
    while at > 1 and fold(words[at - 1]) in _PARTICLES:
        at -= 1
    return at


def _is_capital(word: str) -> bool:
    """Whether a word is written in capitals; an initial ("A.", "J.R.") is not."""
    return word.isupper() and len(word) > 1 and "." not in word


def _chinese_order(words: list[str]) -> bool:
    """Surname first ("Zhang Xiaoming"): all words are pinyin, the first is a surname and the last is none,
    or has two syllables.
    """
    folded = [fold(w).replace(" ", "") for w in words]
    if not all(is_pinyin(w) for w in folded) or folded[0] not in SURNAMES:
        return False
    return folded[-1] not in SURNAMES


def _untitled(words: list[str]) -> list[str]:
    """Words without titles in front and suffixes behind; a lone word is kept."""
    while len(words) > 1 and fold(words[0]) in _TITLES:
        words = words[1:]
    while len(words) > 2 and fold(words[-1]).replace(" ", "") in _SUFFIXES:
        words = words[:-1]
    return words


@lru_cache(maxsize=8192)
def surname_pinyin(family: str) -> str:
    """A Chinese surname's reading as a surname: 单 shan, 曾 zeng, 仇 qiu, 尉迟 yuchi."""
    simple = simplify(family)
    return READINGS.get(simple) or "".join(pinyin(simple))


def given_pinyin(given: str) -> str:
    """A Chinese given name's reading, joined: 小明 → xiaoming."""
    return "".join(pinyin(simplify(given)))


def latin_person_name(text: str) -> str | None:
    """The name in pinyin, 张伟 → "Zhang Wei"; None when the name is not a Chinese one that can be split and read."""
    parts = split_person_name(text) if has_han(text) else None
    if parts is None:
        return None
    family, given = surname_pinyin(parts.family), given_pinyin(parts.given)
    return f"{family.title()} {given.title()}" if family and given else None


def person_tokens(text: str) -> tuple[str, ...]:
    """Sorted folded words of a person's name, the same for every order and script.

    Names wholly in pinyin, and Chinese ones, become their syllables: "Wang Xiao Ming", "XIAOMING Wang" and
    王小明 all give (ming, wang, xiao). Titles, suffixes and bracketed remarks are left out; empty for
    placeholders.
    """
    if len(text) > MAX_TEXT:
        return ()
    words = _plain_words(text)
    if words is None:
        if is_placeholder_text(text):
            return ()
        if not text.isascii():
            text = half_width(text)
            if has_han(text):
                return _chinese_tokens(text)
        if "(" in text or "[" in text:
            text = _BRACKETED.sub(" ", text)
        words = fold(text).split()
    if len(words) > 1 and (words[0] in _TITLES or words[-1] in _SUFFIXES):
        words = _untitled(words)
    return tuple(sorted(_as_syllables(words)))


def _plain_words(text: str) -> list[str] | None:
    """The folded words of ASCII letters and digits with single blanks between them, as most names are written; None
    for any other text, and for one that may be a placeholder.
    """
    if not text.isascii():
        return None
    lowered = text.lower()
    words = lowered.split(" ")
    if "" in words or lowered[0] in "x0" or lowered in PLACEHOLDERS or not "".join(words).isalnum():
        return None
    return words


def is_pinyin_name(words: tuple[str, ...]) -> bool:
    """Whether the words (of ``person_tokens``) are a Chinese name in pinyin: all are syllables and one is a
    surname.
    """
    return len(words) > 1 and not SURNAMES.isdisjoint(words) and SYLLABLES.issuperset(words)


@lru_cache(maxsize=32768)
def _chinese_tokens(text: str) -> tuple[str, ...]:
    parts = split_person_name(text)
    if parts is None:
        return tuple(sorted(_as_syllables(fold(simplify(text)).split())))
    read = (surname_pinyin(parts.family), given_pinyin(parts.given))
    return tuple(sorted(_as_syllables([word for word in read if word])))  # the rarest characters have no reading


def _as_syllables(words: list[str]) -> list[str]:
    """The words' pinyin syllables if all of them are pinyin and one is a surname; else the words."""
    if SURNAMES.isdisjoint(words):
        return words
    found: list[str] = []
    for word in words:
        parts = syllables(word) if word.isalpha() else ()
        if not parts:
            return words
        found += parts
    return found
