"""Folders: their names in modified UTF-7 (RFC 3501, 5.1.3), their uses (RFC 6154), and which of them are read."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LIST = re.compile(rb'^\((?P<flags>[^)]*)\) (?:NIL|"(?:[^"\\]|\\.)*") (?P<name>.*)$', re.DOTALL)
_ENCODED = re.compile(r"&([^-]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
LEFT_OUT = frozenset(
    {"\\junk", "\\trash", "\\drafts", "\\noselect", "\\nonexistent", "\\all", "\\flagged", "\\important"}
)
"""Folders that are not read by default. Views of other folders (flagged, important) would only repeat messages."""
USUAL_NAMES = {
    "\\junk": {"junk", "junk e-mail", "spam", "垃圾邮件", "垃圾箱"},
    "\\trash": {"trash", "deleted items", "deleted messages", "已删除", "已删除邮件", "废件箱"},
    "\\drafts": {"drafts", "草稿", "草稿箱", "草稿夹"},
}
"""Names by which such folders go on servers that do not tell their use."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: its name as people read it, as the server wants it, and its flags in small letters."""

    name: str
    wire: str
    flags: frozenset[str]


def parse_list(lines: Iterable[bytes | tuple[bytes, bytes] | None]) -> list[Folder]:
    """The folders of a LIST answer; lines that are none are skipped."""
    folders = []
    for line in lines:
        head, literal = line if isinstance(line, tuple) else (line, None)
        found = _LIST.match(head) if head else None
        if found is None:
            continue
        wire = _name(found["name"] if literal is None else literal, quoted=literal is None)
        flags = frozenset(flag.lower() for flag in found["flags"].decode("ascii", "replace").split())
        folders.append(Folder(decode_name(wire), wire, flags))
    return folders


def chosen(folders: Sequence[Folder], wanted: Sequence[str]) -> tuple[list[Folder], list[str]]:
    """The folders to read, sorted by name, and which of the wanted ones are not there.

    Where a server has one folder with all mail (Gmail), it alone is read: other folders are views of it.
    """
    selectable = [folder for folder in folders if not folder.flags & {"\\noselect", "\\nonexistent"}]
    if wanted:
        found = {want: [folder for folder in selectable if _is(folder, want)] for want in wanted}
        picked = {folder.wire: folder for matching in found.values() for folder in matching}
        return sorted(picked.values(), key=_by_name), [want for want in wanted if not found[want]]
    everything = [folder for folder in selectable if "\\all" in folder.flags]
    usual = [folder for folder in selectable if not (folder.flags | _usual_flags(folder.name)) & LEFT_OUT]
    return sorted(everything or usual, key=_by_name), []


def decode_name(wire: str) -> str:
    """A name out of modified UTF-7; what is not well-formed is kept as it is."""

    def decode(found: re.Match[str]) -> str:
        if not found[1]:
            return "&"
        padded = found[1].replace(",", "/") + "=" * (-len(found[1]) % 4)
        try:
            return base64.b64decode(padded, validate=True).decode("utf-16-be")
        except (ValueError, UnicodeError):
            return found[0]

    return _ENCODED.sub(decode, wire)


def encode_name(name: str) -> str:
    """A name in modified UTF-7."""

    def encode(found: re.Match[str]) -> str:
        packed = base64.b64encode(found[0].encode("utf-16-be")).decode()
        return "&" + packed.rstrip("=").replace("/", ",") + "-"

    return _UNPRINTABLE.sub(encode, name.replace("&", "&-"))


def quoted(text: str) -> str:
    """An IMAP quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(raw: bytes, *, quoted: bool) -> str:
    text = raw.decode("utf-8", "surrogateescape")
    if quoted and len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _is(folder: Folder, want: str) -> bool:
    if want.startswith("\\"):
        return want.lower() in folder.flags
    return want == folder.name or (want.upper() == "INBOX" and folder.name.upper() == "INBOX")


def _usual_flags(name: str) -> frozenset[str]:
    last = re.split(r"[./]", name)[-1].strip().lower()
    return frozenset(flag for flag, names in USUAL_NAMES.items() if last in names)


def _by_name(folder: Folder) -> str:
    return folder.wire
