"""What answers mean beyond their status: the ``errors`` rules of a manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from connectors.contract import Context
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.response import Response
from connectors.rest.manifest import ErrorRule
from connectors.rest.slicing import find, steps
from connectors.wording import Wording

_CLASSES: dict[str, type[ConnectorError]] = {
    "retry_later": RetryLater,
    "bad_credentials": BadCredentials,
    "permission_missing": PermissionMissing,
    "bad_configuration": BadConfiguration,
    "rejected": RecordRejected,
    "conflict": WriteConflict,
    "stream_broken": StreamBroken,
    "cursor_expired": CursorExpired,
}

_CORRECT = Wording(
    "{connection}: {path_} was refused: {reason}.",
    "Enter {settings} of the connection again; see the connector's README for how to get them.",
)
_PLACE = re.compile(r"%(\w{1,60})")
_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Rules:
    """The rules of one manifest, in order; the first that fits raises its error."""

    def __init__(self, rules: Sequence[ErrorRule], context: Context) -> None:
        self._rules, self._context = tuple(rules), context
        self._paths = {path for rule in rules for path in (rule.path, rule.text, rule.values) if path}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def inspect(self, response: Response) -> None:
        """Raise the error of the first rule that this answer meets."""
        rules = [rule for rule in self._rules if _concerns(rule, response)]
        if not rules:
            return
        data = self._parts(response)
        for rule in rules:
            if _meets(rule, data):
                raise self._error(rule, response, data)

    def of_record(self, told: Any, says: str, response: Response) -> ConnectorError:
        """What an error means that an answer tells of one of several records: a conflict, or else a refusal."""
        for rule in self._rules:
            if rule.path and rule.raises in ("conflict", "rejected") and _meets(rule, told):
                return self._error(rule, response, told)
        reason = find(told, says) if says else told
        shown = response.redactor.text(str(reason if reason is not None else told))[:200]
        return RecordRejected(
            "{connection}: {path_} was refused: {reason}.",
            connection=response.connection,
            path_=response.path,
            reason=shown,
        )

    def _parts(self, response: Response) -> Any:
        """Those members of the answer that a rule looks at; the rest of a large page stays undecoded."""
        try:
            members = _TOP.decode(response.utf8())
            heads = {steps(path)[0] for path in self._paths}
            return {name: msgspec.json.decode(raw) for name, raw in members.items() if name in heads}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def _error(self, rule: ErrorRule, response: Response, data: Any) -> ConnectorError:
        reason = find(data, rule.text) if rule.text else None
        if rule.values and reason is not None:
            reason = filled(str(reason), find(data, rule.values))
        said = response.redactor.text(str(reason))[:200] if reason is not None else f"status {response.status}"
        params: dict[str, Any] = {"connection": response.connection, "path_": response.path, "reason": _bare(said)}
        if rule.raises == "wait":
            until = self._context.now() + timedelta(seconds=rule.after)
            return WaitUntil("{connection}: the system asks us to wait ({reason}).", until=until, **params)
        kind = _CLASSES[rule.raises]
        if rule.settings:
            params |= {"settings": ", ".join(rule.settings), "remedy": _CORRECT.remedy}
            params |= {"setting": rule.settings[0]} if issubclass(kind, BadConfiguration) else {}
        return kind(_CORRECT.template, **params)


def _bare(text: str) -> str:
    """Without the full stop that our own sentence ends with."""
    return text.rstrip(" .。") or text


def filled(text: str, values: Any) -> str:
    """The text with its places filled: ``%name`` of an object, ``%1`` of a list; unknown ones stay."""
    known = values if isinstance(values, dict) else dict(enumerate(values, 1)) if isinstance(values, list) else {}
    named = {str(name): str(value) for name, value in known.items()}
    return _PLACE.sub(lambda place: named.get(place[1], place[0]), text)


def _concerns(rule: ErrorRule, response: Response) -> bool:
    return response.status in rule.status if rule.status else response.ok


def _meets(rule: ErrorRule, data: Any) -> bool:
    if not rule.path:
        return True
    value = find(data, rule.path)
    if rule.contains and rule.contains.lower() not in str(value).lower():
        return False
    if rule.equals is not None:
        return any(_same(value, wanted) for wanted in rule.equals)
    if rule.differs is not None:
        return value is not None and not any(_same(value, wanted) for wanted in rule.differs)
    return value not in (None, False, "", [], {})


def _same(value: Any, wanted: Any) -> bool:
    """Equal, and true is not 1."""
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
