"""A mail server that says what providers say and Dovecot does not: refusals, demands, and unusual greetings."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Mapping
from typing import Any

Said = str | Callable[[str], str]


class ScriptedServer:
    """Answers commands by their first word from a table; ``{tag}`` is the command's. All else succeeds.

    ``greeting`` comes first; the server hangs up after a greeting that begins with ``* BYE``.
    """

    def __init__(self, script: Mapping[str, str], *, greeting: str = "* OK ready", capabilities: str = "") -> None:
        self.script, self.greeting = dict(script), greeting
        self.capabilities = f"IMAP4rev1 {capabilities}".strip()
        self.heard: list[str] = []
        handler = type("Handler", (_Handler,), {"script": self})
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.port = self._server.server_address[1]

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, tag: str, command: str) -> str:
        """What is said to a command, whole lines."""
        word = command.split(" ")[0].upper()
        if word in self.script:
            return self.script[word].format(tag=tag)
        if word == "CAPABILITY":
            return f"* CAPABILITY {self.capabilities}\r\n{tag} OK done"
        if word == "LIST":
            return f'* LIST (\\HasNoChildren) "/" "INBOX"\r\n{tag} OK done'
        if word == "STATUS":
            return f'* STATUS "INBOX" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)\r\n{tag} OK done'
        if word == "LOGOUT":
            return f"* BYE bye\r\n{tag} OK done"
        return f"{tag} OK done"


class _Handler(socketserver.StreamRequestHandler):
    script: ScriptedServer

    def handle(self) -> None:
        self._say(self.script.greeting)
        if self.script.greeting.startswith("* BYE"):
            return
        for line in self.rfile:
            tag, _, command = line.decode("utf-8", "replace").strip().partition(" ")
            self.script.heard.append(command)
            try:
                self._converse(tag, command)
            except OSError:
                return

    def _converse(self, tag: str, command: str) -> None:
        if command.upper().startswith("AUTHENTICATE"):
            self._say("+ ")
            self.script.heard.append(self.rfile.readline().decode().strip())
            if "CHALLENGE" in self.script.script:
                self._say("+ " + self.script.script["CHALLENGE"])
                self.script.heard.append(self.rfile.readline().decode().strip())
        self._say(self.script.answer(tag, command))

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
        self.wfile.flush()


def settings(server: ScriptedServer, **more: Any) -> dict[str, Any]:
    """Settings of a mailbox on this server."""
    return {"host": "127.0.0.1", "port": server.port, "security": "none", "user": "ann@x.example",
            "password": "secret-4711", **more}  # fmt: skip
