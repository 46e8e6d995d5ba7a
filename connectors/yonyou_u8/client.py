"""The wire of the U8 OpenAPI: everything in the query, token and accounts included; answers under status 200."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.auth import SessionLogin
from connectors.contract import Context
from connectors.errors import BadCredentials, RetryLater, StreamBroken, WaitUntil
from connectors.gbk import in_utf8
from connectors.http import Client
from connectors.listed.stream import asked_at
from connectors.response import Response
from connectors.yonyou_u8.config import U8Config
from connectors.yonyou_u8.faults import NOTHING, code_of, fault

LIFETIME = 7200.0


class U8Client:
    """Calls the interfaces of one ledger. The company's own server answers behind it, which may take its time."""

    def __init__(self, config: U8Config, context: Context) -> None:
        self.connection, self._config = context.connection, config
        login = SessionLogin(
            "system/token",
            {"from_account": config.from_account, "app_key": config.app_key, "app_secret": config.app_secret},
            method="GET",
            encoding="query",
            token="token.id",  # noqa: S106 - the place of the token in the answer
            place="query",
            header="token",
            lifetime=LIFETIME,
            lifetime_path="token.expiresIn",
        )
        base_url = config.base_url.rstrip("/") + "/"
        self.http = Client(context, base_url, auth=login, inspect=self._inspect, timeout=(10, 120))

    def get(self, path: str, params: Mapping[str, Any]) -> tuple[dict[str, Any] | None, datetime]:
        """The answer of a query, None where nothing was found; and when it was asked for."""
        response = self.http.get(path, params={**self._accounts(), **params})
        return self._answered(response, write=False), asked_at(response, self._now())

    def post(self, path: str, params: Mapping[str, Any], body: Any, *, idempotent: bool) -> dict[str, Any]:
        """The answer of a write."""
        params = {**self._accounts(), **params}
        response = self.http.post(path, params=params, json=body, read=False, idempotent=idempotent)
        answer = self._answered(response, write=True)
        if answer is None:
            raise fault(_decoded(response), self.connection, self._now(), write=True)
        return answer

    def trade_id(self) -> str:
        """A new id for one change, which the system asks for instead of a key of ours."""
        config = self._config
        params = {"from_account": config.from_account, "app_key": config.app_key}
        answer = self._answered(self.http.get("system/tradeid", params=params), write=False) or {}
        trade = answer.get("trade")
        number = trade.get("id") if isinstance(trade, dict) else None
        if not number:
            raise StreamBroken("{connection}: U8 gave no id for a change.", connection=self.connection)
        return str(number)

    def _accounts(self) -> dict[str, Any]:
        config = self._config
        accounts = {"from_account": config.from_account, "to_account": config.to_account, "app_key": config.app_key}
        return {**accounts, "ds_sequence": config.ds_sequence}

    def _answered(self, response: Response, *, write: bool) -> dict[str, Any] | None:
        answer = _decoded(response)
        code = code_of(answer)
        if code == NOTHING:
            return None
        if code != "0":
            raise fault(answer, self.connection, self._now(), write=write)
        return answer

    def _inspect(self, response: Response) -> None:
        """Raise what is dealt with below every call: an ended token, a limit, a server that is away."""
        if b"errcode" not in response.body[:400] and b"errcode" not in response.body[-400:]:
            return
        answer = _decoded(response)
        if code_of(answer) in ("0", NOTHING):
            return
        error = fault(answer, self.connection, self._now(), write=response.method == "POST")
        if isinstance(error, BadCredentials | RetryLater | WaitUntil):
            raise error

    def _now(self) -> datetime:
        return self.http.context.now()


def _decoded(response: Response) -> dict[str, Any]:
    """The answer as an object. Raises ``StreamBroken`` for anything else."""
    answer = in_utf8(response).json(lenient=True)
    if not isinstance(answer, dict):
        raise StreamBroken(
            "{connection}: {path} answered something else than an object.",
            connection=response.connection,
            path=response.path,
        )
    return answer
