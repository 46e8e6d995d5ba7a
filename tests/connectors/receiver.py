"""A place that real systems send their webhooks to: keeps each call as the service would hand it to a connector."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.contract import Inbound


class Receiver:
    """Listens on a free loopback port from the beginning on."""

    def __init__(self) -> None:
        self._calls: Queue[Inbound] = Queue()
        handler = type("Handler", (_Handler,), {"calls": self._calls})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/api/hooks/vendor"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def next(self, seconds: float = 15.0) -> Inbound:
        """The oldest call that nobody has taken; raises ``queue.Empty`` if none comes."""
        return self._calls.get(timeout=seconds)

    def forget(self) -> None:
        """Drop what has come."""
        while not self._calls.empty():
            self._calls.get()

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    calls: Queue[Inbound]

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.calls.put(Inbound("POST", url.path, dict(self.headers), dict(parse_qsl(url.query)), body))
        self.send_response_only(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
