"""Real servers that misbehave on purpose: an HTTP server that is told what to answer, and a TCP proxy that breaks.

``FaultServer`` answers each path by an ``Answer`` function, or by a list of them, one per call (the last one repeats).
Every call is recorded with the time it arrived. ``FaultProxy`` stands between a client and any TCP server (PostgreSQL,
Valkey, HTTP) and can be told to delay, cut, throttle or refuse.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived. ``target`` is path and query as sent, ``at`` monotonic, ``wall`` epoch seconds."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""
    at: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)


Answer = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request being answered. Answers use ``reply`` or write to ``raw`` themselves."""

    protocol_version = "HTTP/1.1"
    call: Call

    def reply(
        self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None, length: bool = True
    ) -> None:
        """A whole answer."""
        self.start(status, {"Content-Type": "application/json"} | dict(headers or {}), len(body) if length else None)
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def start(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """Status and headers; without a length the connection's end is the body's end."""
        self.send_response(status)
        for name, value in headers.items():
            for one in value.split("\n"):
                self.send_header(name, one)
        if length is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        with contextlib.suppress(OSError):
            self.end_headers()

    def drop(self, *, reset: bool = False) -> None:
        """End the connection here and now; ``reset`` sends RST instead of FIN."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())  # close() would wait for the handler's files
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

    def version_string(self) -> str:
        return "faults"

    def log_message(self, *args: Any) -> None:
        """Be quiet."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        self.call = Call(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            dict(self.headers.items()),
            self.rfile.read(length),
            self.path,
        )
        owner = self.server.owner  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            owner.answer(self.call)(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle


class FaultServer:
    """A threaded server on loopback. ``tls`` makes it an HTTPS server."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self._routes: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Exchange)
        self._server.owner = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def on(self, path: str, *answers: Answer) -> None:
        """Answer calls of this path one after the other; the last answer repeats."""
        self._routes[path] = list(answers)

    def answer(self, call: Call) -> Answer:
        """The next answer for this call."""
        with self._lock:
            self.calls.append(call)
            waiting = self._routes.get(call.path)
            if not waiting:
                return status(404)
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def times(self, path: str | None = None) -> list[float]:
        """When each call arrived (monotonic seconds)."""
        return [c.at for c in self.calls if path is None or c.path == path]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    owner: FaultServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are the point of the exercise."""


def ok(value: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer with status 200."""
    return lambda x: x.reply(json.dumps({} if value is None else value).encode(), 200, headers)


def raw(body: bytes, content_type: str = "application/json", *, length: bool = True) -> Answer:
    """These very bytes."""
    return lambda x: x.reply(body, 200, {"Content-Type": content_type}, length)


def status(code: int, value: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with this status."""
    return lambda x: x.reply(json.dumps(value).encode() if value is not None else b"", code, headers)


def html(code: int = 200, text: str = "Please log in") -> Answer:
    """A web page where data should be."""
    page = f"<!doctype html><html><body>{text}</body></html>".encode()
    return lambda x: x.reply(page, code, {"Content-Type": "text/html; charset=utf-8"})


def slow(seconds: float, then: Answer) -> Answer:
    """Latency before the answer."""

    def answer(exchange: Exchange) -> None:
        time.sleep(seconds)
        then(exchange)

    return answer


def reset() -> Answer:
    """TCP reset instead of an answer."""
    return lambda x: x.drop(reset=True)


def hang_up() -> Answer:
    """The connection ends without an answer."""
    return lambda x: x.drop()


def truncated(value: Any, keep: float = 0.5, *, told: bool = True) -> Answer:
    """JSON cut short: against its own Content-Length (``told``), or with the connection's end as the only sign."""

    def answer(exchange: Exchange) -> None:
        body = json.dumps(value).encode()
        exchange.start(200, {"Content-Type": "application/json"}, len(body) if told else None)
        exchange.wfile.write(body[: int(len(body) * keep)])
        exchange.drop()

    return answer


def broken_chunks(value: Any) -> Answer:
    """A chunked body that stops inside a chunk."""

    def answer(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Transfer-Encoding", "chunked")
        exchange.end_headers()
        body = json.dumps(value).encode()
        exchange.wfile.write(f"{len(body):x}\r\n".encode() + body[:-3])
        exchange.drop()

    return answer


def drip(body: bytes, pause: float, *, headers: bool = False) -> Answer:
    """Slow loris: the body (or, with ``headers``, already the header) comes byte by byte."""

    def answer(exchange: Exchange) -> None:
        exchange.close_connection = True
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        with contextlib.suppress(OSError):
            if not headers:
                exchange.wfile.write(head)
            for byte in (head if headers else b"") + body:
                exchange.wfile.write(bytes([byte]))
                exchange.wfile.flush()
                time.sleep(pause)

    return answer


def gzip_bomb(size: int) -> Answer:
    """``size`` blanks, compressed about a thousand times."""
    squeezed = gzip.compress(b" " * size, 9)
    return lambda x: x.reply(squeezed, 200, {"Content-Encoding": "gzip"})


def gzipped(value: Any) -> Answer:
    """A JSON answer, compressed as usual."""
    return lambda x: x.reply(gzip.compress(json.dumps(value).encode()), 200, {"Content-Encoding": "gzip"})


def endless(size: int = 1 << 40) -> Answer:
    """A body that never ends."""

    def answer(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Type": "application/json"}, None)
        with contextlib.suppress(OSError):
            for _ in range(size // 65536):
                exchange.wfile.write(b"[" + b" " * 65535)

    return answer


def too_many(retry_after: str | None, headers: Mapping[str, str] | None = None) -> Answer:
    """429, with this ``Retry-After`` or none."""
    return status(
        429, {"error": "slow down"}, ({} if retry_after is None else {"Retry-After": retry_after}) | dict(headers or {})
    )


def redirect(to: str, code: int = 302) -> Answer:
    """Somewhere else."""
    return lambda x: x.reply(b"", code, {"Location": to})


class FaultProxy:
    """A TCP proxy on loopback. Change the attributes at any time; they hold for the next bytes or connections.

    ``latency`` seconds are waited before bytes are passed on; ``refuse`` closes new connections at once (as RST);
    ``cut_after`` bytes from the server the connection is cut (RST with ``cut_by_reset``); ``rate`` bytes a second.
    """

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self.latency, self.rate = 0.0, 0.0
        self.refuse, self.cut_by_reset = False, True
        self.cut_after: int | None = None
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """Cut all connections now."""
        for sock in list(self._open):
            _end(sock, reset=self.cut_by_reset)

    def close(self) -> None:
        """Stop listening and cut everything."""
        _end(self._listener, reset=False)
        self.cut()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                _end(client, reset=True)
                continue
            try:
                server = socket.create_connection(self.upstream, 5)
            except OSError:
                _end(client, reset=True)
                continue
            server.settimeout(None)
            self.connections += 1
            self._open |= {client, server}
            for source, target, back in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, target, back), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        passed = 0
        reset = False
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.latency:
                    time.sleep(self.latency)
                if back and self.cut_after is not None and passed + len(data) > self.cut_after:
                    target.sendall(data[: max(0, self.cut_after - passed)])
                    reset = self.cut_by_reset
                    break
                target.sendall(data)
                passed += len(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
        for sock in (source, target):
            _end(sock, reset=reset)
            self._open.discard(sock)


def _end(sock: socket.socket, *, reset: bool) -> None:
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # wakes a thread that is reading; shutting down the write side as well would send FIN before the RST
        sock.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()


class Resolver:
    """A name service of the test's own: each name gives its addresses, one list per question (the last repeats)."""

    def __init__(self, **names: Sequence[Sequence[str]]) -> None:
        self._names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *args: Any) -> list[tuple[Any, ...]]:
        """As ``socket.getaddrinfo``."""
        self.asked.append(host)
        answers = self._names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_info(address, port) for address in addresses]


def _info(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))


@contextlib.contextmanager
def fault_server(tls: ssl.SSLContext | None = None) -> Iterator[FaultServer]:
    """A server for the length of a block."""
    with FaultServer(tls) as server:
        yield server
