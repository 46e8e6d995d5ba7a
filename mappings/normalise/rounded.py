"""Numbers that a spreadsheet has written in scientific notation: 1.38E+10 was a telephone number once.

Where all digits are there (1.3800138000E+10) the number is restored. Where they are not, nothing can restore them, and
what is left must not be taken for a number: 1.38E+10 is what half the mobiles of China look like.
"""

from __future__ import annotations

import re

_FEWEST = 7
"""Digits; smaller numbers are amounts and counts, and no telephone numbers or official numbers."""
_SCIENTIFIC = re.compile(r"(?<![\w.])\+?(\d)(?:[.,](\d{1,17}))?E(\+?)(\d{1,2})(?![\w.])", re.IGNORECASE)
_AMOUNT = re.compile(r"(?<![\w.])(\+?\d{7,20})\.0{1,2}(?![\w.])")


def written_out(text: str) -> str:
    """The text with such numbers as their digits, and without those that lost digits; others stay as they are."""
    return _AMOUNT.sub(r"\1", _SCIENTIFIC.sub(_digits, text))


def lost_digits(text: str) -> str | None:
    """The first number of a text that lost digits, as it is written there; None if there is none."""
    return next((found[0] for found in _SCIENTIFIC.finditer(text) if _digits(found) == ""), None)


def _digits(found: re.Match[str]) -> str:
    first, rest, plus, power = found[1], found[2] or "", found[3], int(found[4])
    if power + 1 < _FEWEST or not (rest or plus):
        return found[0]
    return first + rest if len(rest) == power else ""
