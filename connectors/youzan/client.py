"""Calls to the platform: named interfaces in a version, with a token in the query, and their business codes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from connectors.auth import Outgoing, Token, TokenAuth, Wire
from connectors.contract import Context
from connectors.errors import BadCredentials, ConnectorError, RecordRejected, StreamBroken
from connectors.http import Client
from connectors.response import Response
from connectors.youzan.answers import Judge, told
from connectors.youzan.config import YouzanConfig

_MILLISECONDS_FROM = 100_000_000_000
_MOMENTS_FROM = 1_000_000_000


class YouzanLogin(TokenAuth):
    """The grant for a shop's own apps (``silent``). The token's end is told as a moment in milliseconds."""

    def __init__(self, config: YouzanConfig, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._client, self._secret, self._shop = config.client_id, config.client_secret, config.kdt_id

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return (self._secret,)

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the query: the platform looks nowhere else."""
        outgoing.params.append(("access_token", token.value.get_secret_value()))

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Ask for a token."""
        grant = {
            "authorize_type": "silent", "client_id": self._client, "client_secret": self._secret.get_secret_value(),
            "grant_id": self._shop, "refresh": False,
        }  # fmt: skip
        response = wire.request(
            "POST", "/auth/token", json=grant, read=True, allow=(400, 401, 403), authenticated=False
        )
        answer, found = response.json(), told(response)
        data = answer.get("data") if isinstance(answer, Mapping) else None
        value = data.get("access_token") if found.ok and isinstance(data, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(value, str) or not value:
            raise BadCredentials(
                "{connection}: the platform gave no token: {reason} ({code}).", **found.params(response)
            )
        return Token(SecretStr(value), expires_at=self._end(data.get("expires")))

    def _end(self, expires: Any) -> float | None:
        """The moment at which a token ends, by the number's size: milliseconds, seconds, or how long from now on."""
        if not isinstance(expires, int) or isinstance(expires, bool) or expires <= 0:
            return None
        if expires >= _MILLISECONDS_FROM:
            return expires / 1000
        return float(expires) if expires >= _MOMENTS_FROM else self._clock() + expires


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer: its data, or one of the business codes that the caller knows."""

    data: Any
    code: int | None
    response: Response


class YouzanClient:
    """The interfaces of one shop."""

    def __init__(self, config: YouzanConfig, context: Context) -> None:
        self.http = Client(context, config.base_url.rstrip("/"), auth=YouzanLogin(config), inspect=Judge())

    def call(
        self, api: str, version: str, body: Mapping[str, Any], *, read: bool = True, known: Collection[int] = ()
    ) -> Outcome:
        """One call; writes are such that they may be repeated. Codes of ``known`` are returned, others raised."""
        response = self.http.post(f"/api/{api}/{version}", json=body, read=read, idempotent=True)
        found, answer = told(response), response.json()
        data = answer.get("data") if isinstance(answer, Mapping) else None
        if found.ok and not _failed(data):
            return Outcome(data, None, response)
        if isinstance(found.code, int) and found.code in known:
            return Outcome(data, found.code, response)
        kind: type[ConnectorError] = StreamBroken if read else RecordRejected
        raise kind("{connection}: {path_} was refused: {reason} ({code}, trace {trace})", **found.params(response))

    def close(self) -> None:
        """Give back the sockets."""
        self.http.close()


def _failed(data: Any) -> bool:
    """Whether an answer that claims success tells of a failure inside."""
    return isinstance(data, Mapping) and data.get("is_success") in (False, "false")
