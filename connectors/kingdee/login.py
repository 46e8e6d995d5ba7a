"""The three logins of K/3 Cloud: two that open a session, and signed requests without one.

Sessions live in the cookie ``kdservice-sessionid``. A login that failed is answered with status 200, too, and any
``LoginResultType`` but 1. The signature is that of Kingdee's own SDK (version 2.0): its HMAC is the base64 of the
hexadecimal text, and the key of the first one is the second part of the application id, unmasked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from connectors.auth.base import Auth, Outgoing, Wire
from connectors.auth.tokens import Token, TokenAuth
from connectors.errors import BadCredentials
from connectors.kingdee.config import KingdeeConfig

SERVICES = "Kingdee.BOS.WebApi.ServicesStub"
COOKIE = "kdservice-sessionid"
_MASK = b"0054f397c6234378b09ca7d3e5debce7"
"""Kingdee's SDK masks the client's secret within the application id with this constant: no secret of anybody's."""


def login(config: KingdeeConfig) -> Auth:
    """The way of logging in that the settings name."""
    if config.login == "signature":
        return KingdeeSignature(config)
    return KingdeeSession(config)


class KingdeeSession(TokenAuth):
    """``ValidateUser`` or ``LoginByAppSecret``; a session that has ended is opened anew, once."""

    def __init__(self, config: KingdeeConfig, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._config = config

    def secrets(self) -> Sequence[SecretStr]:
        """The password, or the application's secret."""
        return tuple(secret for secret in (self._config.password, self._config.app_secret) if secret is not None)

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """The session goes as a cookie."""
        session = token.value.get_secret_value()
        outgoing.headers["Cookie"] = f"{COOKIE}={session}"

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Open a session."""
        operation, parameters = self._call()
        response = wire.request(
            "POST",
            f"{SERVICES}.AuthService.{operation}.common.kdsvc",
            json={"parameters": parameters},
            read=True,
            authenticated=False,
        )
        answer = response.json()
        answer = answer.get("Result", answer) if isinstance(answer, dict) else {}
        answer = answer if isinstance(answer, dict) else {}
        session = answer.get("KDSVCSessionId") or response.cookies.get(COOKIE)
        if answer.get("LoginResultType") != 1 or not isinstance(session, str) or not session:
            raise BadCredentials(
                "{connection}: Kingdee refused the login ({reason}).",
                connection=wire.connection,
                reason=wire.redactor.text(str(answer.get("Message") or answer.get("LoginResultType")))[:200],
            )
        return Token(SecretStr(session))

    def leave(self) -> str | None:
        """The session that is open, as a cookie, which is then forgotten; None where there is none."""
        token, self._token = self._token, None
        return None if token is None else f"{COOKIE}={token.value.get_secret_value()}"

    def _call(self) -> tuple[str, list[Any]]:
        config = self._config
        if config.login == "password":
            password = config.password.get_secret_value() if config.password else ""
            return "ValidateUser", [config.acct_id, config.user, password, config.lcid]
        secret = config.app_secret.get_secret_value() if config.app_secret else ""
        return "LoginByAppSecret", [config.acct_id, config.user, config.app_id, secret, str(config.lcid)]


class KingdeeSignature(Auth):
    """Signs every request. A refusal is final: the server opens sessions by itself, so there is nothing to renew."""

    def __init__(self, config: KingdeeConfig, *, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._app_id = clock, config.app_id or ""
        self._secret = config.app_secret or SecretStr("")
        self._client, _, masked = self._app_id.partition("_")
        self._client_secret = SecretStr(unmasked(masked))
        self._identity = f"{config.acct_id},{config.user},{config.lcid},0"

    def secrets(self) -> Sequence[SecretStr]:
        """The application's secret, and the one that its id holds masked."""
        return tuple(secret for secret in (self._secret, self._client_secret) if secret.get_secret_value())

    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the headers of the signature."""
        stamp = str(int(self._clock()))
        path = quote(urlsplit(outgoing.url).path, safe="/").replace("/", "%2F")
        text = f"{outgoing.method}\n{path}\n\nx-api-nonce:{stamp}\nx-api-timestamp:{stamp}\n"
        outgoing.headers |= {
            "X-Api-ClientID": self._client,
            "X-Api-Auth-Version": "2.0",
            "x-api-timestamp": stamp,
            "x-api-nonce": stamp,
            "x-api-signheaders": "x-api-timestamp,x-api-nonce",
            "X-Api-Signature": keyed_hash(text, self._client_secret.get_secret_value()),
            "X-Kd-Appkey": self._app_id,
            "X-Kd-Appdata": base64.b64encode(self._identity.encode()).decode(),
            "X-Kd-Signature": keyed_hash(self._app_id + self._identity, self._secret.get_secret_value()),
        }


def keyed_hash(text: str, key: str) -> str:
    """HMAC-SHA256 as Kingdee writes it: the base64 of the hexadecimal text."""
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def unmasked(part: str) -> str:
    """The client's secret out of the second part of the application id; empty where that is none."""
    if len(part) != 32:
        return ""
    try:
        masked = base64.b64decode(part, validate=True)
    except binascii.Error:
        return ""
    return base64.b64encode(bytes(one ^ other for one, other in zip(masked, _MASK, strict=False))).decode()
