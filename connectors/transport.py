"""The wire below the client: one request, one answer, through the address guard, under a deadline and a size cap.

``requests`` reads a redirect's body without limit and knows no deadline for the whole call, so its session is left
out and its adapter is used: it brings pooling, TLS and encoding. What is added here:

- connections are dialled by the address guard, to an address it has checked (the TLS name stays the host's name);
- every single read from the socket is bounded by the call's deadline, headers included (slow loris);
- the body is counted after decompression while it streams (gzip bomb).
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
import time
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from connectors.guard import AddressGuard
from connectors.wording import Wording

logging.getLogger("urllib3").setLevel(logging.ERROR)  # below that it logs URLs, secrets included

CHUNK = 256 * 1024
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@dataclass(slots=True)
class Answer:
    """Status, headers (multiple values joined by a comma), ``Set-Cookie`` lines and the decompressed body."""

    status: int
    headers: dict[str, str]
    set_cookies: list[str]
    body: bytes


class TooLarge(Exception):
    """The body is larger than the cap."""


class Fault(Exception):
    """The network failed. ``sent`` tells whether the request may have reached the server.

    ``wording`` has the places connection, method, path and host.
    """

    def __init__(self, wording: Wording, *, sent: bool, untrusted: bool = False) -> None:
        super().__init__(wording.template)
        self.wording, self.sent, self.untrusted = wording, sent, untrusted


_UNTRUSTED = Wording(
    "{connection}: the certificate of {host} is not trusted or is not for this name.",
    remedy="Check the address; for a certificate of your own authority set `ca_bundle`.",
)
_LATE = Wording("{connection}: {method} {path} on {host} failed: it took longer than the deadline.")
_SILENT = Wording("{connection}: {method} {path} on {host} failed: no answer in time.")
_UNREACHABLE = Wording(
    "{connection}: {method} {path} on {host} failed: no connection in time.",
    remedy="It is tried again by itself. If it persists, check the address, and whether a firewall is in the way.",
)
_REFUSED = Wording(
    "{connection}: {method} {path} on {host} failed: no connection.",
    remedy="It is tried again by itself. If it persists, check the address, and whether a firewall is in the way.",
)
_BROKEN = Wording("{connection}: {method} {path} on {host} failed: the connection broke off.")


class Transport:
    """Sends prepared requests. Thread-safe; keeps up to ``pool`` connections per host open."""

    def __init__(
        self,
        guard: AddressGuard,
        *,
        timeout: tuple[float, float] = (10, 60),
        deadline: float = 300.0,
        max_body: int = 64 << 20,
        ca_bundle: Path | None = None,
        pool: int = 8,
    ) -> None:
        self._timeout, self._total, self._max_body = timeout, deadline, max_body
        self._verify: bool | str = str(ca_bundle) if ca_bundle else True
        self._adapter = _GuardedAdapter(guard, pool)

    def send(self, request: requests.PreparedRequest) -> Answer:
        """One exchange, no redirects followed. Raises ``Fault``, ``TooLarge`` or the guard's errors."""
        connect, read = self._timeout
        end = time.monotonic() + self._total
        token = _deadline.set(end)
        raw = None
        try:
            timeout: Any = Timeout(connect=connect, read=read, total=self._total)
            raw = self._adapter.send(request, stream=True, timeout=timeout, verify=self._verify).raw
            return _answer(raw, self._max_body)
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError) as error:
            _drop(raw)
            fault = _fault(error, late=time.monotonic() >= end)
        except BaseException:
            _drop(raw)
            raise
        finally:
            _deadline.reset(token)
        raise fault  # outside of the handler: the errors of requests hold whole URLs, secrets included

    def close(self) -> None:
        """Close all kept connections."""
        self._adapter.close()


def _answer(raw: Any, max_body: int) -> Answer:
    body = _body(raw, max_body)
    raw.release_conn()
    return Answer(raw.status, dict(raw.headers.items()), raw.headers.getlist("Set-Cookie"), body)


def _body(raw: Any, max_body: int) -> bytes:
    length, encoded = raw.headers.get("Content-Length", ""), raw.headers.get("Content-Encoding")
    if length.isascii() and length.isdigit() and len(length) < 20:
        if int(length) > max_body:
            raise TooLarge
        if not encoded:
            return bytes(raw.read(decode_content=False))  # one read, no copies: the length is known and allowed
    chunks: list[bytes] = []
    left = max_body
    while chunk := raw.read(CHUNK, decode_content=True):
        left -= len(chunk)
        if left < 0:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _drop(raw: Any) -> None:
    """Close the connection of a half-read answer: what is still in it must not meet the next request."""
    if raw is not None:
        raw.close()


def _is_time_out(cause: BaseException) -> bool:
    if isinstance(cause, NewConnectionError):  # urllib3 derives it from its time-out, though it is a refusal
        return False
    return isinstance(cause, TimeoutError | requests.Timeout | ConnectTimeoutError)


def _fault(error: Exception, *, late: bool) -> Fault:
    causes = list(_causes(error))
    if any(isinstance(c, ssl.SSLCertVerificationError) for c in causes):
        return Fault(_UNTRUSTED, sent=False, untrusted=True)
    sent = not any(isinstance(c, (NewConnectionError, ConnectTimeoutError)) for c in causes)
    if late:
        return Fault(_LATE, sent=sent)
    if any(_is_time_out(cause) for cause in causes):
        return Fault(_SILENT if sent else _UNREACHABLE, sent=sent)
    return Fault(_BROKEN if sent else _REFUSED, sent=sent)


def _causes(error: BaseException | None) -> Any:
    """The error, what it wraps and what caused it, to any depth (urllib3 and requests nest them in all three ways)."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


class _GuardedAdapter(HTTPAdapter):
    """An adapter whose pools dial through the guard."""

    def __init__(self, guard: AddressGuard, pool: int) -> None:
        self._guard = guard
        super().__init__(pool_connections=4, pool_maxsize=pool, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_HttpPool, guard=self._guard),
            "https": partial(_HttpsPool, guard=self._guard),
        }


class _TimedReader(io.RawIOBase):
    """Reads from a socket, giving each read only what is left until the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, end: float) -> None:
        self._raw, self._sock, self._end = raw, sock, end
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the call has passed")
        self._sock.settimeout(left if self._patience is None else min(left, self._patience))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose status line, headers and body are all read under the deadline of the call."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_TimedReader(raw, sock, _deadline.get()), 64 * 1024)


class _GuardedConnection(HTTPConnection):
    """Dials what the guard has checked. ``host`` stays the name, so that TLS and the Host header use it."""

    response_class = _TimedResponse

    def __init__(self, *args: Any, guard: AddressGuard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else None
        try:
            return self._guard.dial(self._dns_host, self.port, timeout, self.socket_options or ())
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


class _GuardedTlsConnection(_GuardedConnection, HTTPSConnection):
    """The same over TLS."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _GuardedConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTlsConnection
