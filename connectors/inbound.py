"""Is an inbound call authentic? The signatures that vendors put on webhooks, compared in constant time.

A connector's ``verify`` computes what the vendor's recipe gives and hands it to ``ensure_signed`` *before* it looks
into the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import SecretStr

from connectors.contract import Inbound
from connectors.errors import BadCredentials, RecordRejected

LARGEST = 4 << 20
"""Bytes; no vendor sends a larger hint."""


def header(request: Inbound, name: str) -> str:
    """A header's value in whatever case it was sent; empty where there is none."""
    wanted = name.lower()
    return next((value for given, value in request.headers.items() if given.lower() == wanted), "")


def hmac_base64(secret: SecretStr, body: bytes, algorithm: str = "sha256") -> str:
    """Base64 of the keyed hash of the raw body (Shopify and many others)."""
    return base64.b64encode(hmac.new(secret.get_secret_value().encode(), body, algorithm).digest()).decode()


def md5_enclosed(key: str, body: bytes, secret: SecretStr) -> str:
    """The hexadecimal MD5 of key, raw body and secret in a row (Youzan, Douyin shop)."""
    message = key.encode() + body + secret.get_secret_value().encode()
    return hashlib.md5(message, usedforsecurity=False).hexdigest()  # the vendors' recipe, not our choice


def ensure_signed(request: Inbound, name: str, expected: str, *, connection: str, setting: str) -> None:
    """Raise ``BadCredentials`` unless the header ``name`` holds ``expected``. ``setting`` holds the secret."""
    given = header(request, name)
    if not given or not hmac.compare_digest(given.encode(), expected.encode()):
        raise _forged(connection, setting)


def ensure_shared(given: Sequence[str], expected: Sequence[SecretStr], *, connection: str, setting: str) -> None:
    """Raise ``BadCredentials`` unless one of the texts given is what is expected in its place; empty ones never are."""
    fits = [
        bool(known) and hmac.compare_digest(text.encode(errors="replace"), known.encode())
        for text, known in zip(given, (one.get_secret_value() for one in expected), strict=True)
    ]
    if not any(fits):
        raise _forged(connection, setting)


def payload(request: Inbound, *, connection: str) -> Any:
    """The verified body as JSON. Raises ``RecordRejected`` for one that is none."""
    try:
        if len(request.body) > LARGEST:
            raise ValueError("too large")
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise RecordRejected("{connection}: the body of a webhook is not valid JSON.", connection=connection) from None


def _forged(connection: str, setting: str) -> BadCredentials:
    return BadCredentials(
        "{connection}: the signature of a webhook is missing or wrong; it was ignored.",
        remedy="If webhooks of this system are refused again and again, correct the setting {setting}.",
        connection=connection,
        setting=setting,
    )
