"""What the platform answers, nearly always with status 200: data, a refusal of the gateway, or a business code.

What concerns the connection (token, permission, limits) is raised here for every call; what a business code means is
known to who calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.errors import BadConfiguration, BadCredentials, ConnectorError, PermissionMissing, WaitUntil
from connectors.pauses import GrowingPause
from connectors.response import Response
from connectors.wording import Wording

LIMITED = frozenset({4101, 500100004, 123000042, 141500203})
_REFUSED = Wording("{connection}: {path_} was refused: {reason} ({code}, trace {trace})")
_UNKNOWN_CALL = Wording(
    "{connection}: the platform does not know {path_}: {reason} ({code}, trace {trace})",
    "Check the setting `base_url`: it has to be the address of the cloud platform.",
)
_GATEWAY: Mapping[int, tuple[type[ConnectorError], Wording]] = {
    4001: (BadConfiguration, _UNKNOWN_CALL),
    4005: (BadConfiguration, _UNKNOWN_CALL),
    4007: (
        BadConfiguration,
        Wording(
            "{connection}: the platform refuses calls from this machine: {reason} ({code}, trace {trace})",
            "Add this machine's address to the IP list of the app on the cloud platform.",
        ),
    ),
    4201: (
        PermissionMissing,
        Wording(
            "{connection}: the shop does not authorise the app, or no longer: {reason} ({code}, trace {trace})",
            "Authorise the app for the shop again on the cloud platform.",
        ),
    ),
    4202: (BadCredentials, _REFUSED),
    4203: (BadCredentials, _REFUSED),
    4204: (
        PermissionMissing,
        Wording(
            "{connection}: the app has no permission for {path_}: {reason} ({code}, trace {trace})",
            "Apply for the permission package of this interface on the cloud platform.",
        ),
    ),
}


class _Head(msgspec.Struct):
    """All of an answer but its data, which stays undecoded."""

    code: Any = None
    success: Any = None
    message: Any = None
    msg: Any = None
    gw_err_resp: Any = None
    trace_id: Any = None
    request_id: Any = None


_HEAD = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of itself: whether it is a success, its code, and a masked reason."""

    ok: bool
    code: int | str | None
    reason: str
    trace: str

    def params(self, response: Response) -> dict[str, Any]:
        """For the places of error texts."""
        shown = "?" if self.code is None else str(self.code)[:20]
        where = {"connection": response.connection, "path_": response.path}
        return {**where, "reason": self.reason, "code": shown, "trace": self.trace}


def told(response: Response) -> Told:
    """Read the head of an answer in any of its three shapes."""
    head: _Head = response.parse(_HEAD.decode)
    refused = head.gw_err_resp if isinstance(head.gw_err_resp, Mapping) else None
    code = refused.get("err_code") if refused is not None else head.code
    text = refused.get("err_msg") if refused is not None else head.message or head.msg
    trace = refused.get("trace_id") if refused is not None else head.trace_id or head.request_id
    failed = head.success in (False, "false")
    return Told(
        ok=refused is None and (code in (200, "200") or (code is None and head.success is True)) and not failed,
        code=_number(code),
        reason=response.redactor.excerpt(str(text or "-").encode(), 200),
        trace=str(trace or "-")[:64],
    )


class Judge:
    """Looks at every answer (``connectors.http.Client(inspect=…)``); limits pause the account, 3 to 48 seconds long."""

    def __init__(self, first: float = 3.0, longest: float = 48.0) -> None:
        self._pause = GrowingPause(first, longest)

    def __call__(self, response: Response) -> None:
        """Raise what concerns the whole connection."""
        found = told(response)
        if found.code in LIMITED:
            raise WaitUntil(
                "{connection}: the platform limits our calls of {path_}: {reason} ({code}).",
                until=self._pause.until(datetime.now(UTC)),
                remedy="Nothing to do: calls go on at {until}. If it persists, check the app's package of calls and "
                "its balance: arrears look like this, too.",
                **found.params(response),
            )
        self._pause.reset()
        if isinstance(found.code, int) and found.code in _GATEWAY and not found.ok:
            kind, wording = _GATEWAY[found.code]
            raise kind(wording.template, remedy=wording.remedy, **found.params(response))


def _number(code: Any) -> int | str | None:
    if isinstance(code, str) and code.isascii() and code.isdecimal() and len(code) < 19:
        return int(code)
    return code if isinstance(code, int | str) else None
