"""Calls to one OData service: pages, single entities, changes, and its errors in our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.errors import (
    BadConfiguration,
    ConnectorError,
    CursorExpired,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.http import Client
from connectors.odata.answers import Answer, Refusal, answer_v4, refusal
from connectors.odata.literals import url
from connectors.response import Response

EXPLAINED = frozenset({400, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 428, 501})
"""Statuses whose body tells the reason; 401, 429 and passing faults are the HTTP client's."""

Codes = Mapping[str, type[ConnectorError]]
"""What a service's own error codes mean where their status does not tell."""


class ODataClient:
    """One service over one HTTP client. ``parse`` makes pages of answers: ``answer_v4`` or ``answer_v2``.

    ``address`` names the settings of which the service's address is made, separated by commas; empty: the caller
    tells which one is wrong.
    """

    def __init__(
        self,
        http: Client,
        base_url: str,
        *,
        codes: Codes | None = None,
        parse: Callable[[Response], Answer] = answer_v4,
        address: str = "",
    ) -> None:
        self.http = http
        self._host = urlsplit(base_url).netloc.lower()
        self.connection = http.connection
        self._codes, self._parse, self._address = dict(codes or {}), parse, address

    def page(
        self, path: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The first page of a query. Raises the errors of ``connectors.errors``."""
        return self._parse(self._called("GET", url(path, params), headers=headers))

    def follow(self, link: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The page behind a link that the service gave, sent as it was written.

        Raises ``CursorExpired`` when the service refuses it: which status and code it gives for an outdated link
        differs and is not documented, and only a full read can follow in any case.
        """
        response = self.http.get(link, headers=headers, allow=EXPLAINED)
        if response.ok:
            return self._parse(response)
        if response.status == 403:
            raise self.error(response, read=True)
        told = refusal(response)
        raise CursorExpired(
            "{connection}: the system no longer accepts our position ({reason}).",
            connection=self.connection,
            reason=told.reason,
            code=told.code,
        )

    def one(
        self, path: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None:
        """One entity, or None if there is none; of version 2 what its ``d`` holds."""
        response = self.http.get(url(path, params), headers=headers, allow=EXPLAINED)
        if response.status == 404:
            return None
        if not response.ok:
            raise self.error(response, read=True)
        return self.entity(response)

    def answer(self, response: Response) -> Answer:
        """The page that an answer holds."""
        return self._parse(response)

    def entity(self, response: Response) -> dict[str, Any]:
        """The entity that an answer holds; an empty one for an answer without a body."""
        found = response.json() if response.body.strip() else {}
        found = found.get("d", found) if isinstance(found, Mapping) else found
        if not isinstance(found, dict):
            raise StreamBroken(
                "{connection}: {method} {path} answered something that is no entity.",
                connection=self.connection,
                method=response.method,
                path=response.path,
            )
        return found

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        allow: frozenset[int] = frozenset(),
        idempotent: bool = False,
    ) -> Response:
        """A change. Statuses of ``allow`` are returned; all other refusals are raised as errors of one record."""
        response = self.http.request(
            method, path, json=body, headers=headers, read=False, idempotent=idempotent, allow=EXPLAINED | allow
        )
        if response.ok or response.status in allow:
            return response
        raise self.error(response, read=False)

    def error(self, response: Response, *, read: bool) -> ConnectorError:
        """The error of an answer that is no success, by the service's own code where it is known, else by status."""
        told = refusal(response)
        kind = self._codes.get(told.code) or _kind(response.status, read)
        if read and issubclass(kind, RecordRejected):
            kind = StreamBroken
        where: dict[str, Any] = {"connection": self.connection, "method": response.method, "path": response.path,
                                 "reason": told.reason, "code": told.code or response.status}  # fmt: skip
        if self._address and issubclass(kind, BadConfiguration):
            return kind(
                "{connection}: {method} {path} was refused: {reason} ({code})",
                setting=self._address.partition(",")[0],
                remedy="Check {settings} of the connection against the address under which the system's API answers.",
                settings=self._address,
                **where,
            )
        return kind("{connection}: {method} {path} was refused: {reason} ({code})", rule=told.reason, **where)

    def told(self, response: Response) -> Refusal:
        """Code and reason of a refused call."""
        return refusal(response)

    def leads_here(self, link: str) -> bool:
        """Whether a stored link is one of this service's host; a relative one is."""
        host = urlsplit(link).netloc.lower()
        return not host or host == self._host

    def close(self) -> None:
        """Give back the sockets."""
        self.http.close()

    def _called(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> Response:
        response = self.http.request(method, path, headers=headers, allow=EXPLAINED)
        if not response.ok:
            raise self.error(response, read=True)
        return response


def _kind(status: int, read: bool) -> type[ConnectorError]:
    if status == 403:
        return PermissionMissing
    if status in (405, 501) or (status == 404 and read):
        return BadConfiguration
    if status in (409, 412):
        return RetryLater if read else WriteConflict
    return StreamBroken if read else RecordRejected
