"""The one HTTP client of all connectors: guarded, bounded, patient, and clear about what went wrong.

Every call is bounded in time (connect, each read, the whole call), in size (decompressed bytes) and in where it may go
(address guard, own origin, redirects checked one by one). Passing faults are tried again a few times with growing,
jittered waits; what the server asks (``Retry-After``) goes before what we would do, and holds for everyone on the
account through the shared budget. Everything that escapes is a ``connectors.errors`` error without a secret in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from connectors.auth.base import Auth, Outgoing
from connectors.budget import Budget, LocalBudget
from connectors.contract import Context
from connectors.encoding import Params, encoded, pairs, prepared
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    RetryLater,
    StreamBroken,
    WaitUntil,
)
from connectors.guard import AddressGuard, Resolver
from connectors.origins import Origins
from connectors.redaction import Redactor
from connectors.response import Response, cookies_of, headers_of
from connectors.retries import Retries, Spare
from connectors.retry_after import wait_seconds
from connectors.statuses import UNPROCESSED, error_of
from connectors.transport import Answer, Fault, TooLarge, Transport

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["Client", "Response", "Retries"]

_USUAL = Retries()
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = _READS | {"PUT", "DELETE"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_KEPT_ACROSS_ORIGINS = frozenset({"accept", "accept-language", "accept-encoding", "user-agent"})
_DEFAULT_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "kehu"}


@dataclass(frozen=True, slots=True)
class _Call:
    """What the caller asked for, unchanged over all tries."""

    method: str
    url: str
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes | None
    read: bool
    idempotent: bool
    allow: Collection[int]
    weight: float
    authenticated: bool


class _Again(Exception):
    """The try failed in a way worth another: ``error`` is raised when there is none, ``wait`` is what was asked."""

    def __init__(self, error: ConnectorError, wait: float | None = None) -> None:
        self.error, self.wait = error, wait


class Client:
    """Calls one system's HTTP API. Thread-safe. Construction does no I/O.

    ``inspect`` looks at every successful answer and may raise a connector error: the place for systems that report
    errors with status 200. ``RetryLater`` from it is tried again, ``BadCredentials`` renews the credentials once,
    ``WaitUntil`` pauses the account. ``origins`` are further origins this system answers from (e.g. a host for
    exports) that may be called *with* credentials. ``timeout`` is (connect, each read) and ``deadline`` the whole of a
    try, in seconds; ``max_body`` counts decompressed bytes. ``resolver`` and ``sleep`` are replaced by tests.
    """

    def __init__(
        self,
        context: Context,
        base_url: str,
        *,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = (10, 60),
        deadline: float = 300.0,
        max_body: int = 64 << 20,
        retries: Retries = _USUAL,
        allow_private: Sequence[str] | None = None,
        weight: float = 1.0,
        inspect: Callable[[Response], None] | None = None,
        origins: Sequence[str] = (),
        ca_bundle: Path | None = None,
        resolver: Resolver | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection, self.context = context.connection, context
        self._origins = Origins(context.connection, base_url, origins)
        self.auth = auth
        self.redactor = Redactor(auth.secrets() if auth else ())
        self.budget: Budget = context.budget if context.budget is not None else LocalBudget(sleep=sleep)
        self._headers = _DEFAULT_HEADERS | dict(headers or {})
        self._retries, self._weight, self._inspect, self._sleep = retries, weight, inspect, sleep
        self._max_body = max_body
        guard = AddressGuard(context.allow_private if allow_private is None else allow_private, resolver)
        self._transport = Transport(guard, timeout=timeout, deadline=deadline, max_body=max_body, ca_bundle=ca_bundle)
        self._spare = Spare(retries.spare)

    def get(self, path: str, **options: Any) -> Response:
        """``request("GET", …)``."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """``request("POST", …)``; pass ``read=True`` for a search."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        """``request("PUT", …)``."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Response:
        """``request("PATCH", …)``."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """``request("DELETE", …)``."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Params | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool | None = None,
        idempotent: bool | None = None,
        allow: Collection[int] = (),
        weight: float | None = None,
        authenticated: bool = True,
    ) -> Response:
        """One call with its retries. ``path`` is relative to the base URL, or a whole URL of the same origin.

        ``params`` with None values are left out, lists are repeated. The body is ``json``, ``form`` or ``content``.
        ``read`` (default: GET and HEAD) tells whether a refusal is about the stream or about one record;
        ``idempotent`` (default: reads, PUT, DELETE) whether an answer that never came may be asked for again.
        ``allow`` are statuses, besides 2xx, that the caller handles: they are returned. ``authenticated=False``
        sends no credentials and may go to any guarded origin.
        """
        method = method.upper()
        read = method in _READS if read is None else read
        body, content_type = encoded(json, form, content)
        call = _Call(
            method=method,
            url=self._origins.url(path, authenticated=authenticated),
            params=tuple(pairs(params)),
            headers=self._headers | content_type | dict(headers or {}),
            body=body,
            read=read,
            idempotent=(read or method in _IDEMPOTENT) if idempotent is None else idempotent,
            allow=allow,
            weight=self._weight if weight is None else weight,
            authenticated=authenticated,
        )
        return self._patiently(call)

    def close(self) -> None:
        """Close kept connections. The client can still be used afterwards."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _patiently(self, call: _Call) -> Response:
        try:
            response = self._try(call)
        except _Again as again:
            first = again
        else:
            self._spare.give_back()
            return response
        return self._tried_again(call, first)

    def _tried_again(self, call: _Call, first: _Again) -> Response:
        """What follows a first try that failed like this."""
        from tenacity import Retrying, retry_if_exception_type  # most runs never need it

        tried = [first]

        def attempt() -> Response:
            if tried:
                raise tried.pop()
            return self._try(call)

        retrying = Retrying(
            stop=lambda state: state.attempt_number >= self._retries.tries or not self._spare.take(),
            wait=self._wait,
            retry=retry_if_exception_type(_Again),
            sleep=self._sleep,
            reraise=True,
        )
        failed: ConnectorError
        try:
            response: Response = retrying(attempt)
        except _Again as again:
            failed = again.error
        else:
            self._spare.give_back()
            return response
        raise failed  # outside of the handler: what lies below may hold URLs with secrets

    def _wait(self, state: RetryCallState) -> float:
        """What was asked for plus a little, so that not everyone comes back at once; else growing, with jitter."""
        again = state.outcome.exception() if state.outcome else None
        asked = again.wait if isinstance(again, _Again) else None
        longest = min(self._retries.longest, self._retries.first * 2 ** (state.attempt_number - 1))
        grown = random.uniform(longest / 10, longest)  # noqa: S311 - jitter
        return grown if asked is None else asked + grown / 10

    def _try(self, call: _Call) -> Response:
        """One try, with one renewal of refused credentials. Raises ``_Again`` where another try makes sense."""
        outgoing, response = self._exchange(call)
        try:
            return self._accepted(call, response)
        except BadCredentials:
            if not (call.authenticated and self.auth is not None and self.auth.renew(outgoing, self)):
                raise
        _, response = self._exchange(call)
        return self._accepted(call, response)

    def _accepted(self, call: _Call, response: Response) -> Response:
        if response.status in call.allow:
            return response
        if not response.ok:
            raise self._refusal(call, response)
        try:
            if call.method != "HEAD" and "json" in call.headers.get("Accept", ""):
                response.plausible()
            if self._inspect is not None and call.authenticated:
                self._inspect(response)
        except RetryLater as error:
            raise self._again(call, error) from None
        except WaitUntil as error:
            asked = max(0.0, (error.until - self.context.now()).total_seconds())
            raise self._throttled(response, asked, error) from None
        return response

    def _refusal(self, call: _Call, response: Response) -> Exception:
        asked = wait_seconds(response.headers, self.context.now())
        told = asked is not None and "Retry-After" in response.headers
        if response.status == 429 or (response.status in (403, 503, 509) and told):
            return self._throttled(response, asked)
        error = error_of(response, read=call.read)
        if not isinstance(error, RetryLater):
            return error
        return self._again(call, error, processed=response.status not in UNPROCESSED)

    def _throttled(self, response: Response, asked: float | None, told: WaitUntil | None = None) -> Exception:
        """The system limits us: tell everyone on the account, then wait here, or let the engine wait if it is long.

        ``told`` is the error to raise where ``inspect`` has more to say than the status.
        """
        asked = asked or None  # "wait 0 seconds" leaves it to us: taken literally it would make a storm
        until = self.context.now() + timedelta(seconds=self._retries.unasked if asked is None else asked)
        error = WaitUntil(
            "{connection}: the system limits our calls (status {status}).",
            until=until,
            connection=self.connection,
            status=response.status,
        )
        if asked:
            error = told or error
            self.budget.pause_until(until)
        short = asked is None or asked <= self._retries.short
        return _Again(error, asked) if short else error

    def _again(self, call: _Call, error: ConnectorError, *, processed: bool = True) -> Exception:
        """The error itself, or the signal to try again where that is safe: a create must not be sent twice."""
        safe = call.idempotent or not processed
        return _Again(error) if safe else error

    def _exchange(self, call: _Call) -> tuple[Outgoing, Response]:
        """Send, following checked redirects. Takes from the budget for every request sent."""
        target = call
        for _ in range(_MOST_REDIRECTS + 1):
            outgoing, response = self._send(target)
            location = response.headers.get("Location", "")
            if response.status not in _REDIRECTS or not location or response.status in call.allow:
                return outgoing, response
            target = self._redirected(target, response.status, location)
        raise BadConfiguration(
            "{connection}: {method} {path} is redirected again and again.", setting="base_url", **self._where(call)
        )

    def _redirected(self, call: _Call, status: int, location: str) -> _Call:
        if status == 303 or (status in (301, 302) and call.method == "POST"):
            call = replace(call, method="GET", body=None)
        portable = call.read and call.body is None
        url, same = self._origins.redirect(call.url, location, portable=portable)
        if not same:
            kept = {name: value for name, value in call.headers.items() if name.lower() in _KEPT_ACROSS_ORIGINS}
            call = replace(call, headers=kept, authenticated=call.authenticated and self._origins.owns(url))
        return replace(call, url=url, params=())

    def _send(self, call: _Call) -> tuple[Outgoing, Response]:
        outgoing = Outgoing(call.method, call.url, list(call.params), dict(call.headers), call.body)
        if call.authenticated and self.auth is not None:
            self.auth.apply(outgoing, self)
        self.budget.take(call.weight)
        started = time.monotonic()
        try:
            answer = self._transport.send(prepared(outgoing))
        except Fault as fault:
            raise self._faulted(call, fault) from None
        except RetryLater as error:  # the name did not resolve
            raise self._again(call, error, processed=False) from None
        except (requests.RequestException, ValueError):
            raise BadConfiguration(
                "{connection}: no request can be made of {method} {path}.",
                remedy="Look for line breaks and invisible or foreign characters in the credentials and headers.",
                **self._where(call),
            ) from None
        except TooLarge:
            raise StreamBroken(
                "{connection}: the answer of {method} {path} is larger than {limit} MB.",
                limit=round(self._max_body / (1 << 20), 1),
                remedy="Ask for smaller pages.",
                **self._where(call),
            ) from None
        return outgoing, self._response(call, answer, time.monotonic() - started)

    def _response(self, call: _Call, answer: Answer, elapsed: float) -> Response:
        return Response(
            connection=self.connection,
            method=call.method,
            url=self.redactor.url(call.url),
            status=answer.status,
            headers=headers_of(answer.headers),
            body=answer.body,
            cookies=cookies_of(answer.set_cookies),
            elapsed=elapsed,
            redactor=self.redactor,
        )

    def _faulted(self, call: _Call, fault: Fault) -> Exception:
        where = self._where(call) | {"host": urlsplit(call.url).netloc}
        template, remedy = fault.wording
        if fault.untrusted:
            return BadConfiguration(template, setting="base_url", remedy=remedy, **where)
        return self._again(call, RetryLater(template, remedy=remedy, **where), processed=fault.sent)

    def _where(self, call: _Call) -> dict[str, str]:
        path = self.redactor.text(urlsplit(call.url).path)
        return {"connection": self.connection, "method": call.method, "path": path}
