"""Calls to a WeChat official account: its token, its codes, and the calls of followers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.auth import Wire
from connectors.contract import Context
from connectors.errors import BadConfiguration, BadCredentials, PermissionMissing, StreamBroken, WaitUntil
from connectors.http import Client
from connectors.response import Response
from connectors.tencent.answers import (
    TOKEN_REFUSED,
    Codes,
    Judge,
    Meaning,
    Refused,
    answered,
    china_midnight,
    in_seconds,
    listed,
)
from connectors.tencent.token import AccessToken
from connectors.wechat_oa.config import WeChatConfig
from connectors.wording import Wording

WRONG_OPENID = 40003
TOGETHER = 100
"""Followers whose details may be asked for at once."""

_EGRESS = Meaning(
    PermissionMissing,
    Wording(
        "{connection}: WeChat does not accept calls from our address: {reason} ({errcode})",
        "Add the address to the IP whitelist (IP白名单) of the account (设置与开发 → 基本配置).",
    ),
)
_SECRET = Meaning(
    BadCredentials,
    Wording(
        "{connection}: WeChat refused the setting `app_secret`: {reason} ({errcode})",
        "Enter the AppSecret again; it is shown only once (设置与开发 → 基本配置).",
    ),
)
_APP = Meaning(
    BadCredentials,
    Wording(
        "{connection}: WeChat refused the setting `app_id`: {reason} ({errcode})",
        "Copy the AppID again (设置与开发 → 基本配置).",
    ),
)
_TOKEN = Meaning(
    BadCredentials,
    Wording(
        "{connection}: WeChat refused its own access token: {reason} ({errcode})",
        "Another system asks for tokens of this account: let both use the stable token (`stable_token: true`).",
    ),
)
_FORBIDDEN = Meaning(
    PermissionMissing,
    Wording(
        "{connection}: WeChat does not allow {path} to this account: {reason} ({errcode})",
        "Followers can be read of verified service accounts (已认证服务号) only; see the account's 接口权限.",
    ),
)
_NO_STABLE = Meaning(
    partial(BadConfiguration, setting="stable_token"),
    Wording(
        "{connection}: WeChat does not give this account a stable token: {reason} ({errcode})",
        "Set `stable_token: false`; then no other system may ask for tokens of this account.",
    ),
)
_QUOTA = Meaning(
    WaitUntil, Wording("{connection}: the day's quota of WeChat is used up: {reason} ({errcode})"), china_midnight
)
_FAST = Meaning(WaitUntil, Wording("{connection}: WeChat limits our calls: {reason} ({errcode})"), in_seconds(60))
_SHARED: Codes = {40164: _EGRESS, 45009: _QUOTA, 45011: _FAST, 50002: _FORBIDDEN}
LOGIN_CODES: Codes = {**_SHARED, 40001: _SECRET, 40125: _SECRET, 41004: _SECRET, 40013: _APP, 41002: _APP}
CALL_CODES: Codes = {**_SHARED, 48001: _FORBIDDEN, **dict.fromkeys(TOKEN_REFUSED, _TOKEN)}


class _Login(AccessToken):
    """The token of one account: the stable one, or the one of which a newer ends the older."""

    def __init__(self, judge: Judge, config: WeChatConfig) -> None:
        super().__init__(judge)
        self._config = config

    def secrets(self) -> Sequence[Any]:
        return (self._config.app_secret,)

    def ask(self, wire: Wire, *, anew: bool) -> Response:
        secret = self._config.app_secret.get_secret_value()
        grant = {"grant_type": "client_credential", "appid": self._config.app_id, "secret": secret}
        if not self._config.stable_token:
            return wire.request("GET", "cgi-bin/token", params=grant, authenticated=False)
        body = {**grant, "force_refresh": anew}
        return wire.request("POST", "cgi-bin/stable_token", json=body, read=True, authenticated=False)


class WeChatClient:
    """One account over HTTP. Raises ``Refused`` where only the caller knows what a code means."""

    def __init__(self, config: WeChatConfig, context: Context) -> None:
        codes = {**LOGIN_CODES, 48001: _NO_STABLE} if config.stable_token else LOGIN_CODES
        login = _Login(Judge(context, codes), config)
        self._http = Client(context, config.base_url, auth=login, inspect=Judge(context, CALL_CODES).inspect)
        self._http.redactor.add(*(key for key in (config.callback_token, config.encoding_aes_key) if key))
        self.connection = context.connection

    def openids(self, after: str) -> tuple[list[str], int]:
        """Up to 10,000 followers behind one, in WeChat's order, and how many there are in all."""
        response = self._http.get("cgi-bin/user/get", params={"next_openid": after or None})
        answer = answered(response)
        count, total = answer.get("count"), answer.get("total")
        if not isinstance(count, int) or not isinstance(total, int):
            raise StreamBroken(
                "{connection}: the answer of {path} has no list {name}.",
                connection=self.connection,
                path=response.path,
                name="data.openid",
            )
        data = answer.get("data")
        found = listed(data if isinstance(data, dict) else {}, "openid", response, may_be_absent=count == 0)
        return [str(openid) for openid in found], total

    def details(self, openids: Sequence[str]) -> list[Mapping[str, Any]]:
        """The details of up to 100 followers. One that is no follower is asked about alone, and left out."""
        users = [{"openid": openid, "lang": "zh_CN"} for openid in openids]
        try:
            response = self._http.post("cgi-bin/user/info/batchget", json={"user_list": users}, read=True)
        except Refused as error:
            if error.errcode != WRONG_OPENID:
                raise
            return [row for openid in openids for row in self.details([openid])] if len(openids) > 1 else []
        rows = listed(answered(response), "user_info_list", response)
        return [row for row in rows if isinstance(row, dict)]

    def tag_names(self) -> dict[int, str]:
        """The names of the account's tags by their ids."""
        response = self._http.get("cgi-bin/tags/get")
        tags = listed(answered(response), "tags", response, may_be_absent=True)
        return {tag["id"]: str(tag.get("name", "")) for tag in tags if isinstance(tag, dict) and "id" in tag}

    def remark(self, openid: str, remark: str) -> None:
        """Set the account's remark of a follower. Repeating it changes nothing."""
        body = {"openid": openid, "remark": remark}
        self._http.post("cgi-bin/user/info/updateremark", json=body, read=False, idempotent=True)

    def close(self) -> None:
        """Give back the sockets."""
        self._http.close()
