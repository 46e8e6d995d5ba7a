"""A small read-only IMAP4rev1 server (RFC 3501) for the example mailbox: enough for clients that read headers.

It speaks CAPABILITY, ID, NOOP, LOGIN, LIST, STATUS, SELECT, EXAMINE, (UID) SEARCH, (UID) FETCH, CLOSE and LOGOUT, on
loopback and without TLS. Nothing can be changed through it; for a full server use Dovecot.
"""

from __future__ import annotations

import hmac
import re
import socketserver
from pathlib import Path

from examples.nanyang.imap_search import search, wanted, words
from examples.nanyang.mailbox_store import UIDVALIDITY, Message, Store

USER = "sales@nanyang.example"
PASSWORD = "nanyang-demo-password"
CAPABILITIES = "IMAP4rev1 ID UNSELECT"
LONGEST_LINE = 65_536
_ITEM = re.compile(r"BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?|[A-Z0-9.]+", re.IGNORECASE)


class ImapServer(socketserver.ThreadingTCPServer):
    """The server on loopback."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.store = Store(folder)
        super().__init__(("127.0.0.1", port), _Session)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: ImapServer

    def setup(self) -> None:
        super().setup()
        self.signed_in = False
        self.selected: list[Message] | None = None

    def handle(self) -> None:
        """Answer commands until the client leaves."""
        self._send(f"* OK [CAPABILITY {CAPABILITIES}] Nanyang example mailbox")
        while line := self._command():
            tag, _, rest = line.partition(b" ")
            name, _, arguments = rest.strip().partition(b" ")
            label, verb = tag.decode("latin-1"), name.decode("latin-1").upper()
            if verb == "LOGOUT":
                self._send("* BYE", f"{label} OK LOGOUT")
                return
            self._send(f"{label} {self._perform(verb, arguments)}")

    def _perform(self, verb: str, arguments: bytes) -> str:
        """Do a command; its untagged answers are sent, the tagged one is returned."""
        uid = verb == "UID"
        if uid:
            name, _, arguments = arguments.partition(b" ")
            verb = name.decode("latin-1").upper()
        if verb in ("CAPABILITY", "NOOP", "ID", "LOGIN"):
            return self._anytime(verb, arguments)
        if not self.signed_in:
            return "NO sign in first"
        if verb in ("LIST", "LSUB", "STATUS", "SELECT", "EXAMINE", "CLOSE", "UNSELECT", "CHECK"):
            return self._mailboxes(verb, arguments)
        if verb in ("SEARCH", "FETCH") and self.selected is not None:
            return self._search(arguments, uid) if verb == "SEARCH" else self._fetch(arguments, uid)
        return "BAD unknown command, or no mailbox is selected"

    def _anytime(self, verb: str, arguments: bytes) -> str:
        if verb == "CAPABILITY":
            self._send(f"* CAPABILITY {CAPABILITIES}")
        elif verb == "ID":
            self._send('* ID ("name" "nanyang-example")')
        elif verb == "LOGIN":
            given = b"\0".join(words(arguments))
            if not hmac.compare_digest(given, f"{USER}\0{PASSWORD}".encode()):
                return "NO [AUTHENTICATIONFAILED] wrong user or password"
            self.signed_in = True
        return f"OK {verb}"

    def _mailboxes(self, verb: str, arguments: bytes) -> str:
        given = [word.decode("utf-8", "replace") for word in words(arguments)]
        if verb in ("LIST", "LSUB"):
            for name in self.server.store.names():
                mark = "\\Sent" if name == "Sent" else "\\HasNoChildren"
                self._send(f'* {verb} ({mark}) "/" "{name}"')
        elif verb in ("CLOSE", "UNSELECT", "CHECK"):
            self.selected = self.selected if verb == "CHECK" else None
        elif not given or (found := self.server.store.messages(given[0])) is None:
            return "NO [NONEXISTENT] there is no such mailbox"
        elif verb == "STATUS":
            state = f"MESSAGES {len(found)} UIDNEXT {_next(found)} UIDVALIDITY {UIDVALIDITY} UNSEEN 0"
            self._send(f'* STATUS "{given[0]}" ({state})')
        else:
            self._select(found)
            return f"OK [READ-ONLY] {verb}"
        return f"OK {verb}"

    def _select(self, found: list[Message]) -> None:
        self.selected = found
        self._send(
            "* FLAGS (\\Seen)", f"* {len(found)} EXISTS", "* 0 RECENT", f"* OK [UIDVALIDITY {UIDVALIDITY}] valid",
            f"* OK [UIDNEXT {_next(found)}] next", "* OK [PERMANENTFLAGS ()] read only", "* OK [NOMODSEQ] none",
        )  # fmt: skip

    def _search(self, arguments: bytes, uid: bool) -> str:
        try:
            found = search(arguments, self.selected or [])
        except ValueError as error:
            return f"BAD {error}"
        self._send("* SEARCH" + "".join(f" {m.uid if uid else n}" for n, m in found))
        return "OK SEARCH"

    def _fetch(self, arguments: bytes, uid: bool) -> str:
        given = list(words(arguments))
        if len(given) < 2:
            return "BAD what is to be fetched?"
        numbered = list(enumerate(self.selected or [], 1))
        chosen = wanted(given[0].decode("latin-1"), [m.uid if uid else n for n, m in numbered])
        items = list(_ITEM.finditer(given[1].decode("latin-1")))
        for number, message in numbered:
            if (message.uid if uid else number) in chosen:
                parts = [part for item in items for part in _item(message, item)]
                if uid and not any(item.group().upper() == "UID" for item in items):
                    parts.insert(0, f"UID {message.uid}".encode())
                self.wfile.write(f"* {number} FETCH (".encode() + b" ".join(parts) + b")\r\n")
        return "OK FETCH"

    def _command(self) -> bytes:
        """The next command, its literals (``{12}``) put in as quoted strings; empty at the end."""
        line = self.rfile.readline(LONGEST_LINE)
        while match := re.search(rb"\{(\d+)(\+?)\}\r?\n$", line):
            if not match[2]:
                self._send("+ go on")
            literal = self.rfile.read(min(int(match[1]), LONGEST_LINE))
            quoted = b'"' + literal.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
            line = line[: match.start()] + quoted + self.rfile.readline(LONGEST_LINE)
        return line.strip(b"\r\n")

    def _send(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


def _item(message: Message, item: re.Match[str]) -> list[bytes]:
    """One fetched item with its name."""
    name, section = item.group().upper(), (item.group(1) or "").upper()
    if name.startswith("BODY") and "[" in name:
        data, start, length = _section(message, section), item.group(2), item.group(3)
        if start is None:
            return [_literal(f"BODY[{item.group(1)}]", data)]
        return [_literal(f"BODY[{item.group(1)}]<{start}>", data[int(start) : int(start) + int(length)])]
    if name == "RFC822.HEADER":
        return [_literal(name, message.header)]
    values = {
        "UID": str(message.uid),
        "FLAGS": "(\\Seen)",
        "RFC822.SIZE": str(len(message.data)),
        "INTERNALDATE": f'"{message.date:%d-%b-%Y %H:%M:%S %z}"',
    }
    return [f"{name} {values[name]}".encode()] if name in values else []


def _section(message: Message, section: str) -> bytes:
    if section.startswith("HEADER.FIELDS"):
        return message.fields(set(section.partition("(")[2].rstrip(")").split()))
    if section == "HEADER":
        return message.header
    return message.data if section == "" else message.data[len(message.header) :]


def _literal(name: str, data: bytes) -> bytes:
    return f"{name} {{{len(data)}}}\r\n".encode() + data


def _next(found: list[Message]) -> int:
    return max((message.uid for message in found), default=0) + 1
