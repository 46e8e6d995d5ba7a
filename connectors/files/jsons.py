"""JSON lines and JSON arrays, both streaming: a broken line or element is rejected and the next one read."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from connectors.errors import StreamBroken
from connectors.files.config import MEGABYTE, Limits, StreamConfig
from connectors.files.encoding import detect_encoding, open_text
from connectors.files.rows import BadRow, Row, Rows, bad_row

PIECE = 1 << 16
_SIGNS = re.compile(r'["{}\[\],]')
_IN_STRING = re.compile(r'["\\]')


class JsonLines:
    """One JSON object a line."""

    def __init__(self, handle: BinaryIO, name: str, config: StreamConfig, limits: Limits) -> None:
        self._handle, self._limits = handle, limits
        self.encoding = config.encoding or detect_encoding(handle)
        self.columns: list[str] = []

    def rows(self) -> Rows:
        """All objects; blank lines are passed over."""
        self._handle.seek(0)
        binary = self.encoding == "utf-8"
        source = self._handle if binary else open_text(self._handle, self.encoding)
        most, number = self._limits.row_chars, 0
        while line := source.readline(most + 1):
            number += 1
            if len(line) > most:
                _skip_line(source, line, most)
                yield number, bad_row("", "The line is longer than {limit} characters.", limit=most)
            elif line.strip():
                yield number, _object(line)


class JsonArray:
    """One JSON array of objects; an object at the top counts as an array of one."""

    def __init__(self, handle: BinaryIO, name: str, config: StreamConfig, limits: Limits) -> None:
        self._handle, self._name, self._limits = handle, name, limits
        self.encoding = config.encoding or detect_encoding(handle)
        self.columns: list[str] = []

    def rows(self) -> Rows:
        """All elements, numbered from 1."""
        text = open_text(self._handle, self.encoding)
        for number, element in enumerate(self._elements(text), 1):
            if isinstance(element, BadRow):
                yield number, element
            else:
                yield number, _object(element)

    def _elements(self, text: io.TextIOWrapper) -> Iterator[str | BadRow]:
        start = text.read(PIECE).lstrip("\ufeff \t\r\n")
        if start.startswith("{"):
            whole = start + text.read(self._limits.json_mb * MEGABYTE)
            yield whole if len(whole) < self._limits.json_mb * MEGABYTE else self._too_long(whole)
            return
        if not start.startswith("["):
            raise StreamBroken(
                "{file} does not hold a JSON array of objects.",
                remedy="Save the data as an array of objects, or as JSON lines (.jsonl).",
                file=self._name,
            )
        splitter = _Splitter(self._limits.json_mb * MEGABYTE)
        piece = start[1:]
        while piece:
            for element in splitter.feed(piece):
                yield element if element is not None else self._too_long("")
            if splitter.closed:
                return
            piece = text.read(PIECE)
        if splitter.rest.strip():
            yield bad_row(splitter.rest, "The JSON array ends in the middle of an element.")

    def _too_long(self, text: str) -> BadRow:
        return bad_row(text, "The element is longer than {limit} MB.", limit=self._limits.json_mb)


class _Splitter:
    """Cuts a JSON array's text into its elements without parsing them. Elements over ``most`` become None."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[str] = []
        self._size = 0
        self._depth = 0
        self._string = self._escaped = self.closed = False

    @property
    def rest(self) -> str:
        """What has begun and not ended."""
        return "".join(self._parts)

    def feed(self, text: str) -> Iterator[str | None]:
        """The elements that end in this piece of text, which follows the pieces before."""
        position = begun = 0
        while not self.closed and position < len(text):
            if self._string:
                position = self._through_string(text, position)
                continue
            match = _SIGNS.search(text, position)
            if match is None:
                break
            position = match.end()
            if self._ends(match.group()):
                element = self._cut(text[begun : match.start()])
                begun = position
                if element is None or element.strip():
                    yield element
        self._keep(text[begun:])

    def _ends(self, sign: str) -> bool:
        """Whether an element ends with this sign."""
        if sign == '"':
            self._string = True
        elif sign in "{[":
            self._depth += 1
        elif self._depth == 0:
            self.closed = sign != ","
            return True
        elif sign != ",":
            self._depth -= 1
        return False

    def _through_string(self, text: str, position: int) -> int:
        """The position after the string's end, or the text's."""
        if self._escaped:
            self._escaped = False
            return position + 1
        match = _IN_STRING.search(text, position)
        if match is None:
            return len(text)
        self._escaped = match.group() == "\\"
        self._string = self._escaped
        return match.end()

    def _keep(self, text: str) -> None:
        self._size += len(text)
        if self._size <= self._most:
            self._parts.append(text)

    def _cut(self, text: str) -> str | None:
        self._keep(text)
        element = "".join(self._parts) if self._size <= self._most else None
        self._parts, self._size = [], 0
        return element


def _skip_line(source: BinaryIO | io.TextIOWrapper, line: bytes | str, most: int) -> None:
    while line and line[-1:] not in (b"\n", "\n"):
        line = source.readline(most)


def _object(text: str | bytes) -> Row | BadRow:
    try:
        row = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError) as error:
        return bad_row(_shown(text), "The row is not valid JSON: {reason}.", reason=str(error)[:100])
    if isinstance(row, dict):
        return row
    return bad_row(_shown(text), "The row is JSON, but no object.")


def _shown(text: str | bytes) -> str:
    return text[:2000].decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
