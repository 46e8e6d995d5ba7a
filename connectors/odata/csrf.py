"""Changes to a SAP Gateway service: every one carries a token against forged requests, bound to a session's cookies.

A call with ``X-CSRF-Token: Fetch`` answers the token and the cookies; both go with every change. When the session has
ended, the change is refused with status 403 and ``x-csrf-token: Required``, has had no effect, and is sent once more
with a new token.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from connectors.errors import PermissionMissing
from connectors.odata.client import ODataClient
from connectors.response import Response

HEADER = "X-CSRF-Token"


class CsrfSession:
    """Sends changes to one service. Thread-safe; one session for all."""

    def __init__(self, client: ODataClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._given: dict[str, str] | None = None

    def send(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Response:
        """A change, with a token; its refusals are raised as errors of one record."""

        def sent(given: Mapping[str, str]) -> Response:
            whole = {**(headers or {}), **given}
            return self._client.send(method, path, body, headers=whole, allow=frozenset({403}))

        return self._granted(sent)

    def batch(self, content: bytes, headers: Mapping[str, str], *, reads: bool) -> Response:
        """Many calls in one request, counted by the caller; a refusal of the whole of it is raised."""

        def sent(given: Mapping[str, str]) -> Response:
            return self._client.http.post(
                "$batch", content=content, headers={**headers, **given}, read=reads, idempotent=reads, weight=0.0,
                allow=frozenset({403}),
            )  # fmt: skip

        return self._granted(sent)

    def _granted(self, sent: Callable[[Mapping[str, str]], Response]) -> Response:
        """What is sent with a token, and with a new one where that has ended."""
        given = self._token(None)
        response = sent(given)
        if _wants_token(response):
            response = sent(self._token(given))
        if _wants_token(response):
            raise PermissionMissing(
                "{connection}: SAP does not accept its own token against forged requests (CSRF).",
                connection=self._client.connection,
                remedy="Check that no proxy before SAP removes cookies or the header X-CSRF-Token.",
            )
        if not response.ok:
            raise self._client.error(response, read=False)
        return response

    def _token(self, refused: dict[str, str] | None) -> dict[str, str]:
        """Token and cookies as headers; new ones if these were refused and no other thread has fetched any."""
        with self._lock:
            if self._given is None or self._given is refused:
                self._given = self._fetched()
            return self._given

    def _fetched(self) -> dict[str, str]:
        response = self._client.http.get("", headers={HEADER: "Fetch"})
        token = response.headers.get(HEADER, "")
        cookies = "; ".join(f"{name}={value}" for name, value in response.cookies.items())
        self._client.http.redactor.add(token, *response.cookies.values())
        return {name: value for name, value in ((HEADER, token), ("Cookie", cookies)) if value}


def _wants_token(response: Response) -> bool:
    return response.status == 403 and response.headers.get(HEADER, "").lower() == "required"
