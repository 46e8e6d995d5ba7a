"""Callbacks of WeCom and WeChat official accounts: signature, envelope and message.

The signature is the SHA-1, in hexadecimal, of the sorted and joined texts: token, timestamp, nonce and, of an encrypted
message, its ciphertext. The envelope (see ``connectors.sealed``) opens with the decoded EncodingAESKey.

The scheme has no protection against replays: what is older than five minutes is refused, and what comes again within
them carries the same delivery id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from pydantic import SecretStr

from connectors.contract import Inbound
from connectors.errors import BadConfiguration, BadCredentials, ConnectorError
from connectors.sealed import open_envelope
from connectors.wording import Wording

MAX_BODY = 1 << 20
SKEW = 300.0
"""Seconds by which a callback's clock may differ from ours."""
_SIGNATURE = Wording("{connection}: a callback was not accepted: its signature does not fit `callback_token`.")
_STALE = Wording("{connection}: a callback was not accepted: its time is not within five minutes of ours.")
_SEALED = Wording("{connection}: a callback was not accepted: it does not open with `encoding_aes_key`.")
_OPEN = Wording("{connection}: a callback was not accepted: it is not encrypted.")
_ELSEWHERE = Wording("{connection}: a callback was not accepted: it is meant for another account.")
_NO_MESSAGE = Wording("{connection}: a callback was not accepted: it is no message.")
_TOO_LARGE = Wording("{connection}: a callback was not accepted: it is too large.")
_DECLARATION = re.compile(rb"<!(?!\[CDATA\[)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CallbackKeys:
    """What was entered for the callbacks at the vendor. ``receiver`` is the corp id or app id they are meant for."""

    token: SecretStr | None
    aes_key: SecretStr | None
    receiver: str


class Callbacks:
    """Opens the callbacks of one connection."""

    def __init__(self, connection: str, keys: CallbackKeys) -> None:
        self._connection, self._keys = connection, keys

    def echo(self, request: Inbound, now: datetime) -> bytes | None:
        """What to answer when the address is tested; None if the request is no such test."""
        echo = request.query.get("echostr")
        if request.method.upper() != "GET" or echo is None:
            return None
        if "msg_signature" not in request.query:
            self._verify(request, now, "signature")
            return echo.encode()
        self._verify(request, now, "msg_signature", echo)
        return self._decrypted(echo)

    def message(self, request: Inbound, now: datetime) -> Mapping[str, str]:
        """The texts of the message's elements by name. Raises ``BadCredentials`` for what the vendor has not sent."""
        if len(request.body) > MAX_BODY:
            raise self._forged(_TOO_LARGE)
        outer = self._parsed(request.body)
        sealed = outer.get("Encrypt")
        if sealed:
            self._verify(request, now, "msg_signature", sealed)
            return self._parsed(self._decrypted(sealed))
        if self._keys.aes_key is not None:
            raise self._forged(_OPEN)
        self._verify(request, now, "signature")
        return outer

    def _verify(self, request: Inbound, now: datetime, name: str, *sealed: str) -> None:
        if self._keys.token is None:
            raise BadConfiguration(
                "{connection}: callbacks arrive, but no token for them is set.",
                setting="callback_token",
                connection=self._connection,
                remedy="Enter the token of the callback settings at the vendor as `callback_token`.",
            )
        stamp, nonce = request.query.get("timestamp", ""), request.query.get("nonce", "")
        wanted = signature(self._keys.token.get_secret_value(), stamp, nonce, *sealed)
        if not hmac.compare_digest(wanted.encode(), request.query.get(name, "").lower().encode()):
            raise self._forged(_SIGNATURE)
        if not stamp.isdecimal() or len(stamp) > 12 or abs(int(stamp) - now.timestamp()) > SKEW:
            raise self._forged(_STALE)

    def _decrypted(self, sealed: str) -> bytes:
        """The message in an envelope. Only called once the signature has proved its sender."""
        try:
            message, receiver = open_envelope(self._key(), sealed)
        except ValueError:
            raise self._forged(_SEALED) from None
        if receiver != self._keys.receiver.encode():
            raise self._forged(_ELSEWHERE)
        return message

    def _key(self) -> bytes:
        given = self._keys.aes_key.get_secret_value() if self._keys.aes_key else ""
        try:
            key = base64.b64decode(given + "=", validate=True)
        except binascii.Error:
            key = b""
        if len(key) != 32:
            raise BadConfiguration(
                "{connection}: encrypted callbacks arrive, but there is no EncodingAESKey of 43 letters to open them.",
                setting="encoding_aes_key",
                connection=self._connection,
                remedy="Enter the EncodingAESKey of the callback settings at the vendor as `encoding_aes_key`.",
            )
        return key

    def _parsed(self, body: bytes) -> dict[str, str]:
        if _DECLARATION.search(body):  # entities could blow up; the vendors send none
            raise self._forged(_NO_MESSAGE)
        try:
            root = ElementTree.fromstring(body)  # noqa: S314 - without declarations there are no entities
        except (ElementTree.ParseError, ValueError, LookupError):
            raise self._forged(_NO_MESSAGE) from None
        return {child.tag: (child.text or "").strip() for child in root}

    def _forged(self, wording: Wording) -> ConnectorError:
        return BadCredentials(
            wording.template,
            connection=self._connection,
            remedy="Compare `callback_token` and `encoding_aes_key` with the callback settings at the vendor. If they "
            "are right, somebody else has sent this.",
        )


def signature(*texts: str) -> str:
    """The signature over these texts."""
    return hashlib.sha1("".join(sorted(texts)).encode(), usedforsecurity=False).hexdigest()


def delivery_id(*texts: str) -> str:
    """An id for a message that has none: the same for every repetition."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
