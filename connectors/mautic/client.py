"""The wire: calls below /api, and Mautic's three forms of errors in our words.

``{"errors": [{"message", "code", "details", "type"}]}``, ``{"error": {"message", "code"}}`` and, from OAuth,
``{"error": "invalid_grant", "error_description": …}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from connectors.auth import Auth, Basic, ClientCredentials
from connectors.contract import Context
from connectors.errors import (
    BadConfiguration,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WriteConflict,
)
from connectors.http import Client
from connectors.mautic.config import MauticConfig
from connectors.response import Response
from connectors.statuses import error_of

_EXPLAINED = frozenset({400, 403, 404, 405, 409, 422})


class Told(NamedTuple):
    """An error as Mautic tells it: its text, and the field at fault where it names one."""

    text: str
    field: str = ""


class MauticClient:
    """Calls one Mautic. Construction does no I/O."""

    def __init__(self, config: MauticConfig, context: Context) -> None:
        self.connection, self._context = context.connection, context
        self._http = Client(context, f"{config.base_url}/api", auth=_login(config))
        if config.webhook_secret is not None:
            self._http.redactor.add(config.webhook_secret)

    def get(self, path: str, params: Mapping[str, Any] | None = None, allow: frozenset[int] = frozenset()) -> Response:
        """A read; statuses of ``allow`` are returned, all other refusals raised as our errors."""
        response = self._http.get(path, params=params, allow=_EXPLAINED | allow)
        return self._accepted(response, allow, read=True)

    def send(self, method: str, path: str, body: Any, *, idempotent: bool) -> Response:
        """A write; refusals are about this record."""
        response = self._http.request(method, path, json=body, read=False, idempotent=idempotent, allow=_EXPLAINED)
        return self._accepted(response, frozenset(), read=False)

    def clock(self, response: Response) -> datetime:
        """Mautic's time before it answered; never later than ours."""
        ours = self._context.now()
        return min(ours, response.date or ours) - timedelta(seconds=response.elapsed)

    def close(self) -> None:
        """Give back the sockets."""
        self._http.close()

    def _accepted(self, response: Response, allow: frozenset[int], *, read: bool) -> Response:
        if response.status in allow:
            return response
        told = told_by(response)
        if response.ok and told is None:
            return response
        raise self._error(response, told, read=read)

    def _error(self, response: Response, told: Told | None, *, read: bool) -> ConnectorError:
        if told is None:
            return error_of(response, read=read)
        reason = response.redactor.text(told.text)
        where: dict[str, Any] = {"connection": self.connection, "reason": reason}
        if response.status == 403:
            return PermissionMissing(
                "{connection}: Mautic does not allow this: {reason}",
                remedy="Switch on the API under Configuration, API Settings, and give the user's role the right.",
                **where,
            )
        if read and response.status in (404, 405):
            return BadConfiguration("{connection}: Mautic has no such interface: {reason}", setting="base_url", **where)
        if read:
            return StreamBroken("{connection}: Mautic refused the query: {reason}", **where)
        kind = WriteConflict if response.status == 409 else RecordRejected
        return kind("{connection}: Mautic refused the record: {reason}", path=told.field, rule=reason, **where)


def told_by(response: Response) -> Told | None:
    """The error that a body tells, also under status 200; None where it tells none."""
    try:
        found = response.json(lenient=True)
    except ConnectorError:
        return None
    if not isinstance(found, Mapping):
        return None
    errors, error = found.get("errors"), found.get("error")
    first = errors[0] if isinstance(errors, list) and errors else error
    if isinstance(first, Mapping):
        details = first.get("details")
        field = next(iter(details), "") if isinstance(details, Mapping) else ""
        return Told(str(first.get("message") or "?")[:300], str(field)[:80])
    if isinstance(first, str) and first:
        return Told(str(found.get("error_description") or first)[:300])
    return None


def _login(config: MauticConfig) -> Auth:
    if config.client_id and config.client_secret:
        return ClientCredentials(
            f"{config.base_url}/oauth/v2/token", config.client_id, config.client_secret, client_auth="body"
        )
    assert config.password is not None  # noqa: S101 - the settings were validated
    return Basic(config.username or "", config.password)
