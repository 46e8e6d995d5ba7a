"""What goes wrong when people write down customers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Copy = TypeVar("Copy")
Change = Callable[[random.Random, Copy], Copy | None]

LOOK_ALIKE = {"o": "0", "l": "1", "i": "l", "s": "5", "e": "c", "m": "rn", "n": "h", "a": "o"}


def missing(chance: random.Random, value: str, share: float) -> str:
    """The value, left empty in a share of cases."""
    return "" if chance.random() < share else value


def one_change(chance: random.Random, copy: Copy, changes: Iterable[tuple[float, Change[Copy]]]) -> Copy:
    """The copy after at most one change: the first whose bound is above a number drawn from 0 to 1.

    A change that does not apply to the copy gives None; then the next one is made. Beyond the last bound nothing is
    changed.
    """
    drawn = chance.random()
    for bound, change in changes:
        if drawn < bound and (changed := change(chance, copy)) is not None:
            return changed
    return copy


def shortened(text: str, abbreviations: Mapping[str, str]) -> str:
    """The text with each word of ``abbreviations`` as it is abbreviated."""
    for word, short in abbreviations.items():
        text = text.replace(word, short)
    return text


def misread(chance: random.Random, word: str) -> str:
    """The word with one letter taken for another that looks like it."""
    if len(word) < 3:
        return word
    for _ in range(5):
        place = chance.randrange(len(word))
        if word[place].lower() in LOOK_ALIKE:
            return word[:place] + LOOK_ALIKE[word[place].lower()] + word[place + 1 :]
    return word
