"""Passwords: argon2id with the library's current parameters (RFC 9106), stored in PHC form."""

from __future__ import annotations

from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sync.identity.errors import WeakPassword

SHORTEST, LONGEST = 10, 256
FEWEST_DIFFERENT = 5
_AT_ONCE = BoundedSemaphore(4)  # each hash takes 64 MiB while it is computed
_HASHER = PasswordHasher()


def hashed(password: str, name: str) -> str:
    """The hash to store. Raises WeakPassword for one that is short, monotonous, or the user's name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(
            "A password has between {shortest} and {longest} characters.", shortest=SHORTEST, longest=LONGEST
        )
    if len(set(password)) < FEWEST_DIFFERENT or name.casefold() in password.casefold():
        raise WeakPassword("This password is too easy to guess.")
    with _AT_ONCE:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def rehashed(password: str) -> str:
    """The hash of a password that is known to fit, made with today's parameters."""
    with _AT_ONCE:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def fits(password: str, stored: str | None) -> bool:
    """Whether a password is the one stored. Takes as long where none is stored, so that nobody learns which exist."""
    with _AT_ONCE:
        try:
            _HASHER.verify(stored or _nobody(), password[: LONGEST + 1].encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether the hash was made with older parameters, and should be made again."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _nobody() -> str:
    return _HASHER.hash("nobody has this password")
