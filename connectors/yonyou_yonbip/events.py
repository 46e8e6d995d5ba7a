"""Event pushes of the open platform: signed, encrypted, and only ever a hint.

The signature is the base64 of HMAC-SHA256, keyed with the App Secret, over timestamp, nonce and ciphertext, sorted and
joined. The key of the envelope (see ``connectors.sealed``) is made of the App Secret: without dashes, cut or filled up
with 0 to 43 letters, and read as base64; the receiver is our App Key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from connectors.contract import Hint, Inbound
from connectors.errors import BadCredentials
from connectors.inbound import payload
from connectors.sealed import open_envelope
from connectors.yonyou_yonbip.config import YonBipConfig

SUBJECT = "MERCHANT"
"""In the type of every event about customers."""
TEST = "CHECK_URL"
_DEEPEST = 4


class Events:
    """Opens the event pushes of one connection."""

    def __init__(self, connection: str, config: YonBipConfig) -> None:
        self._connection, self._config = connection, config

    def hints(self, request: Inbound, stream: str) -> list[Hint]:
        """What a push says may have changed: a customer, or the stream where it does not tell which."""
        event = self._opened(request)
        kind = str(_first(event, "type", "eventType") or "")
        if kind == TEST or (kind and SUBJECT not in kind.upper()):
            return []
        delivery = _first(event, "eventId")
        number = _first(event, "id", "merchantId", "archiveId") if kind else None
        return [Hint(stream, None if number is None else str(number), None if delivery is None else str(delivery))]

    def _opened(self, request: Inbound) -> Any:
        outer = payload(request, connection=self._connection)
        outer = outer if isinstance(outer, dict) else {}
        stamp, nonce, sealed = (str(outer.get(name, "")) for name in ("timestamp", "nonce", "encrypt"))
        wanted = signature(self._config.app_secret.get_secret_value(), stamp, nonce, sealed)
        if not hmac.compare_digest(wanted.encode(), str(outer.get("signature", "")).encode()):
            raise self._forged()
        try:
            return msgspec.json.decode(self._decrypted(sealed))
        except (msgspec.DecodeError, RecursionError):
            raise self._forged() from None

    def _decrypted(self, sealed: str) -> bytes:
        """The text in the envelope. Only called once the signature has proved its sender."""
        try:
            message, receiver = open_envelope(cipher_key(self._config.app_secret.get_secret_value()), sealed)
        except ValueError:
            raise self._forged() from None
        if receiver != self._config.app_key.encode():
            raise self._forged()
        return message

    def _forged(self) -> BadCredentials:
        return BadCredentials(
            "{connection}: the signature of a webhook is missing or wrong; it was ignored.",
            remedy="If webhooks of this system are refused again and again, correct the setting {setting}.",
            connection=self._connection,
            setting="app_secret",
        )


def signature(secret: str, *texts: str) -> str:
    """The signature over these texts."""
    return base64.b64encode(
        hmac.new(secret.encode(), "".join(sorted(texts)).encode(), hashlib.sha256).digest()
    ).decode()


def cipher_key(secret: str) -> bytes:
    """The key of the envelope."""
    letters = secret.replace("-", "")[:43].ljust(43, "0")
    try:
        return base64.b64decode(letters + "=", validate=True)
    except (binascii.Error, ValueError):
        return hashlib.sha256(secret.encode()).digest()  # opens nothing: such a secret cannot seal envelopes


def _first(event: Any, *names: str) -> Any:
    """The first value of one of these names, level by level; contents written as JSON within JSON are opened."""
    level = [event]
    for _ in range(_DEEPEST):
        objects = [found for one in level if isinstance(found := _read(one), Mapping)]
        for name in names:
            for found in objects:
                if isinstance(found.get(name), str | int) and found[name] != "":
                    return found[name]
        level = [inner for found in objects for inner in _inner(found)]
    return None


def _inner(found: Mapping[str, Any]) -> Iterator[Any]:
    for value in found.values():
        yield from value[:1] if isinstance(value, list) else (value,)


def _read(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    return value
