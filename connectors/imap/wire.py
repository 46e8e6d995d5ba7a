"""What imaplib answers, taken apart: FETCH answers with one header each, STATUS and SEARCH answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Line = bytes | tuple[bytes, bytes] | None

_START = re.compile(rb"^\d+ \(")
_UID = re.compile(rb"\bUID (\d+)")
_DATE = re.compile(rb'INTERNALDATE "([^"]+)"')
_DAY = re.compile(rb"(?P<day>\d{1,2})-(?P<month>[A-Za-z]{3})-(?P<year>\d{4}) (?P<rest>[\d:]{8} [+-]\d{4})")
MONTHS = [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"]
"""English, whatever the locale of the process is."""
_QUOTED_HEADER = re.compile(rb'BODY\[[^\]]*\](?:<\d+>)? "((?:[^"\\]|\\.)*)"')
_STATUS = re.compile(rb"(MESSAGES|UIDNEXT|UIDVALIDITY) (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message of a FETCH answer: its UID, when it arrived (UTC, if told), and its header block."""

    uid: int
    arrived: datetime | None
    header: bytes


@dataclass(frozen=True, slots=True)
class FolderState:
    """How a folder stands: how many messages, the UID the next one gets, and which numbering that is."""

    messages: int
    next_uid: int
    validity: int


def parse_fetch(lines: Iterable[Line]) -> Iterator[Fetched]:
    """The messages of a FETCH answer. Unsolicited lines (flags, other messages without a header) are left out."""
    text, header = b"", None
    for line in lines:
        head, literal = line if isinstance(line, tuple) else (line, None)
        if head is None:
            continue
        if _START.match(head):
            yield from _message(text, header)
            text, header = b"", None
        text += head
        header = literal if literal is not None else header
    yield from _message(text, header)


def parse_status(lines: Iterable[Line]) -> FolderState | None:
    """The state in a STATUS answer, None when it is not complete."""
    text = b" ".join(b"".join(line) if isinstance(line, tuple) else line or b"" for line in lines)
    found = {name.upper(): int(value) for name, value in _STATUS.findall(text.rpartition(b"(")[2])}
    try:
        return FolderState(found[b"MESSAGES"], found[b"UIDNEXT"], found[b"UIDVALIDITY"])
    except KeyError:
        return None


def parse_search(lines: Iterable[Line]) -> list[int]:
    """The numbers of a SEARCH answer, ascending."""
    words = (word for line in lines if isinstance(line, bytes) for word in line.split())
    return sorted({int(word) for word in words if word.isdigit()})


def parse_uids(lines: Iterable[Line]) -> list[int]:
    """The UIDs of a FETCH answer without headers, ascending."""
    text = b" ".join(line for line in lines if isinstance(line, bytes))
    return sorted({int(found) for found in _UID.findall(text)})


def compressed(numbers: Sequence[int]) -> str:
    """Ascending numbers as an IMAP set: ``1:3,7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in parts)


def internal_date(text: bytes) -> datetime | None:
    """An INTERNALDATE such as ``" 2-Jan-2026 03:04:05 +0800"`` in UTC, None if it is none."""
    found = _DAY.fullmatch(text.strip())
    if found is None or found["month"].title() not in MONTHS:
        return None
    month, clock = MONTHS.index(found["month"].title()) + 1, found["rest"].replace(b" ", b"").decode()
    try:
        return datetime.fromisoformat(f"{int(found['year']):04}-{month:02}-{int(found['day']):02}T{clock}").astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        return None


def _message(text: bytes, header: bytes | None) -> Iterator[Fetched]:
    if header is None:
        inline = _QUOTED_HEADER.search(text)
        header = re.sub(rb"\\(.)", rb"\1", inline[1]) if inline else None
        text = _QUOTED_HEADER.sub(b"", text)
    uid, date = _UID.search(text), _DATE.search(text)
    if uid is not None and header is not None:
        yield Fetched(int(uid[1]), internal_date(date[1]) if date else None, header)
