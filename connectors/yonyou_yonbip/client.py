"""The wire of YonBIP: the tenant's data centre is looked up first, then everything is a POST to its gateway."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import Context
from connectors.errors import BadConfiguration, BadCredentials, RetryLater, StreamBroken, WaitUntil
from connectors.http import Client
from connectors.listed.stream import asked_at
from connectors.response import Response
from connectors.yonyou_yonbip.config import YonBipConfig
from connectors.yonyou_yonbip.faults import GOOD, PLAIN_TOKEN, WELL, code_of, failures, fault, refused
from connectors.yonyou_yonbip.login import YonBipToken

LOOKUP = "open-auth/dataCenter/getGatewayAddress"


class YonBipClient:
    """Calls the gateway of one tenant."""

    def __init__(self, config: YonBipConfig, context: Context) -> None:
        self.connection, self.context, self._config = context.connection, context, config
        self._lookup = Client(context, config.base_url.rstrip("/") + "/", inspect=self._inspect)
        self._lock = threading.Lock()
        self._clients: list[Client] = []

    def query(self, path: str, body: Any) -> tuple[Any, datetime]:
        """The data of an answer, and when it was asked for."""
        response = self.gateway().post(path, json=body, read=True)
        return self._data(response, write=False), asked_at(response, self.context.now())

    def change(self, path: str, body: Any, *, idempotent: bool) -> Any:
        """The data of an answer to a write; a record that failed in it is raised."""
        response = self.gateway().post(path, json=body, read=False, idempotent=idempotent)
        data = self._data(response, write=True)
        failed = failures(data)
        if failed:
            raise refused({"connection": self.connection, "code": GOOD, "reason": failed}, write=True)
        return data

    def gateway(self) -> Client:
        """The client of the tenant's own gateway, looked up at first use."""
        with self._lock:
            if not self._clients:
                gateway_url, token_url = self._addresses()
                tokens = Client(self.context, token_url, inspect=self._inspect)
                gateway = Client(
                    self.context,
                    gateway_url,
                    auth=YonBipToken(self._config, tokens, token_url),
                    headers={"Accept": "*/*"},  # so that a refusal in plain text reaches us
                    inspect=self._inspect,
                    timeout=(10, 90),
                )
                self._clients = [gateway, tokens]
            return self._clients[0]

    def close(self) -> None:
        """Give back the sockets."""
        for client in (self._lookup, *self._clients):
            client.close()

    def _addresses(self) -> tuple[str, str]:
        response = self._lookup.get(LOOKUP, params={"tenantId": self._config.tenant_id})
        answer = response.json()
        data = answer.get("data") if isinstance(answer, dict) else None
        found = [data.get(name) for name in ("gatewayUrl", "tokenUrl")] if isinstance(data, dict) else []
        if code_of(answer) not in ("00000", GOOD) or not all(found):
            raise BadConfiguration(
                "{connection}: YonBIP knows no data centre of the tenant {tenant}: {reason}",
                setting="tenant_id",
                connection=self.connection,
                tenant=self._config.tenant_id,
                reason=str(answer.get("message") or "-")[:200] if isinstance(answer, dict) else "-",
                remedy="Correct `tenant_id`; see the connector's README for where it is found.",
            )
        return self._safe(str(found[0])), self._safe(str(found[1]))

    def _safe(self, address: str) -> str:
        """An address that the look-up gave, ending in a slash: never less protected than the look-up itself."""
        parts = urlsplit(address)
        allowed = ("https",) if self._config.base_url.startswith("https:") else ("https", "http")
        if parts.scheme not in allowed or not parts.hostname or parts.username:
            raise BadConfiguration(
                "{connection}: the data centre's address is none that secrets may be sent to.",
                setting="base_url",
                connection=self.connection,
            )
        return address.rstrip("/") + "/"

    def _data(self, response: Response, *, write: bool) -> Any:
        answer = _decoded(response)
        if code_of(answer) != GOOD:
            raise fault(answer, self.connection, self.context.now(), write=write)
        return answer.get("data")

    def _inspect(self, response: Response) -> None:
        """Raise what is dealt with below every call: an ended token, a limit, a passing fault."""
        if WELL.match(response.body[:100]):
            response.plausible()
            return
        if PLAIN_TOKEN.encode() in response.body[:100] and response.body.lstrip()[:1] not in (b"{", b"["):
            raise BadCredentials(
                "{connection}: YonBIP does not accept the token: {reason} ({code})",
                connection=self.connection,
                reason=PLAIN_TOKEN,
                code="-",
            )
        response.plausible()
        answer = _decoded(response)
        if code_of(answer) == GOOD:
            return
        error = fault(answer, self.connection, self.context.now(), write=False)
        if isinstance(error, BadCredentials | RetryLater | WaitUntil):
            raise error


def _decoded(response: Response) -> dict[str, Any]:
    answer = response.json(lenient=True)
    if not isinstance(answer, dict):
        raise StreamBroken(
            "{connection}: {path} answered something else than an object.",
            connection=response.connection,
            path=response.path,
        )
    return answer
