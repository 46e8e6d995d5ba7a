"""Change notifications of Microsoft Graph: the test of their address, and what they hint at.

Basic notifications carry no signature, only the client state that the subscription was given: so they are worth no more
than a reason to look.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from connectors.contract import Hint, Inbound
from connectors.errors import BadConfiguration, BadCredentials
from connectors.inbound import payload

LONGEST_TOKEN = 4096


def challenge(request: Inbound) -> bytes | None:
    """The decoded token by which Graph tests an address, to be answered as plain text."""
    token = request.query.get("validationToken")
    if request.method.upper() != "POST" or token is None or len(token) > LONGEST_TOKEN:
        return None
    return token.encode()


def hints(request: Inbound, state: SecretStr | None, connection: str) -> list[Hint]:
    """What the notifications of a request hint at. Raises ``BadCredentials`` where one has another client state."""
    if state is None:
        raise BadConfiguration(
            "{connection}: change notifications arrive, but no client state for them is set.",
            setting="client_state",
            connection=connection,
            remedy="Enter the client state that the subscriptions were given as `client_state`.",
        )
    body = payload(request, connection=connection)
    items = body.get("value") if isinstance(body, dict) else None
    notes = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    wanted = state.get_secret_value().encode()
    if not notes or not all(hmac.compare_digest(str(note.get("clientState", "")).encode(), wanted) for note in notes):
        raise BadCredentials(
            "{connection}: a change notification was not accepted: its client state does not fit `client_state`.",
            connection=connection,
            remedy="Compare `client_state` with the subscription. If it is right, somebody else has sent this.",
        )
    return list(dict.fromkeys(hint for note in notes for hint in _hints(note)))


def _hints(note: Mapping[str, Any]) -> list[Hint]:
    resource = str(note.get("resource", "")).lower()
    if "/contacts" in resource or "/contactfolders" in resource:
        data = note.get("resourceData")
        data = data if isinstance(data, dict) else {}
        key = data.get("id")
        return [Hint("contacts", key if isinstance(key, str) and key else None, _delivery(note, data))]
    if "/messages" in resource:
        return [Hint("correspondents")]
    return [Hint("contacts"), Hint("correspondents")] if note.get("lifecycleEvent") else []


def _delivery(note: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """Only with a version is a repetition told apart from the next change."""
    version = data.get("@odata.etag")
    if not version:
        return None
    texts = (note.get("subscriptionId"), note.get("changeType"), note.get("resource"), version)
    return hashlib.sha256("\0".join(map(str, texts)).encode()).hexdigest()[:32]
