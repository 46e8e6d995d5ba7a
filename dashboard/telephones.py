"""Phone numbers as people read them."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers


@lru_cache(maxsize=20_000)
def readable(number: str) -> str:
    """An international number in groups (+86 138 1234 5678); what is no such number, or masked, stays as it is."""
    if not number.startswith("+") or not number.isascii() or not number[1:].isdecimal():
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    grouped = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return grouped if _digits(grouped) == number[1:] else number  # a national prefix that it leaves out is left in


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))
