"""Logging in to Google: as a service account on behalf of the mailbox (RFC 7523), or with its user's refresh token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from connectors.auth import Auth, ClientCredentials, RefreshToken, Token
from connectors.auth.jwt import BEARER_GRANT, signed
from connectors.errors import BadConfiguration
from connectors.gmail.config import GmailConfig

LIFE = 3600
"""Seconds; an assertion must not live longer."""
_GMAIL = "https://www.googleapis.com/auth/gmail."
_CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"


def scopes(config: GmailConfig) -> str:
    """The rights that are asked for, all of reading."""
    return f"{_GMAIL}{'metadata' if config.headers_only else 'readonly'} {_CONTACTS}"


class ServiceAccount(ClientCredentials):
    """A service account that acts for the mailbox's user. ``client_email`` and ``private_key`` are of its JSON key."""

    def __init__(self, config: GmailConfig, email: str, private_key: SecretStr) -> None:
        super().__init__(config.token_url, email, None, client_auth="body")
        self._email, self._key, self._config = email, private_key, config

    def secrets(self) -> tuple[SecretStr, ...]:
        """The private key."""
        return (self._key,)

    def _grant(self, old: Token | None) -> dict[str, str]:
        now = int(self._clock())
        claims = {
            "iss": self._email,
            "sub": self._config.mailbox,
            "scope": scopes(self._config),
            "aud": self._config.token_url,
            "iat": now,
            "exp": now + LIFE,
        }
        try:
            return {"grant_type": BEARER_GRANT, "assertion": signed(claims, self._key)}
        except ValueError:
            raise _bad_key() from None


def login(config: GmailConfig) -> Auth:
    """The login that the settings allow. Raises ``BadConfiguration`` for a key that is none."""
    if config.service_account is None:
        assert config.refresh_token is not None  # noqa: S101 - the settings say one or the other
        return RefreshToken(
            config.token_url, config.client_id, config.client_secret, config.refresh_token, client_auth="body"
        )
    key = _parsed(config.service_account)
    email, private = key.get("client_email"), key.get("private_key")
    if not isinstance(email, str) or not isinstance(private, str):
        raise _bad_key()
    return ServiceAccount(config, email, SecretStr(private))


def credential_settings(config: GmailConfig) -> str:
    """The settings that are wrong when Google refuses us."""
    return "client_id, client_secret, refresh_token" if config.service_account is None else "service_account, mailbox"


def _parsed(key: SecretStr) -> Mapping[str, Any]:
    try:
        found = json.loads(key.get_secret_value())
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _bad_key() -> BadConfiguration:
    return BadConfiguration(
        "The setting service_account is not the JSON key of a service account.",
        setting="service_account",
        remedy="Give the whole JSON file that Google let you download.",
    )
