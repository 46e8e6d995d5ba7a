"""Calls to WeCom: its token, its codes, and the few calls of external contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import SecretStr

from connectors.auth import Wire
from connectors.contract import Context
from connectors.errors import BadConfiguration, BadCredentials, PermissionMissing, RetryLater, WaitUntil
from connectors.http import Client
from connectors.response import Response
from connectors.tencent.answers import TOKEN_REFUSED, Codes, Judge, Meaning, Refused, answered, in_seconds, listed
from connectors.tencent.token import AccessToken
from connectors.wecom.config import WeComConfig
from connectors.wording import Wording

NO_RELATION = 84061
"""The employee has no customers, or no longer this one."""
NO_SUCH_CUSTOMER = 40096

_EGRESS = Meaning(
    PermissionMissing,
    Wording(
        "{connection}: WeCom does not accept calls from our address: {reason} ({errcode})",
        "Add the address to the app's trusted IPs (企业可信IP) in the WeCom admin console.",
    ),
)
_SECRET = Meaning(
    BadCredentials,
    Wording(
        "{connection}: WeCom refused the setting `secret`: {reason} ({errcode})",
        "Copy the Secret of the self-built app again; see the connector's README.",
    ),
)
_CORP = Meaning(
    BadCredentials,
    Wording(
        "{connection}: WeCom refused the setting `corp_id`: {reason} ({errcode})",
        "Copy the company id from the admin console (我的企业 → 企业信息).",
    ),
)
_TOKEN = Meaning(BadCredentials, Wording("{connection}: WeCom refused its own access token: {reason} ({errcode})"))
_FORBIDDEN = Meaning(
    PermissionMissing,
    Wording(
        "{connection}: WeCom does not allow {path} to this app: {reason} ({errcode})",
        "List the app under 客户联系 → 可调用接口的应用 and let it see the employees concerned.",
    ),
)
_LIMITED = Meaning(
    WaitUntil, Wording("{connection}: WeCom limits our calls: {reason} ({errcode})"), until=in_seconds(60)
)
_CONCURRENT = Meaning(RetryLater, Wording("{connection}: WeCom limits our calls: {reason} ({errcode})"))
_UNKNOWN_USER = Meaning(
    partial(BadConfiguration, setting="users"),
    Wording(
        "{connection}: WeCom knows no such employee: {reason} ({errcode})",
        "Correct the setting `users`; it takes user ids (账号), not names.",
    ),
)
_SHARED: Codes = {60020: _EGRESS, 45009: _LIMITED, 45033: _CONCURRENT, 48002: _FORBIDDEN, 60011: _FORBIDDEN}
LOGIN_CODES: Codes = {**_SHARED, 40001: _SECRET, 40091: _SECRET, 42001: _SECRET, 40013: _CORP, 41002: _CORP}
CALL_CODES: Codes = {**_SHARED, 60111: _UNKNOWN_USER, **dict.fromkeys(TOKEN_REFUSED, _TOKEN)}


class _Login(AccessToken):
    """The token of one app. Asked for again within its life, WeCom gives the same."""

    def __init__(self, judge: Judge, corp_id: str, secret: SecretStr) -> None:
        super().__init__(judge)
        self._corp_id, self._secret = corp_id, secret

    def secrets(self) -> Sequence[SecretStr]:
        return (self._secret,)

    def ask(self, wire: Wire, *, anew: bool) -> Response:
        params = {"corpid": self._corp_id, "corpsecret": self._secret.get_secret_value()}
        return wire.request("GET", "cgi-bin/gettoken", params=params, authenticated=False)


class WeComClient:
    """One company over HTTP. Raises ``Refused`` where only the caller knows what a code means."""

    def __init__(self, config: WeComConfig, context: Context) -> None:
        login = _Login(Judge(context, LOGIN_CODES), config.corp_id, config.secret)
        self._http = Client(context, config.base_url, auth=login, inspect=Judge(context, CALL_CODES).inspect)
        self._http.redactor.add(*(key for key in (config.callback_token, config.encoding_aes_key) if key))
        self.connection = context.connection

    def users(self) -> list[str]:
        """The employees who have the feature of external contacts."""
        response = self._http.get("cgi-bin/externalcontact/get_follow_user_list")
        return [str(user) for user in listed(answered(response), "follow_user", response)]

    def rows(self, users: Sequence[str], cursor: str, limit: int) -> tuple[list[Any], Mapping[str, Any]]:
        """A page of (customer, employee) rows of up to 100 employees, and the answer they came in."""
        body = {"userid_list": list(users), "cursor": cursor, "limit": limit}
        response = self._http.post("cgi-bin/externalcontact/batch/get_by_user", json=body, read=True)
        answer = answered(response)
        return listed(answer, "external_contact_list", response), answer

    def customer_ids(self, user: str) -> list[str]:
        """The customers of one employee; none where WeCom says that there is no relation."""
        try:
            response = self._http.get("cgi-bin/externalcontact/list", params={"userid": user})
        except Refused as error:
            if error.errcode == NO_RELATION:
                return []
            raise
        return [str(key) for key in listed(answered(response), "external_userid", response)]

    def customer(self, external_userid: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """One customer and all its employees' relations; None when none of them has it any longer."""
        followers: list[dict[str, Any]] = []
        contact: dict[str, Any] = {}
        cursor = ""
        for _ in range(1000):
            params = {"external_userid": external_userid, "cursor": cursor or None}
            try:
                response = self._http.get("cgi-bin/externalcontact/get", params=params)
            except Refused as error:
                if error.errcode in (NO_RELATION, NO_SUCH_CUSTOMER):
                    return None
                raise
            answer = answered(response)
            contact = answer.get("external_contact") or contact
            followers += [row for row in listed(answer, "follow_user", response) if isinstance(row, dict)]
            cursor = str(answer.get("next_cursor") or "")
            if not cursor:
                break
        return contact, followers

    def tag_names(self) -> dict[str, str]:
        """The names of the company's tags by their ids."""
        response = self._http.post("cgi-bin/externalcontact/get_corp_tag_list", json={}, read=True)
        groups = listed(answered(response), "tag_group", response, may_be_absent=True)
        tags = [tag for group in groups if isinstance(group, dict) for tag in group.get("tag") or ()]
        return {str(tag["id"]): str(tag.get("name", "")) for tag in tags if isinstance(tag, dict) and "id" in tag}

    def remark(self, body: Mapping[str, Any]) -> None:
        """Set an employee's remark of a customer: the fields given, as they are. Repeating it changes nothing."""
        self._http.post("cgi-bin/externalcontact/remark", json=dict(body), read=False, idempotent=True)

    def close(self) -> None:
        """Give back the sockets."""
        self._http.close()
