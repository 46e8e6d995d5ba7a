"""Answers of WeCom and WeChat: status 200 whatever happened, and an ``errcode`` that tells it.

An answer without ``errcode`` is a success (WeChat), and so is 0 (WeCom). The text beside the code varies and is only
shown. Bodies may come as text/plain with raw control characters in names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from connectors.contract import Context
from connectors.errors import ConnectorError, RetryLater, StreamBroken, WaitUntil
from connectors.response import Response
from connectors.wording import Wording

CHINA = timezone(timedelta(hours=8))
TOKEN_REFUSED = (40001, 40014, 41001, 42001)
"""The access token is wrong, missing or has ended: one renewal helps."""
BUSY = -1

_LINK = re.compile(r",?\s*(?:more info at|rid:)\s.*$")
_HEAD = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Refused(StreamBroken):
    """The system refused one call with a code of its own, which callers may understand better than we do here."""

    def __init__(self, template: str, *, errcode: int, **params: Any) -> None:
        self.errcode = errcode
        super().__init__(template, errcode=str(errcode), **params)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means: the error to raise and its text; for a limit, when to go on."""

    kind: Callable[..., ConnectorError]
    wording: Wording
    until: Callable[[datetime], datetime] | None = None


Codes = Mapping[int, Meaning]

_BUSY = Meaning(RetryLater, Wording("{connection}: the system is busy: {reason} ({errcode})"))


def in_seconds(seconds: float) -> Callable[[datetime], datetime]:
    """Go on so many seconds later."""
    return lambda now: now + timedelta(seconds=seconds)


def china_midnight(now: datetime) -> datetime:
    """The beginning of the next day in China, when daily quotas are counted anew."""
    tomorrow = now.astimezone(CHINA).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=CHINA).astimezone(UTC)


class Judge:
    """Turns codes into errors by a vendor's table; a code that it does not name is raised as ``Refused``."""

    def __init__(self, context: Context, codes: Codes) -> None:
        self._context, self._codes = context, codes

    def inspect(self, response: Response) -> None:
        """Raise what the code of this answer means; pass for an answer without one."""
        code, reason = told(response)
        if code == 0:
            return
        where = {"connection": response.connection, "path": response.path}
        params: dict[str, Any] = {**where, "reason": reason}
        meaning = _BUSY if code == BUSY else self._codes.get(code)
        if meaning is None:
            raise Refused("{connection}: {path} was refused: {reason} ({errcode})", errcode=code, **params)
        params["errcode"] = str(code)  # as a text: it is no number of anything
        if meaning.until is not None:
            raise WaitUntil(meaning.wording.template, until=meaning.until(self._context.now()), **params)
        raise meaning.kind(meaning.wording.template, remedy=meaning.wording.remedy, **params)


def told(response: Response) -> tuple[int, str]:
    """The code (0: success) and a short, masked reason."""
    members = _head(response)
    code = members.get("errcode", 0)
    reason = _LINK.sub("", str(members.get("errmsg", "")))
    return _number(code), response.redactor.excerpt(reason.encode(), 200) or "-"


def answered(response: Response) -> dict[str, Any]:
    """The whole answer. Raises ``StreamBroken`` when it is no object."""
    found = response.json(lenient=True)
    if not isinstance(found, dict):
        raise StreamBroken(
            "{connection}: {path} answered something else than an object.",
            connection=response.connection,
            path=response.path,
        )
    return found


def listed(answer: Mapping[str, Any], name: str, response: Response, *, may_be_absent: bool = False) -> list[Any]:
    """A list in an answer. Raises ``StreamBroken`` without it, lest an odd answer be taken for an empty system."""
    found = answer.get(name, [] if may_be_absent else None)
    if not isinstance(found, list):
        raise StreamBroken(
            "{connection}: the answer of {path} has no list {name}.",
            connection=response.connection,
            path=response.path,
            name=name,
        )
    return found


def _head(response: Response) -> Mapping[str, Any]:
    """The code and its text, without decoding the rest of a large page."""
    try:
        members = _HEAD.decode(response.utf8())
        return {name: msgspec.json.decode(members[name]) for name in ("errcode", "errmsg") if name in members}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = response.json(lenient=True)
        return found if isinstance(found, dict) else {}


def _number(code: Any) -> int:
    try:
        return int(code or 0)
    except (TypeError, ValueError):
        return BUSY
