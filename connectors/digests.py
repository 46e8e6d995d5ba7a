"""Ids in which case matters, in a form in which it does not: comparing identifiers folds case."""

from __future__ import annotations

import hashlib


def case_safe(text: str) -> str:
    """32 hexadecimal digits (BLAKE2b) that stand for this text and, for all practical purposes, for no other."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
