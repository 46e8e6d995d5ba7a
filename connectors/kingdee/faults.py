"""What K/3 Cloud says when something is wrong, always with status 200, as one of our errors."""

from __future__ import annotations

from typing import Any

from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WriteConflict,
)
from connectors.listed.writing import says
from connectors.response import Response

NO_SESSION, NO_FORM, EMPTY_PARAMETER, NO_FIELD = 1, 4, 8, 9
LOST = ("会话信息已丢失", "重新登录", "未登录", "ctx == null", "-10001")
FORBIDDEN = ("权限", "未授权", "permission")
TAKEN = ("已存在", "重复", "already exist", "duplicate")
AUDITED = ("审核", "反审核", "audit")
CODES = {
    NO_FORM: "the form does not exist",
    EMPTY_PARAMETER: "a parameter is empty",
    NO_FIELD: "a field does not exist",
}


class QueryRefused(StreamBroken):
    """Kingdee refused what was asked for, and neither the login nor a right is the reason."""


def inspect(response: Response) -> None:
    """Raise for answers that no call can do anything with; the first bytes show whether an answer is one of rows."""
    head = response.body[:256].lstrip()
    if head.startswith(b"response_error:"):
        text = response.redactor.text(response.body[:1000].decode("utf-8", "replace").removeprefix("response_error:"))
        raise (
            _lost(response, text)
            if says(text, *LOST)
            else StreamBroken(
                "{connection}: Kingdee could not carry out the call ({reason}).",
                connection=response.connection,
                reason=text.strip()[:200],
            )
        )
    if head[:1] == b"[" and head.lstrip(b"[ \r\n\t")[:1] not in (b"{",):
        return
    answer = response.json(lenient=True)
    status = status_of(answer)
    if status is not None and not _succeeded(status) and (status.get("MsgCode") == NO_SESSION or _says(status, LOST)):
        raise _lost(response, reason_of(status))
    _ensure_not_blocked(answer, response)


def status_of(answer: Any) -> dict[str, Any] | None:
    """The ``ResponseStatus`` of an answer, however deeply a query has wrapped it; None where there is none."""
    while isinstance(answer, list) and answer:
        answer = answer[0]
    result = answer.get("Result") if isinstance(answer, dict) else None
    status = result.get("ResponseStatus") if isinstance(result, dict) else None
    return status if isinstance(status, dict) else None


def reason_of(status: dict[str, Any]) -> str:
    """What is wrong, in Kingdee's words and with the fields it names."""
    errors = [error for error in status.get("Errors") or [] if isinstance(error, dict)]
    texts = [f"{error.get('FieldName') or ''} {error.get('Message') or ''}".strip() for error in errors]
    said = "; ".join(text for text in texts if text)[:300]
    return said or CODES.get(status.get("MsgCode", 0), f"MsgCode {status.get('MsgCode')}")


def fault(status: dict[str, Any], connection: str, *, write: bool) -> ConnectorError:
    """The error that a status without success stands for."""
    where = {"connection": connection, "reason": reason_of(status)}
    if _says(status, FORBIDDEN):
        return PermissionMissing(
            "{connection}: Kingdee does not allow this user to do it: {reason}",
            remedy="Grant the integration user the right in Kingdee, and the organisation it belongs to.",
            **where,
        )
    if status.get("MsgCode") == NO_FORM:
        return BadConfiguration(
            "{connection}: Kingdee has no customers here: {reason}",
            setting="acct_id",
            remedy="Check that the data centre of `acct_id` is a K/3 Cloud one with the form BD_Customer.",
            **where,
        )
    return (
        _rejected(status, where)
        if write
        else QueryRefused("{connection}: Kingdee refused the query: {reason}", **where)
    )


def _rejected(status: dict[str, Any], where: dict[str, str]) -> RecordRejected:
    errors = [error for error in status.get("Errors") or [] if isinstance(error, dict)]
    field = str(errors[0].get("FieldName") or "") if errors else ""
    if _says(status, TAKEN):
        return WriteConflict("{connection}: Kingdee refused the customer: {reason}", path=field, **where)
    if _says(status, AUDITED):
        return RecordRejected(
            "{connection}: Kingdee does not let an audited customer be changed: {reason}",
            path=field,
            remedy="Un-audit the customer in Kingdee, or let audited master data be changed in its parameters; then "
            "replay the write.",
            **where,
        )
    return RecordRejected("{connection}: Kingdee refused the customer: {reason}", path=field, **where)


def _lost(response: Response, reason: str) -> BadCredentials:
    return BadCredentials(
        "{connection}: Kingdee does not accept the login ({reason}).",
        connection=response.connection,
        reason=response.redactor.text(reason)[:200],
    )


def _ensure_not_blocked(answer: Any, response: Response) -> None:
    """A firewall of Kingdee's answers with a dialog where it holds the request for an attack."""
    first = answer[0] if isinstance(answer, list) and answer else None
    if isinstance(first, dict) and "actionname" in first:
        parameters = first.get("params")
        shown = parameters[0] if isinstance(parameters, list) and parameters else None
        text = str(shown.get("msg") if isinstance(shown, dict) else "")
        raise StreamBroken(
            "{connection}: Kingdee holds the call for suspicious and does not answer it ({reason}).",
            connection=response.connection,
            reason=response.redactor.text(text)[:200],
            remedy="Ask the administrator of Kingdee to exempt the WebAPI of this user from the check of parameters.",
        )


def _succeeded(status: dict[str, Any]) -> bool:
    return status.get("IsSuccess") is True


def _says(status: dict[str, Any], words: tuple[str, ...]) -> bool:
    return says(reason_of(status), *words)
