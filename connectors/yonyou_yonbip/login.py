"""The token of a self-built application: asked for with a signed request, sent as a parameter of the address."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pydantic import SecretStr

from connectors.auth import HmacSignature, SigningRecipe
from connectors.auth.base import Outgoing, Wire
from connectors.auth.tokens import Token, TokenAuth
from connectors.errors import BadCredentials
from connectors.http import Client
from connectors.yonyou_yonbip.config import YonBipConfig

TOKEN_PATH = "open-auth/selfAppAuth/base/v1/getAccessToken"  # noqa: S105 - a path
RECIPE = SigningRecipe(
    message="{sorted}",
    algorithm="sha256",
    encoding="base64",
    timestamp="milliseconds",
    params={"timestamp": "{timestamp}", "signature": "{signature}"},
)
"""The parameters in the order of their names, names and values joined without anything between them."""


class YonBipToken(TokenAuth):
    """``tokens`` calls the tenant's data centre at ``token_url``, which ends in a slash."""

    def __init__(
        self, config: YonBipConfig, tokens: Client, token_url: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(clock)
        self._config, self._tokens, self._url = config, tokens, token_url
        self._signature = HmacSignature(RECIPE, config.app_secret, clock=clock)

    def secrets(self) -> Sequence[SecretStr]:
        """The application's secret."""
        return (self._config.app_secret,)

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """The token goes into the address."""
        outgoing.params.append(("access_token", token.value.get_secret_value()))

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Ask for a token."""
        outgoing = Outgoing("GET", self._url + TOKEN_PATH, [("appKey", self._config.app_key)])
        self._signature.apply(outgoing, wire)
        response = self._tokens.get(outgoing.url, params=outgoing.params)
        answer = response.json()
        data = answer.get("data") if isinstance(answer, dict) else None
        token = data.get("access_token") if isinstance(data, dict) else None
        if str(answer.get("code") if isinstance(answer, dict) else "") not in ("00000", "200") or not token:
            said = answer.get("message") if isinstance(answer, dict) else ""
            raise BadCredentials(
                "{connection}: YonBIP refused the login ({reason}).",
                connection=wire.connection,
                reason=wire.redactor.text(str(said or "-"))[:200],
            )
        expire = data.get("expire") if isinstance(data, dict) else None
        lifetime = float(expire) if isinstance(expire, int | float) and not isinstance(expire, bool) else None
        return Token(SecretStr(str(token)), None if lifetime is None else self._clock() + lifetime, lifetime=lifetime)
