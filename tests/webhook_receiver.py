"""A receiver of webhooks as a process of its own, which fails, hangs and lies as it is told.

``python -m tests.webhook_receiver PORT LOG``. What it accepted is appended to LOG, one JSON object a line, before it
answers. ``POST /told`` with JSON sets how it behaves: ``{"default": "ok", "C0…": "fail"}``, by customer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.processes import free_port

ROOT = Path(__file__).parent.parent
_writing = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour: dict[str, str] = {"default": "ok"}  # noqa: RUF012 - one receiver a process
    log: Path
    seen = 0

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = json.loads(body)
        if self.path == "/told":
            type(self).behaviour = {"default": "ok", **told}
            self._answer(200)
            return
        customer = told["data"].get("customer", "")
        act = self.behaviour.get(customer, self.behaviour["default"])
        self._note(act, body)
        getattr(self, f"_{act}")()

    def _note(self, act: str, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        line = json.dumps({"act": act, "headers": headers, "body": body.decode(), "at": time.time()})
        with _writing, self.log.open("a") as file:
            file.write(line + "\n")

    def _ok(self) -> None:
        self._answer(200, b"thanks")

    def _fail(self) -> None:
        self._answer(500, b'{"token": "canary-9a7f", "mail": "zhang@example.com"}')

    def _busy(self) -> None:
        self._answer(503, retry=1)

    def _hang(self) -> None:
        time.sleep(30)

    def _lie(self) -> None:
        """Says 200 and a length, then closes."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"ok so far")
        self.close_connection = True

    def _flood(self) -> None:
        self._answer(200, b"x" * 1_000_000)

    def _redirect(self) -> None:
        self.send_response(307)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _gone(self) -> None:
        self._answer(410)

    def _answer(self, status: int, body: bytes = b"", retry: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if retry is not None:
            self.send_header("Retry-After", str(retry))
        self.end_headers()
        self.wfile.write(body)


class Receiver:
    """The other end of the process."""

    def __init__(self, port: int, log: Path) -> None:
        self.url, self._log = f"http://127.0.0.1:{port}/hook", log

    def told(self, **behaviour: str) -> None:
        """How it behaves from now on, by customer; ``default`` for all others."""
        requests.post(self.url.replace("/hook", "/told"), json=behaviour, timeout=5).raise_for_status()

    def seen(self, act: str | None = None) -> list[dict[str, Any]]:
        """What came, in order; only what it answered in one way if that is named."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        found = [json.loads(line) for line in lines]
        return [one for one in found if act in (None, one["act"])]

    def accepted(self) -> list[dict[str, Any]]:
        """The bodies it has accepted, with their ids."""
        return [{**json.loads(one["body"]), "id": one["headers"]["webhook-id"]} for one in self.seen("ok")]


@contextmanager
def receiver(folder: Path) -> Iterator[Receiver]:
    """A running receiver."""
    port, log = free_port(), folder / "received.log"
    command = [sys.executable, "-m", "tests.webhook_receiver", str(port), str(log)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield Receiver(port, log)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    _Handler.log = Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler)
    print("ready", flush=True)
    server.serve_forever()
