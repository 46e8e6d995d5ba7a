"""The levels of a match model's comparisons in words; Splink's conditions are SQL, which nobody should have to read."""

from __future__ import annotations

import re
from typing import Any

from sync.language import Phrase, text

_PATTERNS: tuple[tuple[re.Pattern[str], Phrase], ...] = (
    (re.compile(r"^\w+ unknown$|IS NULL"), Phrase("unknown on one side")),
    (re.compile(r"^all other$|^else$", re.IGNORECASE), Phrase("different")),
    (re.compile(r"in both scripts$"), Phrase("equal, once in characters and once in pinyin")),
    (re.compile(r'"given_latin_l", "family_latin_r"'), Phrase("given and family name swapped")),
    (re.compile(r'^"(?P<c>\w+)_latin_l" = "(?P=c)_latin_r"$'), Phrase("pronounced alike")),
    (re.compile(r'^"domain_l" = "domain_r"$'), Phrase("same domain")),
    (re.compile(r'^"(?P<c>\w+)_l" = "(?P=c)_r"$'), Phrase("equal")),
    (re.compile(r"^len\(list_intersect\(.*\) >= 1$"), Phrase("one in common")),
    (re.compile(r"words_l.*words_r"), Phrase("similar, or all words of one in the other")),
    (re.compile(r'^substr\("birth_l", 1, 4\) = substr\("birth_r", 1, 4\)$'), Phrase("same year")),
    (re.compile(r'^levenshtein\("birth.* OR '), Phrase("one digit apart, or day and month swapped")),
    (re.compile(r'substr\("birth_l"'), Phrase("two parts of the date equal")),
    (re.compile(r"^levenshtein\([^)]*\) <= (?P<count>\d+)"), Phrase("at most {count} characters apart")),
    (re.compile(r"^jaro_winkler_similarity\([^)]*\) >= (?P<share>[\d.]+)"), Phrase("similar (from {share})")),
    (re.compile(r"^may be relatives$"), Phrase("they may be relatives, or branches")),
    (re.compile(r"^the same valid official number$"), Phrase("the same valid official number")),
)


def level_in_words(label: str, language: str) -> str:
    """What a level says; a label of a model made elsewhere stays as it is."""
    for pattern, phrase in _PATTERNS:
        found = pattern.search(label)
        if found is not None:
            params: dict[str, Any] = {k: v for k, v in found.groupdict().items() if k in ("count", "share")}
            return text(phrase.template, params, language)
    return label
