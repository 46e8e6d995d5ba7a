"""All customers by one bulk operation: Shopify writes them to a file of JSON lines, which is read in ranges.

While the operation runs, empty steps are given, so that the engine stays informed and a crash does not lose the
operation: a position is its id, and how many bytes of the file were read. Whatever goes wrong with the operation itself
(another one is running, it failed, its file is gone) raises ``NoBulk``, and customers are read page by page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from connectors.errors import PermissionMissing, RecordRejected, StreamBroken
from connectors.graphql import GraphQL
from connectors.rest.slicing import Sliced, find
from connectors.shopify.documents import START, STATE, everything
from connectors.shopify.pages import Step, ensure_shown, sliced

CHUNK = 4 << 20
LONGEST_LINE = 32 << 20
FIRST_WAIT, LONGEST_WAIT = 0.05, 15.0
_UNDER_WAY = frozenset({"CREATED", "RUNNING", "CANCELING"})
_GONE = frozenset({400, 403, 404, 410, 416})
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}
_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+)$")


class NoBulk(Exception):
    """The bulk operation gave nothing that could be read; the listing has to be paged."""


class Bulk:
    """Runs bulk operations for one selection of customers. ``sleep`` and ``chunk`` (bytes) are replaced by tests."""

    def __init__(
        self, graph: GraphQL, selection: str, *, chunk: int = CHUNK, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._graph, self._selection, self._chunk, self._sleep = graph, selection, chunk, sleep

    def steps(self, size: int, place: dict[str, Any] | None) -> Iterator[Step]:
        """Groups of ``size`` customers, from a position on or from a new operation. Raises ``NoBulk``."""
        if place is None:
            place = yield from self._started()
        url = yield from self._finished(place)
        if url is None:
            yield Step(Sliced())
            return
        yield from self._lines(url, place, size)

    def _started(self) -> Any:
        """Start an operation; its position."""
        try:
            reply = self._graph.ask(START, {"query": everything(self._selection)}, read=False)
        except RecordRejected as error:
            raise NoBulk from error
        key = find(reply.data, "bulkOperationRunQuery.bulkOperation.id")
        if find(reply.data, "bulkOperationRunQuery.userErrors") or not isinstance(key, str):
            raise NoBulk
        place = {"bulk": key, "at": 0}
        yield Step(Sliced(), place, reply.response)
        return place

    def _finished(self, place: dict[str, Any]) -> Any:
        """Wait for the operation; the address of its file, or None where there are no customers."""
        wait = FIRST_WAIT
        while True:
            state = self._state(place["bulk"])
            if state.get("status") not in _UNDER_WAY:
                break
            self._sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)
            yield Step(Sliced(), place)
        if state.get("status") == "COMPLETED":
            return state.get("url")
        if state.get("errorCode") == "ACCESS_DENIED":
            raise PermissionMissing(
                "{connection}: the app may not read all that a bulk operation asks for.",
                remedy="Give the app the scope read_customers and access to protected customer data.",
                connection=self._graph.http.connection,
            )
        raise NoBulk

    def _state(self, key: str) -> dict[str, Any]:
        try:
            found = self._graph.ask(STATE, {"id": key}).data.get("node")
        except StreamBroken as error:
            raise NoBulk from error
        if not isinstance(found, dict):
            raise NoBulk
        return found

    def _lines(self, url: str, place: dict[str, Any], size: int) -> Iterator[Step]:
        """The file, range by range, each cut behind its last whole line."""
        at, chunk = int(place["at"]), self._chunk
        while True:
            body, total = self._range(url, at, chunk)
            last = at + len(body) >= total
            whole = len(body) if last else body.rfind(b"\n") + 1
            if not whole and not last:
                chunk = self._larger(chunk)
                continue
            following = at + whole
            for end, lines in _groups(body[:whole], size):
                cut = sliced([line for line in lines if b'"__parentId"' not in line])
                ensure_shown(cut, self._graph.http.connection)
                done = at + end >= total
                yield Step(cut, None if done else {**place, "at": at + end})
            if last:
                return
            at = following

    def _range(self, url: str, at: int, length: int) -> tuple[bytes, int]:
        """Bytes of the file from ``at`` on, and the size of the whole file."""
        headers = {**_HEADERS, "Range": f"bytes={at}-{at + length - 1}"}
        try:
            response = self._graph.http.get(url, headers=headers, authenticated=False, allow=_GONE)
        except StreamBroken as error:  # a server without ranges, and a file too large for one answer
            raise NoBulk from error
        if not response.ok:
            raise NoBulk
        told = _RANGE.match(response.headers.get("Content-Range", ""))
        if response.status != 206:  # a server without ranges sends all of it
            return response.body[at:], len(response.body)
        if told is None or int(told[1]) != at or not response.body:
            raise NoBulk
        return response.body, int(told[2])

    def _larger(self, chunk: int) -> int:
        if chunk >= LONGEST_LINE:
            raise StreamBroken(
                "{connection}: one line of the bulk operation's file is longer than {limit} MB.",
                limit=LONGEST_LINE >> 20,
                connection=self._graph.http.connection,
            )
        return chunk * 2


def _groups(body: bytes, size: int) -> Iterator[tuple[int, list[bytes]]]:
    """The lines in groups of ``size``, each with where it ends."""
    lines: list[bytes] = []
    at = 0
    for line in body.splitlines(keepends=True):
        at += len(line)
        if line.strip():
            lines.append(line)
        if len(lines) == size:
            yield at, lines
            lines = []
    if lines:
        yield len(body), lines
