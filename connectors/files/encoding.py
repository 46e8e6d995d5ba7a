"""Which character encoding a text file is in: looked for where it matters, in the bytes that are not ASCII.

A byte order mark decides. Otherwise UTF-8 is believed if (nearly) all lines with other than ASCII bytes decode; then
UTF-16 by its many NUL bytes; then GB18030 and Big5 by how many characters are of the frequent level of their
standard; then charset-normalizer's judgement. Bytes that do not fit the encoding later on cost only their row.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from typing import BinaryIO

from charset_normalizer import from_bytes

CHUNK = 1 << 20
SAMPLE = 1 << 16
MOSTLY = 0.9
PLAUSIBLE = 0.6
UNDECODABLE = "kehu.undecodable"
"""Error handler that keeps each undecodable byte as a lone surrogate: its row is found and refused, others go on."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_ASCII_LINES = re.compile(rb"[^\n]{0,2000}[\x80-\xff][^\n]{0,2000}")


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(UNDECODABLE, _keep_bytes)


def detect_encoding(handle: BinaryIO) -> str:
    """The encoding of an open file; its position is put back to the start."""
    handle.seek(0)
    try:
        start = handle.read(SAMPLE)
        return _by_mark(start) or _utf16(start) or _by_content(_not_ascii(handle, start))
    finally:
        handle.seek(0)


def open_text(handle: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """The open file from its start as text, lines ending as they do; closing it leaves the file open.

    It shares the file's position: only one of the two may be read at a time.
    """
    copy = open(handle.fileno(), "rb", closefd=False)  # noqa: SIM115 - the owner of the file closes it
    copy.seek(0)
    return io.TextIOWrapper(copy, encoding, errors=UNDECODABLE, newline="")


def _by_mark(start: bytes) -> str | None:
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _utf16(start: bytes) -> str | None:
    """UTF-16 without a mark: commas, digits and line ends leave NUL bytes on one side only."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) * 10 < len(start) // 2 or min(even, odd) * 10 > max(even, odd):
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    try:
        start[: len(start) // 2 * 2 - 2].decode(name)
    except UnicodeDecodeError:
        return None
    return name


def _not_ascii(handle: BinaryIO, start: bytes) -> list[bytes]:
    """Up to 64 KB of lines with other than ASCII bytes, from wherever they stand in the file."""
    lines: list[bytes] = []
    size, chunk = 0, start
    while chunk and size < SAMPLE:
        if not chunk.isascii():
            chunk += handle.readline(4096)
            for match in _NOT_ASCII_LINES.finditer(chunk):
                lines.append(match.group())
                size += len(match.group())
                if size >= SAMPLE:
                    break
        chunk = handle.read(CHUNK)
    return lines


def _by_content(lines: list[bytes]) -> str:
    if not lines or _share(lines, "utf-8") >= MOSTLY:
        return "utf-8"
    scores = {
        "gb18030": _share(lines, "gb18030") * _frequent_gb(lines),
        "big5hkscs": _share(lines, "big5hkscs") * _frequent_big5(lines),
    }
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= PLAUSIBLE:
        return best
    guess = from_bytes(b"\n".join(lines)).best()
    return _western(guess.encoding if guess is not None else "")


def _western(guess: str) -> str:
    """charset-normalizer's guess where it is another script; for Western Europe the usual code page.

    Its fine distinctions between a dozen Western code pages are chance on short names.
    """
    believable = {"cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "shift_jis", "cp949", "euc_kr"}
    return guess if guess in believable else "cp1252"


def _share(lines: list[bytes], encoding: str) -> float:
    good = 0
    for line in lines:
        try:
            line.decode(encoding)
        except UnicodeDecodeError:
            continue
        good += 1
    return good / len(lines)


def _frequent_gb(lines: list[bytes]) -> float:
    """Share of the double bytes that are of GB 2312's symbols, or its level 1 (the 3,755 most frequent characters)."""
    return _frequent(lines, lambda lead, trail: trail >= 0xA1 and (0xB0 <= lead <= 0xD7 or lead in (0xA1, 0xA3)))


def _frequent_big5(lines: list[bytes]) -> float:
    """Share of the double bytes that are of Big5's symbols, or its level 1 (the 5,401 most frequent characters)."""
    return _frequent(lines, lambda lead, trail: 0xA1 <= lead <= 0xC6)


def _frequent(lines: list[bytes], is_frequent: Callable[[int, int], bool]) -> float:
    found = total = 0
    for line in lines:
        index, end = 0, len(line) - 1
        while index < end:
            if line[index] < 0x80:
                index += 1
                continue
            total += 1
            found += is_frequent(line[index], line[index + 1])
            index += 2
    return found / total if total else 0.0
