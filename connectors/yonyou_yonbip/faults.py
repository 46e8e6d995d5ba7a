"""What YonBIP says when something is wrong, mostly with status 200 and a ``code`` that may be a text or a number."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.listed.writing import says

GOOD = "200"
NO_TOKEN = ("310001", "310036")
NO_RIGHT = ("310037",)
NO_PATH = ("310404", "310405")
LIMITED = ("310032", "310039", "310042", "310046")
BUSY = ("202", "310043", "310071", "310072", "310504")
"""Still at work on the same write, or a fault behind the gateway that passes."""
THERE = ("10004", "100004")
"""A write whose key was used before: the answer holds the id it then made."""
TAKEN = ("已存在", "重复", "已被使用", "already exist", "duplicate")
PLAIN_TOKEN = "非法token"  # noqa: S105 - what the system says
WELL = re.compile(rb'^\s*\{\s*"code"\s*:\s*"?200"?\s*,')


class Existing(RecordRejected):
    """The system has carried out this write before; ``key`` is the id it made, where it tells."""

    def __init__(self, template: str, *, key: str | None, **params: Any) -> None:
        self.key = key
        super().__init__(template, **params)


def code_of(answer: Any) -> str:
    """The answer's code as text."""
    return str(answer.get("code")) if isinstance(answer, dict) else ""


def fault(answer: dict[str, Any], connection: str, now: datetime, *, write: bool) -> ConnectorError:
    """The error of an answer whose code is not the good one."""
    code, reason = code_of(answer), str(answer.get("message") or answer.get("displayCode") or "-")[:300]
    where: dict[str, Any] = {"connection": connection, "code": code, "reason": reason}
    if code in NO_TOKEN:
        return BadCredentials("{connection}: YonBIP does not accept the token: {reason} ({code})", **where)
    if code in NO_RIGHT:
        return PermissionMissing(
            "{connection}: YonBIP does not allow the application to do it: {reason} ({code})",
            remedy="Grant the application the interfaces of customer files on the open platform.",
            **where,
        )
    if code in LIMITED:
        return WaitUntil("{connection}: the system limits our calls: {reason} ({code})", until=now, **where)
    if code in BUSY:
        return RetryLater("{connection}: YonBIP could not carry out the call: {reason} ({code})", **where)
    if code in NO_PATH:
        return BadConfiguration(
            "{connection}: this YonBIP does not have the interface: {reason} ({code})", setting="base_url", **where
        )
    if write and code in THERE:
        return Existing("{connection}: YonBIP refused the customer: {reason} ({code})", key=_id_in(answer), **where)
    return refused(where, write=write)


def refused(where: dict[str, Any], *, write: bool) -> ConnectorError:
    """The error of a call that was understood and not carried out; ``where`` has connection, code and reason."""
    if not write:
        return StreamBroken("{connection}: YonBIP refused the query: {reason} ({code})", **where)
    if says(where["reason"], *TAKEN):
        return WriteConflict("{connection}: YonBIP refused the customer: {reason} ({code})", **where)
    return RecordRejected("{connection}: YonBIP refused the customer: {reason} ({code})", **where)


def failures(data: Any) -> str:
    """What failed of a call that succeeded; empty where nothing did."""
    if not isinstance(data, dict) or not str(data.get("failCount") or "0").strip("0"):
        return ""
    messages = data.get("messages")
    parts = messages if isinstance(messages, list) else [messages]
    texts = [
        str(part.get("message") or part.get("msg") or part) if isinstance(part, dict) else str(part) for part in parts
    ]
    return "; ".join(texts)[:300] or "-"


def _id_in(answer: dict[str, Any]) -> str | None:
    data = answer.get("data")
    first = data[0] if isinstance(data, list) and data else data
    found = first.get("id") if isinstance(first, dict) else None
    return str(found) if isinstance(found, int | str) and str(found) else None
