"""Numbers with valid check digits, and phone numbers."""

from __future__ import annotations

from random import Random

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
MOBILE_PREFIXES = (
    "130",
    "133",
    "135",
    "136",
    "137",
    "138",
    "139",
    "150",
    "152",
    "158",
    "159",
    "176",
    "181",
    "186",
    "189",
)


def credit_code(rng: Random, division: str) -> str:
    """A unified social credit code (GB 32100-2015) with both its check digits right (the inner one: GB 11714)."""
    organisation = "MA" + "".join(rng.choice(_ALPHABET) for _ in range(6))
    values = [int(sign, 36) for sign in organisation]
    rest = 11 - sum(value * weight for value, weight in zip(values, _ORG_WEIGHTS, strict=True)) % 11
    inner = {10: "X", 11: "0"}.get(rest, str(rest))
    body = "91" + division + organisation + inner
    total = sum(_ALPHABET.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    return body + _ALPHABET[-total % 31]


def mobile(rng: Random) -> str:
    """A mainland mobile number, eleven digits."""
    return rng.choice(MOBILE_PREFIXES) + f"{rng.randrange(10**8):08d}"


def landline(rng: Random, area: str) -> str:
    """A landline number with its area code, e.g. 0755-83210456."""
    length = 7 if area in ("0769", "0757", "0579") else 8
    return f"{area}-{rng.choice('2345678')}{rng.randrange(10 ** (length - 1)):0{length - 1}d}"


def abroad(rng: Random, code: str, first: str, length: int) -> str:
    """A number in another country, in international form."""
    left = length - len(first)
    return f"+{code} {first}{rng.randrange(10**left):0{left}d}"
