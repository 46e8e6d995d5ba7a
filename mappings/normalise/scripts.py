"""Scripts: telling Han from Latin, full-width to half-width, traditional to simplified, and everything to
plain ASCII.

Pinyin comes from anyascii (Unihan's most common reading of each character, 1 µs and 5 MB against 150 µs and
55 MB for pypinyin's phrase dictionary); surnames with a reading of their own are corrected in ``names``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from anyascii import anyascii

if TYPE_CHECKING:
    from opencc import OpenCC

_HAN = "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
_KANA_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_APOSTROPHES = re.compile("['’‘`´]")
_NOT_ALNUM = re.compile(r"[^a-z0-9]+")


@cache
def _han() -> re.Pattern[str]:
    """One character or more. Made with the first text that is not ASCII, since the tables take a while."""
    return re.compile(f"{_HAN}+")


def has_han(text: str) -> bool:
    """Whether any Chinese character is in the text (Japanese kanji and Korean hanja included)."""
    return not text.isascii() and _han().search(text) is not None


def is_han(text: str) -> bool:
    """Whether all of the text is Chinese characters."""
    return not text.isascii() and _han().fullmatch(text) is not None


def has_cjk(text: str) -> bool:
    """Whether the text holds Chinese, Japanese or Korean letters."""
    return not text.isascii() and (_han().search(text) is not None or _KANA_HANGUL.search(text) is not None)


def half_width(text: str) -> str:
    """Full-width letters and digits, compatibility forms (㈱, ﬁ) to the plain ones (NFKC)."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def simplify(text: str) -> str:
    """Traditional Chinese characters to simplified ones (OpenCC t2s); other text unchanged."""
    if not has_han(text):
        return text
    return str(_converter().convert(text.encode("utf-8", "replace").decode()))


@lru_cache(maxsize=1)
def _converter() -> OpenCC:
    """Loaded with its table by the first Chinese text."""
    from opencc import OpenCC

    return OpenCC("t2s")


def pinyin(text: str) -> list[str]:
    """One lower-case syllable for each Chinese character; other characters are left out."""
    return [syllable for c in text if (syllable := _reading(c))]


@cache
def _reading(character: str) -> str:
    return anyascii(character).lower() if _han().match(character) else ""


def fold(text: str) -> str:
    """Lower-case ASCII words separated by single blanks: accents off, punctuation off, each Chinese
    character a syllable.

    German umlauts lose their dots ("Müller" → "muller"), apostrophes join ("O'Brien" → "obrien").
    """
    if not text.isascii():
        text = _to_ascii(text)
    text = text.lower()
    if not text.replace(" ", "").isalnum() or "  " in text:
        text = _NOT_ALNUM.sub(" ", _APOSTROPHES.sub("", text))
    return text.strip()


def fold_german(text: str) -> str:
    """As ``fold`` with umlauts written out ("Müller" → "mueller")."""
    return fold(unicodedata.normalize("NFC", text).translate(_UMLAUTS))


def latin_text(text: str) -> str:
    """The text in Latin letters for reading: "深圳市南山区1号" → "Shen Zhen Shi Nan Shan Qu 1 Hao"."""
    if text.isascii():
        return " ".join(text.split())
    pieces = (f" {_reading(c).title()} " if _han().match(c) else c for c in half_width(text))
    return " ".join(anyascii("".join(pieces)).split())


def _to_ascii(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    if _han().search(text):
        text = "".join(f" {_reading(c)} " if _han().match(c) else c for c in text)
    return text if text.isascii() else anyascii(text)
