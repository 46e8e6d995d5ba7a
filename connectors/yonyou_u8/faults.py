"""What the U8 OpenAPI says when something is wrong, always with status 200 and an ``errcode`` in text.

Only two codes are known for certain: 0, and 20002 for "nothing found". All others are judged by what they say.
"""

from __future__ import annotations

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

GOOD, NOTHING = ("0", "None", ""), "20002"
TOKEN = ("token", "令牌")
KEYS = ("app_key", "appkey", "app_secret", "appsecret", "from_account", "密钥", "应用不存在")
COMPANY = ("to_account", "企业账号")
LEDGER = ("ds_sequence", "数据源", "账套")
FORBIDDEN = ("权限", "未授权", "没有授权", "permission")
OFTEN = ("频繁", "限流", "超过限制", "次数", "too many")
AWAY = ("离线", "不在线", "未启动", "超时", "无法连接", "连接失败", "timeout", "timed out", "offline")
TAKEN = ("已存在", "重复", "已被使用", "already exist", "duplicate")


class QueryRefused(StreamBroken):
    """The system refused a query for a reason that we do not know."""


def code_of(answer: Any) -> str:
    """The answer's code as text; ``0`` for success."""
    code = str(answer.get("errcode")) if isinstance(answer, dict) else "None"
    return "0" if code in GOOD else code


def fault(answer: dict[str, Any], connection: str, now: datetime, *, write: bool) -> ConnectorError:
    """The error of an answer that is neither a success nor empty."""
    reason = str(answer.get("errmsg") or "-")[:300]
    where: dict[str, Any] = {"connection": connection, "code": code_of(answer), "reason": reason}
    if says(reason, *TOKEN, *KEYS):
        return BadCredentials("{connection}: U8 does not accept the login: {reason} ({code})", **where)
    if says(reason, *FORBIDDEN):
        return PermissionMissing(
            "{connection}: U8 does not allow this application to do it: {reason} ({code})",
            remedy="Have the company approve the application for the interface of customers on the open platform.",
            **where,
        )
    if says(reason, *OFTEN):
        return WaitUntil("{connection}: the system limits our calls: {reason} ({code})", until=now, **where)
    if says(reason, *AWAY):
        return RetryLater(
            "{connection}: the company's U8 cannot be reached: {reason} ({code})",
            remedy="It is tried again by itself. If it persists, see that the open platform's client runs on the U8 "
            "server.",
            **where,
        )
    if write and says(reason, *TAKEN):
        return WriteConflict("{connection}: U8 refused the customer: {reason} ({code})", **where)
    for setting, words in (("to_account", COMPANY), ("ds_sequence", LEDGER)):
        if says(reason, *words):
            return BadConfiguration(
                "{connection}: U8 does not know what {name} names: {reason} ({code})",
                setting=setting,
                name=setting,
                remedy="Correct `{name}`; see the connector's README for where it is found.",
                **where,
            )
    if write:
        return RecordRejected("{connection}: U8 refused the customer: {reason} ({code})", **where)
    return QueryRefused("{connection}: U8 refused the query: {reason} ({code})", **where)
