"""Inbound webhooks: ``Webhook-Signature`` is the base64 of HMAC-SHA256 over the raw body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from connectors.contract import Hint, Inbound
from connectors.errors import BadConfiguration, BadCredentials

MAX_BODY = 8 << 20


def hints(request: Inbound, secret: SecretStr | None, *, connection: str, stream: str) -> list[Hint]:
    """What a verified request hints at. Raises ``BadCredentials`` for a forged one."""
    if secret is None or not secret.get_secret_value():
        raise BadConfiguration(
            "{connection}: webhooks need the setting webhook_secret.", setting="webhook_secret", connection=connection
        )
    given = next((v for n, v in request.headers.items() if n.lower() == "webhook-signature"), "")
    digest = hmac.new(secret.get_secret_value().encode(), request.body, hashlib.sha256).digest()
    if len(request.body) > MAX_BODY or not hmac.compare_digest(base64.b64encode(digest), given.strip().encode()):
        raise BadCredentials(
            "{connection}: a webhook came without a valid signature.",
            connection=connection,
            remedy="Enter the secret of the webhook in Mautic as `webhook_secret` of the connection.",
        )
    delivery = hashlib.sha256(request.body).hexdigest()[:32]
    return [Hint(stream, key, delivery) for key in dict.fromkeys(_keys(_parsed(request.body)))]


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return {}


def _keys(told: Any) -> Iterator[str]:
    """The ids of contacts in a body keyed by event; old versions say ``lead``. Some events come as an object."""
    for events in told.values() if isinstance(told, Mapping) else ():
        for event in events if isinstance(events, list) else [events]:
            if not isinstance(event, Mapping):
                continue
            contact = event.get("contact") or event.get("lead")
            key = contact.get("id") if isinstance(contact, Mapping) else event.get("id") or event.get("contactId")
            if isinstance(key, (int, str)) and str(key).isdecimal():
                yield str(key)
