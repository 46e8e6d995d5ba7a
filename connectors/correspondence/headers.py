"""Message headers as they really come: encoded words, raw 8-bit text of unknown character set, broken folding.

RFC 5322 (structure), 2047 (encoded words), 6532 (UTF-8 in headers), 3834 (automatic answers), 2919 (lists).
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import getaddresses

FIELDS = (
    "FROM", "TO", "CC", "REPLY-TO", "MESSAGE-ID", "CONTENT-TYPE", "RETURN-PATH", "LIST-ID", "LIST-POST",
    "LIST-UNSUBSCRIBE", "PRECEDENCE", "AUTO-SUBMITTED", "X-AUTOREPLY", "X-AUTO-RESPONSE-SUPPRESS",
)  # fmt: skip
MAX_RECIPIENTS = 100
"""Of a message to more than this many, only the sender counts: it is a circular."""
MAX_NAME = 200
MAX_ADDRESS = 254

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"(=\?[^?\s]+\?[bqBQ]\?[^?]*\?=)\s+(?==\?[^?\s]+\?[bqBQ]\?[^?]*\?=)")
_ADDRESS = re.compile(r"[^\s@<>(),;:\"\\\[\]]+@(?:[^\s@<>(),;:\"\\\[\].]+\.)+[^\s@<>(),;:\"\\\[\].]+")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_HANZI_IN_LATIN = re.compile(r"[A-Za-z][\u3400-\u9fff]|[\u3400-\u9fff][A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "hz": "hz", "iso8859-1": "cp1252", "ascii": "utf-8"}


@dataclass(frozen=True, slots=True)
class Person:
    """An address in small letters and the name that stood beside it."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Message:
    """Who took part in one message, and what kind of message it is. ``id`` is its Message-ID or empty."""

    id: str
    senders: tuple[Person, ...]
    recipients: tuple[Person, ...]
    automatic: bool
    listed: bool


def parse_message(block: bytes) -> Message:
    """The message of a header block. Raises ``ValueError`` when nobody can be made out to have sent or got it."""
    fields: dict[str, list[bytes]] = {}
    for name, value in split_fields(block):
        fields.setdefault(name, []).append(value)
    charset = _declared(fields.get("content-type", []))
    senders = _people(fields, ("from", "reply-to"), charset)
    recipients = _people(fields, ("to", "cc"), charset)
    if not senders and not recipients:
        raise ValueError("no address in From, To, Cc or Reply-To")
    return Message(
        id=_first(fields, "message-id")[:500],
        senders=senders,
        recipients=recipients if len(recipients) <= MAX_RECIPIENTS else (),
        automatic=_is_automatic(fields),
        listed=_is_listed(fields),
    )


def split_fields(block: bytes) -> Iterator[tuple[str, bytes]]:
    """Names in small letters and unfolded values; a line that is neither field nor continuation is skipped."""
    name, value = "", b""
    for line in block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and name:
            value += b" " + line.strip()
            continue
        if name:
            yield name, value
        head, colon, rest = line.partition(b":")
        name = head.strip().decode("ascii", "replace").lower() if colon and head.strip() else ""
        value = rest.strip()
    if name:
        yield name, value


def decode_raw(raw: bytes, charset: str = "") -> str:
    """Raw header bytes as text: UTF-8, else the message's declared character set, else Chinese or Western by looks."""
    for candidate in ("utf-8", charset or "utf-8"):
        with suppress(UnicodeError, LookupError):
            return raw.decode(candidate)
    try:
        chinese = raw.decode("gb18030")
    except UnicodeError:
        return raw.decode("cp1252", "replace")
    return raw.decode("cp1252", "replace") if _HANZI_IN_LATIN.search(chinese) else chinese


def decode_words(text: str) -> str:
    """Encoded words decoded; neighbours of one character set are joined first, for letters cut in two."""
    joined = _BETWEEN_WORDS.sub(r"\1", text)
    pieces: list[str] = []
    pending, pending_charset, end = b"", "", 0
    for found in _WORD.finditer(joined):
        charset, raw = found[1].partition("*")[0].lower(), _unpacked(found[2], found[3])
        if pending and (found.start() != end or charset != pending_charset):
            pieces.append(_decoded(pending, pending_charset))
            pending = b""
        pieces.append(joined[end : found.start()])
        pending, pending_charset, end = pending + raw, charset, found.end()
    if pending:
        pieces.append(_decoded(pending, pending_charset))
    return "".join(pieces) + joined[end:]


def clean_name(text: str, address: str) -> str:
    """A name fit to show: one line, no quotes around it; empty when it only repeats the address."""
    name = _CONTROL.sub(" ", decode_words(text))
    name = " ".join(name.split()).strip("'\"“”‘’ ")
    return "" if name.lower() == address or _ADDRESS.fullmatch(name) else name[:MAX_NAME].strip()


def fold_address(text: str) -> str:
    """The address in small letters with its domain in ASCII; empty if it is none."""
    address = decode_words(text).strip().strip("<>'\"").lower()
    if not _ADDRESS.fullmatch(address) or len(address) > MAX_ADDRESS or _CONTROL.search(address):
        return ""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}" if not domain.isascii() else address
    except UnicodeError:
        return ""


def _people(fields: dict[str, list[bytes]], names: tuple[str, ...], charset: str) -> tuple[Person, ...]:
    """The people in these fields, each address once with the first name it has."""
    people: dict[str, str] = {}
    for field in names:
        for name, written in getaddresses([decode_raw(raw, charset) for raw in fields.get(field, [])]):
            address = fold_address(written)
            if address:
                people[address] = people.get(address) or clean_name(name, address)
    return tuple(Person(address, name) for address, name in people.items())


def _is_automatic(fields: dict[str, list[bytes]]) -> bool:
    """Bounces, receipts and automatic answers."""
    submitted = _first(fields, "auto-submitted").partition(";")[0].strip().lower()
    return (
        (submitted not in ("", "no"))
        or _first(fields, "return-path") == "<>"
        or bool(fields.get("x-autoreply"))
        or _first(fields, "content-type").lower().startswith("multipart/report")
        or _first(fields, "precedence").lower() == "auto_reply"
    )


def _is_listed(fields: dict[str, list[bytes]]) -> bool:
    """Mailing lists, newsletters and other mail in bulk."""
    if any(fields.get(name) for name in ("list-id", "list-post", "list-unsubscribe")):
        return True
    return _first(fields, "precedence").lower() in ("bulk", "list", "junk")


def _first(fields: dict[str, list[bytes]], name: str) -> str:
    return decode_raw(fields[name][0]).strip() if fields.get(name) else ""


def _declared(content_types: list[bytes]) -> str:
    found = _CHARSET.search(content_types[0].decode("ascii", "replace")) if content_types else None
    return _codec(found[1]) if found else ""


def _codec(name: str) -> str:
    """The codec for a declared character set, the wider one where a narrower is usually meant; empty if unknown."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return _WIDER.get(known, known)


def _decoded(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(_codec(charset) or "utf-8")
    except (UnicodeError, LookupError):
        return decode_raw(raw)


def _unpacked(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return quopri.decodestring(raw, header=True)
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        return raw
