"""Which keys of records can be stored, told for a page at a time."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.errors import RecordRejected

MAX_KEY = 500
"""Longest source id that is stored, in bytes of UTF-8."""


def storable(keys: Sequence[str]) -> list[str]:
    """Those that can be stored, in their order."""
    return list(keys) if all_plain(keys) else [key for key in keys if is_storable(key)]


def all_plain(keys: Sequence[str]) -> bool:
    """Whether all keys are in ASCII and can be stored, told without looking at each of them."""
    together = "".join(keys)
    if not together.isascii() or "\x00" in together:
        return False
    lengths = set(map(len, keys))
    return 0 not in lengths and max(lengths, default=0) <= MAX_KEY


def is_storable(key: str) -> bool:
    """Whether it is text of a length that is stored, without NUL, which PostgreSQL keeps in no text."""
    try:
        return 0 < len(key.encode()) <= MAX_KEY and "\x00" not in key
    except UnicodeEncodeError:
        return False


def refused(key: str) -> RecordRejected:
    """What is told of a record whose key cannot be stored."""
    return RecordRejected(
        "The record's key cannot be stored: it is empty, longer than {limit} bytes, or holds characters "
        "that are not text.",
        path="",
        value=repr(key[:80]),
        rule="key",
        limit=MAX_KEY,
        remedy="Choose another key field for this stream.",
    )
