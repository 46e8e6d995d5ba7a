"""Credentials that never change: API keys, user and password, bearer tokens."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

from pydantic import SecretStr

from connectors.auth.base import Auth, Outgoing, Wire


class ApiKey(Auth):
    """A key in a header or in the query, with an optional prefix (``Token`` gives ``Authorization: Token …``)."""

    def __init__(
        self,
        key: SecretStr,
        name: str = "X-API-Key",
        *,
        place: Literal["header", "query"] = "header",
        prefix: str = "",
    ) -> None:
        self._key, self._name, self._place, self._prefix = key, name, place, prefix

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return (self._key,)

    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the credentials."""
        value = self._key.get_secret_value()
        value = f"{self._prefix} {value}" if self._prefix else value
        if self._place == "query":
            outgoing.params.append((self._name, value))
        else:
            outgoing.headers[self._name] = value


class Basic(Auth):
    """User and password by HTTP Basic (RFC 7617), in UTF-8."""

    def __init__(self, username: str, password: SecretStr) -> None:
        self._value = basic(username, password.get_secret_value())
        self._password = password

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return (self._password, self._value)

    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the credentials."""
        outgoing.headers["Authorization"] = f"Basic {self._value.get_secret_value()}"


class Bearer(ApiKey):
    """A long-lived bearer token (RFC 6750)."""

    def __init__(self, token: SecretStr) -> None:
        super().__init__(token, "Authorization", prefix="Bearer")


def basic(username: str, password: str) -> SecretStr:
    """The credentials of HTTP Basic, encoded."""
    return SecretStr(base64.b64encode(f"{username}:{password}".encode()).decode())
