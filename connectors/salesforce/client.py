"""Calls to one org: its address, its limits, its errors in our words.

Errors are a JSON array of ``{"message", "errorCode", "fields"}``. Every answer tells how many of the org's daily calls
are used (``Sforce-Limit-Info: api-usage=25/15000``): near the end we wait, so that other programs do not stand still.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.auth import Outgoing
from connectors.contract import Context
from connectors.errors import (
    BadConfiguration,
    ConnectorError,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.http import Client
from connectors.response import Response
from connectors.salesforce.config import SalesforceConfig
from connectors.salesforce.login import login_of

EXPLAINED = frozenset({300, 400, 403, 404, 405, 406, 409, 412, 414, 415, 420, 431})
"""Statuses whose body tells the reason; 401, 429 and passing faults are the HTTP client's."""
PAUSE = timedelta(minutes=30)
"""How long we wait when the daily calls are used up; the window of 24 hours moves on all the time."""
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
_PASSING = {"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "TXN_SECURITY_METERING_ERROR",
            "API_CURRENTLY_DISABLED", "UNKNOWN_EXCEPTION"}  # fmt: skip
_CONFLICTS = {"DUPLICATES_DETECTED", "DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID", "MULTIPLE_API_ERRORS"}
_OF_THE_RECORD = {"INSUFFICIENT_ACCESS_OR_READONLY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"}
_FORBIDDEN = ("INSUFFICIENT_ACCESS", "API_DISABLED", "INVALID_TYPE", "FUNCTIONALITY_NOT_ENABLED", "INVALID_CROSS")


class Told(dict[str, Any]):
    """One error as Salesforce tells it."""

    @property
    def code(self) -> str:
        """Its code; of a result of the composite interface it is called ``statusCode``."""
        return str(self.get("errorCode") or self.get("statusCode") or "")[:80]

    @property
    def text(self) -> str:
        """Its message."""
        return str(self.get("message") or self.code)[:300]

    @property
    def field(self) -> str:
        """The first field that it names."""
        fields = self.get("fields")
        return str(fields[0])[:80] if isinstance(fields, list) and fields else ""


class SalesforceClient:
    """Calls the REST API of one org. Construction does no I/O; the first call logs in and learns the org's address."""

    def __init__(self, config: SalesforceConfig, context: Context) -> None:
        self._config, self._context = config, context
        self.connection = context.connection
        self._login = login_of(config)
        self._gate = Client(context, config.base_url, auth=self._login)
        self._api: Client | None = None
        self._lock = threading.Lock()
        self._paused: datetime | None = None
        self.usage = ""

    @property
    def root(self) -> str:
        """The path below which all calls go."""
        return f"/services/data/{self._config.api_version}"

    def get(self, path: str, **options: Any) -> Response:
        """A read below the API's root (or at an absolute path that the org gave)."""
        return self.call("GET", path, **options)

    def call(
        self,
        method: str,
        path: str,
        *,
        read: bool = True,
        allow: frozenset[int] = frozenset(),
        **options: Any,
    ) -> Response:
        """One call. Statuses of ``allow`` are returned; all other refusals are raised as our errors."""
        self._within_limits()
        whole = path if path.startswith("/services/") else f"{self.root}{path}"
        options.setdefault("idempotent", True)
        response = self._http().request(method, whole, read=read, allow=EXPLAINED | allow, **options)
        self._note(response)
        if response.ok or response.status in allow:
            return response
        raise self.error(response, read=read)

    def clock(self, response: Response) -> datetime:
        """The org's time before it answered; never later than ours."""
        ours = self._context.now()
        return min(ours, response.date or ours) - timedelta(seconds=response.elapsed)

    def now(self) -> datetime:
        """The time now, aware, UTC."""
        return self._context.now()

    def error(self, response: Response, *, read: bool) -> ConnectorError:
        """The error of an answer that is no success."""
        told = errors_of(response)
        first = told[0] if told else Told(message=response.excerpt().removeprefix(": ") or f"status {response.status}")
        if first.code == "REQUEST_LIMIT_EXCEEDED":
            return self._exhausted()
        if response.status in (406, 420) and not first.code:
            first["errorCode"] = "SERVER_UNAVAILABLE"
        return self.of(first, status=response.status, read=read, path=response.path)

    def of(self, told: Told, *, status: int = 400, read: bool = False, path: str = "") -> ConnectorError:
        """One told error as one of ours. ``read``: it concerns the stream, else one record."""
        code, text = told.code, self._gate.redactor.text(told.text)
        if self._api is not None:
            text = self._api.redactor.text(text)
        where: dict[str, Any] = {"connection": self.connection, "reason": text, "code": code or status}
        if code in _PASSING:
            return RetryLater("{connection}: Salesforce could not do this now: {reason} ({code})", **where)
        if code == "INVALID_QUERY_LOCATOR":
            return CursorExpired("{connection}: Salesforce no longer knows our place: {reason} ({code})", **where)
        if (read and code.startswith(_FORBIDDEN)) or (status == 403 and (read or code not in _OF_THE_RECORD)):
            return PermissionMissing("{connection}: Salesforce does not allow this: {reason} ({code})", **where)
        if not read and (code in _CONFLICTS or status == 412):
            return WriteConflict(
                "{connection}: Salesforce refused the record: {reason} ({code})", path=told.field, rule=text, **where
            )
        if not read:
            return RecordRejected(
                "{connection}: Salesforce refused the record: {reason} ({code})", path=told.field, rule=text, **where
            )
        if status in (404, 405):
            return BadConfiguration(
                "{connection}: Salesforce has nothing at {path}: {reason} ({code})",
                setting="api_version",
                remedy="Check the settings `base_url` and `api_version` of the connection.",
                path=path,
                **where,
            )
        return StreamBroken("{connection}: Salesforce refused the query: {reason} ({code})", **where)

    def close(self) -> None:
        """Give back the sockets."""
        self._gate.close()
        if self._api is not None:
            self._api.close()

    def _http(self) -> Client:
        with self._lock:
            if self._api is None:
                probe = Outgoing("GET", self._config.base_url)
                self._login.apply(probe, self._gate)
                address = self._login.instance or self._config.base_url
                self._api = Client(self._context, address, auth=self._login)
                self._api.redactor.add(probe.headers.get("Authorization", "").removeprefix("Bearer "))
            return self._api

    def _note(self, response: Response) -> None:
        found = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if found is None:
            return
        used, most = int(found[1]), int(found[2])
        self.usage = f"{used}/{most}"
        if most and used >= most * (100 - self._config.keep_calls) / 100:
            self._paused = self._context.now() + PAUSE

    def _within_limits(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None and paused > self._context.now():
            self._paused = paused
            raise self._exhausted(paused)

    def _exhausted(self, until: datetime | None = None) -> WaitUntil:
        until = until or self._context.now() + PAUSE
        (self._api or self._gate).budget.pause_until(until)
        return WaitUntil(
            "{connection}: the org's API calls of the last 24 hours are used up ({usage}).",
            until=until,
            connection=self.connection,
            usage=self.usage or "?",
        )


def errors_of(response: Response) -> list[Told]:
    """The errors that a body tells; none where it is not Salesforce's."""
    try:
        found = response.json(lenient=True)
    except ConnectorError:
        return []
    items = found if isinstance(found, list) else [found]
    return [Told(item) for item in items if isinstance(item, Mapping) and (item.keys() & {"errorCode", "message"})]
