"""Secrets of endpoints and the headers by which receivers know that a webhook is ours (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from sync.errors import Misused

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, as the specification wants."""


def new_secret() -> SecretStr:
    """A secret of 256 random bits."""
    return SecretStr(PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())


def given_secret(text: str) -> SecretStr:
    """A secret that the receiver has chosen. Raises Misused for one that will not do."""
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(raw) <= LONGEST:
        raise Misused(
            "A secret is whsec_ and {shortest} to {longest} bytes in base64.",
            shortest=SHORTEST,
            longest=LONGEST,
            remedy="Leave it out: one is made.",
        )
    return SecretStr(text)


def headers(message_id: str, at: datetime, body: str, keys: Sequence[SecretStr]) -> dict[str, str]:
    """The three headers; a signature for each secret, the current one first."""
    moment = at.astimezone(UTC)
    signatures = [Webhook(key.get_secret_value()).sign(message_id, moment, body) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
