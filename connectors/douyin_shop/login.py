"""Logging in: every call is signed, and carries a token that the shop's own app obtains for itself.

The signature is HMAC-SHA256 over the app's secret, then names and values of app_key, method, param_json, timestamp and
v in this order, then the secret again. ``param_json`` is the body, byte for byte: keys sorted at every level, no
blanks. The token and ``sign_method`` are not signed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from connectors.auth import HmacSignature, Outgoing, SigningRecipe, Token, TokenAuth, Wire
from connectors.douyin_shop.answers import data_of
from connectors.encoding import encoded
from connectors.errors import StreamBroken

RECIPE = SigningRecipe(
    message="{secret}app_key{key}method{api}param_json{body}timestamp{timestamp}v2{secret}",
    params={
        "app_key": "{key}",
        "method": "{api}",
        "timestamp": "{timestamp}",
        "v": "2",
        "sign_method": "hmac-sha256",
        "sign": "{signature}",
    },
)
TOKEN_PATH = "/token/create"  # noqa: S105 - a path


def ordered(value: Any) -> Any:
    """The value with the keys of all its objects sorted, as parameters have to be sent."""
    if isinstance(value, Mapping):
        return {name: ordered(value[name]) for name in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


class DouyinLogin(TokenAuth):
    """Signs every call, and obtains tokens by the grant for a shop's own apps (``authorization_self``)."""

    def __init__(
        self,
        app_key: str,
        app_secret: SecretStr,
        shop_id: str,
        *,
        test_shop: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock)
        self._signature = HmacSignature(RECIPE, app_secret, app_key, clock=clock)
        grant = {"code": "", "grant_type": "authorization_self", "shop_id": shop_id}
        self._grant = ordered(grant | ({"test_shop": "1"} if test_shop else {}))
        self.shop = ""
        """The shop's name, once we are logged in."""

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return self._signature.secrets()

    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the token and the signature."""
        super().apply(outgoing, wire)
        self._signature.apply(outgoing, wire)

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the request."""
        outgoing.params.append(("access_token", token.value.get_secret_value()))

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Ask for a token; one that is still good may come again."""
        outgoing = Outgoing("POST", TOKEN_PATH, body=encoded(self._grant, None, None)[0])
        self._signature.apply(outgoing, wire)
        response = wire.request(
            "POST", TOKEN_PATH, params=outgoing.params, json=self._grant, headers=outgoing.headers, read=True,
            authenticated=False,
        )  # fmt: skip
        found = data_of(response)
        value, lives = found.get("access_token"), found.get("expires_in")
        if not isinstance(value, str) or not value:
            raise StreamBroken(
                "{connection}: the token endpoint answered without an access token.",
                connection=wire.connection,
                remedy="Check the setting `base_url`: it has to be the gateway of the open platform.",
            )
        self.shop = str(found.get("shop_name") or found.get("shop_id") or "")[:200]
        lifetime = float(lives) if isinstance(lives, int) and lives > 0 else None
        ends = None if lifetime is None else self._clock() + lifetime
        return Token(SecretStr(value), expires_at=ends, lifetime=lifetime)
