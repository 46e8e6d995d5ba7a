"""Customer ids: what a source record would found, and how an id is written.

A new id is a pure function of the founding record's address (connection, stream, source id, part), so that any number
of workers and a rebuild from scratch found the same ids. Which customer bears which id is decided in ``naming``.
"""

from __future__ import annotations

from hashlib import blake2b

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no I, L, O, U
_VALUES = {letter: number for number, letter in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # two letters at a time: a page has many ids
_LENGTH = 13
_SEPARATOR = "\x1f"


def founder_id(connection: str, stream: str, source_id: str, part: str = "", *, turn: int = 0) -> int:
    """The 63-bit id of the customer that this record would found: BLAKE2b of its address. ``turn`` counts the
    customers that it founded before while others kept their ids.
    """
    address = _SEPARATOR.join((connection, stream, source_id, part, *([str(turn)] if turn else [])))
    digest = blake2b(address.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def public_id(customer_id: int) -> str:
    """The id as people and systems see it: ``C`` and 13 letters or digits without look-alikes."""
    first, second = _PAIRS[customer_id >> 50 & 1023], _PAIRS[customer_id >> 40 & 1023]
    third, fourth = _PAIRS[customer_id >> 30 & 1023], _PAIRS[customer_id >> 20 & 1023]
    last = _PAIRS[customer_id >> 10 & 1023], _PAIRS[customer_id & 1023]  # written out: a page has many ids
    return f"C{_ALPHABET[customer_id >> 60]}{first}{second}{third}{fourth}{last[0]}{last[1]}"


def parse_public_id(text: str) -> int | None:
    """The number behind a written id, tolerant of case and look-alikes; None if it is not one."""
    text = text.strip().upper()
    if len(text) != _LENGTH + 1 or text[0] != "C":
        return None
    number = 0
    for letter in text[1:]:
        value = _VALUES.get(letter)
        if value is None:
            return None
        number = number * 32 + value
    return number if number < 1 << 63 else None
