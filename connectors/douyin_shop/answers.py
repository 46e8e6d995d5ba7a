"""What the gateway answers, always with status 200: data, or a code and a sub-code that tell what is wrong.

Codes from the documentation's table; the sub-code goes first, because one code means many things. The older form
(``err_no`` and ``message``) is understood too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RetryLater,
    StreamBroken,
    WaitUntil,
)
from connectors.pauses import GrowingPause
from connectors.response import Response
from connectors.wording import Wording

SUCCESS = 10000


class NotLikeThis(StreamBroken):
    """The platform refuses what it was asked for: a parameter, or a range."""


_BY_SUB_CODE: Mapping[str, type[ConnectorError]] = {
    "isv.access-token-expired": BadCredentials,
    "isv.access-token-no-existed": BadCredentials,
    "isv.access-token-missing": BadCredentials,
    "isv.signature-invalid": BadCredentials,
    "isv.signature-missing": BadCredentials,
    "isv.app-permissions-insufficient": PermissionMissing,
    "isv.invalid_ip": PermissionMissing,
    "dop.authorization-no-existed": PermissionMissing,
    "dop.authorization-closed": PermissionMissing,
    "dop.service-error": RetryLater,
}
_BY_CODE: Mapping[int | str, type[ConnectorError]] = {
    20000: RetryLater,
    30001: PermissionMissing,
    30002: PermissionMissing,
    40003: NotLikeThis,
    40004: NotLikeThis,
    50002: NotLikeThis,
}
LIMITED = frozenset({70000, 80000})
"""Codes that seem to mean a limit of calls; so does a sub-code that speaks of one."""
_REFUSED = Wording("{connection}: {path_} was refused: {reason} ({code}, log id {log})")
_UNAUTHORISED = Wording(
    "{connection}: the shop does not authorise the app, or no longer: {reason} ({code}, log id {log})",
    "Authorise the app for the shop again on the open platform, or correct the setting `shop_id`.",
)
_WORDINGS: Mapping[str, Wording] = {
    "isv.invalid_ip": Wording(
        "{connection}: the platform refuses calls from this machine's address: {reason} ({code}, log id {log})",
        "Add this machine's address to the IP list of the app on the open platform.",
    ),
    "isv.signature-invalid": Wording(
        "{connection}: the signature of {path_} was refused: {reason} ({code}, log id {log})",
        "Enter the app secret again, and check that this machine's clock is right.",
    ),
    "isv.app-permissions-insufficient": Wording(
        "{connection}: the app has no permission for {path_}: {reason} ({code}, log id {log})",
        "Apply for the permission of this interface on the open platform.",
    ),
    "dop.authorization-no-existed": _UNAUTHORISED,
    "dop.authorization-closed": _UNAUTHORISED,
}


class _Head(msgspec.Struct):
    """All of an answer but its data, which stays undecoded."""

    code: Any = None
    err_no: Any = None
    msg: Any = None
    message: Any = None
    sub_code: Any = None
    sub_msg: Any = None
    log_id: Any = None


_HEAD = msgspec.json.Decoder(_Head)


class Judge:
    """Looks at every answer (``connectors.http.Client(inspect=…)``); limits pause the account, longer each time."""

    def __init__(self, first: float = 1.0, longest: float = 64.0) -> None:
        self._pause = GrowingPause(first, longest)

    def __call__(self, response: Response) -> None:
        """Raise the error that an answer is."""
        ensure_success(response, self._pause)
        self._pause.reset()


def ensure_success(response: Response, pause: GrowingPause | None = None) -> None:
    """Raise the error that an answer is, if it is one."""
    head: _Head = response.parse(_HEAD.decode)
    if head.code == SUCCESS or (head.code is None and head.err_no == 0):
        return
    code = head.code if head.code is not None else head.err_no
    code = code if isinstance(code, int | str) else None
    sub_code = head.sub_code if isinstance(head.sub_code, str) else ""
    texts = [head.sub_msg, head.msg, head.message]
    said = next((text for text in texts if isinstance(text, str) and text), "")
    params: dict[str, Any] = {
        "connection": response.connection,
        "path_": response.path,
        "reason": response.redactor.excerpt(said.encode(), 200) or "-",
        "code": sub_code[:80] or str(code)[:20],
        "log": str(head.log_id or "-")[:64],
    }
    kind = _BY_SUB_CODE.get(sub_code)
    if kind is None and (code in LIMITED or "limit" in sub_code):
        raise WaitUntil(
            "{connection}: the platform limits our calls of {path_} ({code}).",
            until=(pause or GrowingPause(1, 1)).until(datetime.now(UTC)),
            **params,
        )
    if kind is None:
        kind = BadConfiguration if code is None else _BY_CODE.get(code, StreamBroken)
    wording = _WORDINGS.get(sub_code, _REFUSED)
    raise kind(wording.template, remedy=wording.remedy, **params)


def data_of(response: Response) -> dict[str, Any]:
    """The data of an answer that is a success; raises the error of one that is none."""
    ensure_success(response)
    found = response.json().get("data")
    return found if isinstance(found, dict) else {}
