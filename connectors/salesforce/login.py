"""Logging in to Salesforce: client credentials, refresh token or JWT bearer, as the settings allow.

Tokens tell no lifetime; they are renewed when a call is refused (INVALID_SESSION_ID). The answer names the address of
the org (``instance_url``), where all calls go.
"""

from __future__ import annotations

from pydantic import SecretStr

from connectors.auth import ClientCredentials, RefreshToken, Token, TokenAuth, Wire
from connectors.auth.jwt import BEARER_GRANT, signed
from connectors.errors import BadConfiguration, ConnectorError
from connectors.response import Response
from connectors.salesforce.config import SalesforceConfig

JWT_LIFE = 180
"""Seconds; Salesforce refuses assertions that live much longer."""


class InstanceLogin(TokenAuth):
    """A login whose answers tell the org's address, in ``instance`` after the first."""

    instance: str = ""

    def _token_of(self, response: Response, wire: Wire) -> Token:
        token: Token = super()._token_of(response, wire)  # type: ignore[misc]
        told = response.json()
        self.instance = str(told.get("instance_url") or "").rstrip("/") or self.instance
        return token


class CredentialsLogin(InstanceLogin, ClientCredentials):
    """The client credentials flow: runs as the user that the connected app names."""


class RefreshLogin(InstanceLogin, RefreshToken):
    """The refresh token flow. A rotated token cannot be kept, so it is refused before the grant dies by its re-use."""

    def _token_of(self, response: Response, wire: Wire) -> Token:
        token = super()._token_of(response, wire)
        given = token.refresh_token
        if given is not None and given.get_secret_value() != self._refresh.get_secret_value():
            raise BadConfiguration(
                "{connection}: the connected app rotates refresh tokens, which are then of use only once.",
                setting="refresh_token",
                connection=wire.connection,
                remedy="Switch off Refresh Token Rotation in the connected app and authorise again, or log in by "
                "client credentials or a JWT.",
            )
        return token


class JwtLogin(InstanceLogin, ClientCredentials):
    """The JWT bearer flow (RFC 7523) with RS256."""

    def __init__(self, token_url: str, config: SalesforceConfig, key: SecretStr) -> None:
        super().__init__(token_url, config.client_id, None, client_auth="body")
        self._config, self._key = config, key

    def secrets(self) -> list[SecretStr]:
        """The private key."""
        return [self._key]

    def _grant(self, old: Token | None) -> dict[str, str]:
        claims = {
            "iss": self._config.client_id,
            "sub": self._config.username,
            "aud": self._config.audience,
            "exp": int(self._clock()) + JWT_LIFE,
        }
        try:
            return {"grant_type": BEARER_GRANT, "assertion": signed(claims, self._key)}
        except ValueError:
            raise bad_key() from None


def bad_key() -> ConnectorError:
    """The private key cannot be used."""
    return BadConfiguration(
        "The private key is no RSA key in PEM form, or it is locked by a password.",
        setting="private_key",
        remedy="Give the whole file, from BEGIN PRIVATE KEY to END PRIVATE KEY, without a password.",
    )


def login_of(config: SalesforceConfig) -> InstanceLogin:
    """The login that the settings allow."""
    url = f"{config.base_url}/services/oauth2/token"
    if config.private_key is not None:
        return JwtLogin(url, config, config.private_key)
    if config.refresh_token is not None:
        return RefreshLogin(url, config.client_id, config.client_secret, config.refresh_token, client_auth="body")
    return CredentialsLogin(url, config.client_id, config.client_secret)
