"""Folders of message files as an IMAP server shows them: the file's number is the UID."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path

UIDVALIDITY = 20_260_331


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a folder."""

    uid: int
    data: bytes

    @property
    def header(self) -> bytes:
        """The header with the empty line that ends it."""
        head, blank, _ = self.data.partition(b"\r\n\r\n")
        return head + blank

    def fields(self, names: set[str]) -> bytes:
        """Only these header fields, with their continuation lines and the empty line."""
        kept: list[bytes] = []
        keeping = False
        for line in self.header.split(b"\r\n"):
            if line[:1] not in (b" ", b"\t"):
                keeping = line.partition(b":")[0].decode("latin-1").upper() in names
            if keeping:
                kept.append(line)
        return b"".join(line + b"\r\n" for line in kept) + b"\r\n"

    @property
    def date(self) -> datetime:
        """When it came: its own date, or a fixed one."""
        value = BytesHeaderParser().parsebytes(self.header)["Date"]
        try:
            return parsedate_to_datetime(str(value))
        except (TypeError, ValueError):
            return datetime(2026, 1, 1, tzinfo=UTC)


class Store:
    """The folders below one folder. Files that are added later are seen at the next SELECT."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The folders' names."""
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir())

    def messages(self, name: str) -> list[Message] | None:
        """The messages of a folder by UID; None if there is none of that name."""
        match = next((one for one in self.names() if one == name or (one == "INBOX" and name.upper() == "INBOX")), None)
        if match is None:
            return None
        files = sorted((self._folder / match).glob("[0-9]*.eml"), key=lambda path: int(path.stem))
        return [Message(int(path.stem), path.read_bytes()) for path in files]
