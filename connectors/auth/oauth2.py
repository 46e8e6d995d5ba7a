"""OAuth 2.0 (RFC 6749): client credentials and refresh tokens, the two flows that need no human at run time."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import SecretStr

from connectors.auth.base import Outgoing, Wire
from connectors.auth.static import basic
from connectors.auth.tokens import Token, TokenAuth
from connectors.errors import BadCredentials, StreamBroken
from connectors.response import Response

ClientAuth = Literal["basic", "body"]
"""How the client names itself at the token endpoint: by HTTP Basic (the standard) or in the form (common)."""

_WRONG_GRANT = {"invalid_grant", "invalid_client", "unauthorized_client", "invalid_token", "access_denied"}


class _OAuth2(TokenAuth):
    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: SecretStr | None,
        *,
        client_auth: ClientAuth = "basic",
        scope: str = "",
        extra: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock)
        self._url, self._id, self._secret = token_url, client_id, client_secret
        self._client_auth, self._scope, self._extra = client_auth, scope, dict(extra or {})

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return (self._secret,) if self._secret else ()

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the request."""
        outgoing.headers["Authorization"] = f"Bearer {token.value.get_secret_value()}"

    @abstractmethod
    def _grant(self, old: Token | None) -> dict[str, str]:
        """The form fields of this grant."""

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Fetch a token."""
        form = self._grant(old) | self._extra | ({"scope": self._scope} if self._scope else {})
        headers = {"Accept": "application/json"}
        secret = self._secret.get_secret_value() if self._secret else ""
        if self._client_auth == "basic" and secret:
            headers["Authorization"] = f"Basic {basic(self._id, secret).get_secret_value()}"
        else:
            form |= {"client_id": self._id} | ({"client_secret": secret} if secret else {})
        response = wire.request(
            "POST", self._url, form=form, headers=headers, read=True, idempotent=self._repeatable(),
            allow=(400, 401), authenticated=False,
        )  # fmt: skip
        return self._token_of(response, wire)

    def _repeatable(self) -> bool:
        """Whether asking twice is harmless."""
        return True

    def _token_of(self, response: Response, wire: Wire) -> Token:
        answer = response.json()
        if not isinstance(answer, dict):
            answer = {}
        value = answer.get("access_token")
        if not response.ok or "error" in answer or not isinstance(value, str) or not value:
            raise self._refusal(response, answer, wire)
        lifetime = _seconds(answer.get("expires_in"))
        rotated = answer.get("refresh_token")
        return Token(
            SecretStr(value),
            expires_at=None if lifetime is None else self._clock() + lifetime,
            refresh_token=SecretStr(rotated) if isinstance(rotated, str) and rotated else None,
            lifetime=lifetime,
        )

    def _refusal(self, response: Response, answer: Mapping[str, Any], wire: Wire) -> Exception:
        code = str(answer.get("error", ""))[:80]
        reason = wire.redactor.text(str(answer.get("error_description") or code or response.status)[:400])[:200]
        if response.ok and not code:
            return StreamBroken(
                "{connection}: the token endpoint answered without an access token.",
                connection=wire.connection,
                remedy="Check the token URL against the system's documentation.",
            )
        return BadCredentials(
            "{connection}: the token endpoint refused us: {reason}.",
            connection=wire.connection,
            reason=reason,
            remedy="Authorise the connection again." if code in _WRONG_GRANT else None,
        )


class ClientCredentials(_OAuth2):
    """The client-credentials grant (RFC 6749, section 4.4): the integration logs in as itself."""

    def _grant(self, old: Token | None) -> dict[str, str]:
        return {"grant_type": "client_credentials"}


class RefreshToken(_OAuth2):
    """The refresh-token grant (RFC 6749, section 6), also where every use gives a new refresh token (rotation).

    ``on_token`` is called with every new token *before* it is used, to store the rotated refresh token. Where several
    processes share the grant, ``load_token`` gives the newest stored token: it is asked before every refresh, so that
    a token another process has just fetched is used instead of spending a refresh token twice.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: SecretStr | None,
        refresh_token: SecretStr,
        *,
        on_token: Callable[[Token], None] | None = None,
        load_token: Callable[[], Token | None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, **options)
        self._refresh, self._on_token, self._load = refresh_token, on_token, load_token

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return (*super().secrets(), self._refresh)

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Fetch a token."""
        stored = self._load() if self._load else None
        if stored is not None:
            self._refresh = stored.refresh_token or self._refresh
            wire.redactor.add(self._refresh)
            if self._newer(stored, old):
                return stored
        token = super().obtain(wire, old)
        self._refresh = token.refresh_token or self._refresh
        token = Token(token.value, token.expires_at, self._refresh, token.lifetime)
        if self._on_token:
            self._on_token(token)
        return token

    def _newer(self, stored: Token, old: Token | None) -> bool:
        if not stored.fresh(self._clock()):
            return False
        return old is None or stored.value.get_secret_value() != old.value.get_secret_value()

    def _grant(self, old: Token | None) -> dict[str, str]:
        return {"grant_type": "refresh_token", "refresh_token": self._refresh.get_secret_value()}

    def _repeatable(self) -> bool:
        return False  # a rotated refresh token is spent by its first use, answered or not


def _seconds(value: Any) -> float | None:
    """``expires_in``: a number, or a string that holds one; anything else is as if absent."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < 1e9 else None
