"""Reusable pagers: small iterators over a ``fetch`` that knows how to ask for one page.

``fetch(params)`` returns the page's items and the answer they came from; the pagers only decide what to ask for next.
Each batch carries the position to continue from, so that a connector can put it into its cursor and hand it back as
``start`` after a crash. All pagers stop a system that never ends: a position or a page's content that comes twice, a
row of empty pages, or more pages than allowed raise ``EndlessPages``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

import msgspec
import xxhash

from connectors.errors import BadConfiguration, EndlessPages, StreamBroken
from connectors.origins import joined
from connectors.response import Response

R = TypeVar("R")
Fetch = Callable[[dict[str, Any]], tuple[Sequence[Any], R]]
"""Parameters of a page in, its items and the answer out."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[R]):
    """One page: items, the answer, and the position of the next page (None: this was the last)."""

    items: Sequence[Any]
    response: R
    next: Any = None


@dataclass(frozen=True, slots=True)
class Limits:
    """When a pager gives up: after so many ``pages`` in all, or so many ``empty`` ones in a row."""

    pages: int = 1_000_000
    empty: int = 50


def cursor_pages(
    fetch: Fetch[R],
    next_cursor: Callable[[R], Any],
    *,
    param: str = "cursor",
    start: Any = None,
    limits: Limits = Limits(),
) -> Iterator[Batch[R]]:
    """A cursor or token that each answer gives for the next page; none, or an empty one, ends.

    Empty pages in between are followed: some systems filter after paging.
    """
    watch, cursor = _Watch(limits), start
    while True:
        watch.position(cursor)
        items, response = fetch({} if cursor is None else {param: cursor})
        watch.page(items)
        cursor = next_cursor(response)
        cursor = None if cursor == "" else cursor
        yield Batch(items, response, cursor)
        if cursor is None:
            return


def offset_pages(
    fetch: Fetch[R],
    *,
    limit: int,
    param: str = "offset",
    limit_param: str = "limit",
    start: int = 0,
    total: Callable[[R], int | None] | None = None,
    short_ends: bool = False,
    step: int | None = None,
    limits: Limits = Limits(),
) -> Iterator[Batch[R]]:
    """Offset and limit. Ends at an empty page, or where ``total`` says so.

    The offset grows by what came, because many systems silently cap the limit; ``step`` fixes it for systems that
    filter after paging. ``short_ends`` saves the last, empty call where a page shorter than the limit is known to be
    the last one.
    """
    watch, offset = _Watch(limits), start
    while True:
        watch.position(offset)
        items, response = fetch({param: offset, limit_param: limit})
        watch.page(items)
        offset += len(items) if step is None else step
        all_ = total(response) if total else None
        done = (offset >= all_) if all_ is not None else (not items or (short_ends and len(items) < limit))
        done = done or (not items and step is None)
        yield Batch(items, response, None if done else offset)
        if done:
            return


def numbered_pages(
    fetch: Fetch[R],
    *,
    param: str = "page",
    first: int = 1,
    size: int | None = None,
    size_param: str = "per_page",
    start: int | None = None,
    pages: Callable[[R], int | None] | None = None,
    short_ends: bool = False,
    limits: Limits = Limits(),
) -> Iterator[Batch[R]]:
    """Page numbers. Ends at an empty page, or after as many as ``pages`` says there are.

    ``short_ends`` saves the last, empty call where a page shorter than ``size`` is known to be the last one.
    """
    watch, number = _Watch(limits), first if start is None else start
    while True:
        watch.position(number)
        items, response = fetch({param: number} | ({size_param: size} if size else {}))
        watch.page(items)
        number += 1
        count = pages(response) if pages else None
        if count is not None:
            done = number - first >= count
        else:
            done = not items or (short_ends and size is not None and len(items) < size)
        yield Batch(items, response, None if done else number)
        if done:
            return


def keyset_pages(
    fetch: Fetch[R],
    key: Callable[[Any], Any],
    *,
    param: str = "after",
    start: Any = None,
    size: int | None = None,
    short_ends: bool = False,
    limits: Limits = Limits(),
) -> Iterator[Batch[R]]:
    """Everything after the last key seen. Ends at an empty page. The key must be unique and the order by it.

    ``key`` takes an item; what it returns is sent as ``param``. A mapping it returns is sent as several parameters.
    """
    watch, last = _Watch(limits), start
    while True:
        watch.position(last)
        items, response = fetch(_keyed(param, last))
        watch.page(items)
        done = not items or (short_ends and size is not None and len(items) < size)
        last = key(items[-1]) if items else last
        yield Batch(items, response, None if done else last)
        if done:
            return


def url_pages(
    fetch: Callable[[str], tuple[Sequence[Any], R]],
    first: str,
    next_url: Callable[[R], str | None],
    *,
    start: str | None = None,
    limits: Limits = Limits(),
) -> Iterator[Batch[R]]:
    """Each answer names the URL of the next page. A relative one is read against the URL it came from.

    The client refuses a URL that leads to another system.
    """
    watch, url = _Watch(limits), start or first
    while True:
        watch.position(url)
        items, response = fetch(url)
        watch.page(items)
        link = next_url(response)
        following = _joined(url, response, link) if link else None
        yield Batch(items, response, following)
        if following is None:
            return
        url = following


def link_pages(
    fetch: Callable[[str], tuple[Sequence[Any], Response]],
    first: str,
    *,
    start: str | None = None,
    limits: Limits = Limits(),
) -> Iterator[Batch[Response]]:
    """The ``Link`` header with ``rel="next"`` (RFC 8288)."""
    return url_pages(fetch, first, lambda response: response.link("next"), start=start, limits=limits)


Bound = TypeVar("Bound", int, datetime)


def window_cap(
    total: Callable[[Bound, Bound], int],
    low: Bound,
    high: Bound,
    *,
    cap: int,
    smallest: int | timedelta | None = None,
) -> Iterator[tuple[Bound, Bound]]:
    """Split ``[low, high)`` into windows, in order, each holding fewer than ``cap`` results.

    ``total(low, high)`` tells how many results the half-open window has; a system that stops counting at its cap may
    answer the cap. Empty windows are left out. ``smallest`` is the resolution of the value: a second for times and 1
    for numbers unless told. Raises ``StreamBroken`` when one smallest window alone reaches the cap, for then no
    question can reach all its records.
    """
    unit = smallest if smallest is not None else (timedelta(seconds=1) if isinstance(low, datetime) else 1)
    waiting = [(low, high)]
    while waiting:
        start, end = waiting.pop()
        if start >= end:
            continue
        found = total(start, end)
        if found >= cap:
            waiting += reversed(_halves(start, end, unit, cap))
        elif found > 0:
            yield start, end


def _halves(low: Any, high: Any, unit: Any, cap: int) -> list[tuple[Any, Any]]:
    units = -((low - high) // unit)  # rounded up
    if units <= 1:
        raise StreamBroken(
            "{cap} or more records share the one value {value}: the system does not show them all.",
            cap=cap,
            value=low.isoformat() if isinstance(low, datetime) else low,
            remedy="Split the stream by another field, or have the records changed in smaller groups.",
        )
    middle = low + unit * (units // 2)
    return [(low, middle), (middle, high)]


class _Watch:
    """Remembers the positions and contents seen in one read, 8 bytes each."""

    def __init__(self, limits: Limits) -> None:
        if limits.pages < 1 or limits.empty < 1:
            raise BadConfiguration("The page limits must be at least 1.", setting="paging")
        self._limits, self._pages, self._empty = limits, 0, 0
        self._positions: set[int] = set()
        self._contents: set[int] = set()

    def position(self, position: Any) -> None:
        """Count a page about to be asked for."""
        self._pages += 1
        if self._pages > self._limits.pages:
            raise EndlessPages("There are more than {pages} pages.", pages=self._limits.pages)
        if not _new(self._positions, repr(position).encode()):
            raise EndlessPages(
                "The system gave the same place for the next page twice (page {page}).", page=self._pages
            )

    def page(self, items: Sequence[Any]) -> None:
        """Look at a page that came."""
        self._empty = 0 if items else self._empty + 1
        if self._empty > self._limits.empty:
            raise EndlessPages("{empty} pages in a row were empty and there were still more.", empty=self._empty)
        if items and not _new(self._contents, _content(items)):
            raise EndlessPages("Page {page} repeats an earlier page: the system ignores the paging.", page=self._pages)


def _new(seen: set[int], content: bytes) -> bool:
    digest = xxhash.xxh3_64_intdigest(content)
    if digest in seen:
        return False
    seen.add(digest)
    return True


def _content(items: Sequence[Any]) -> bytes:
    if isinstance(items[0], (bytes, msgspec.Raw)):
        return b"\x00".join(bytes(item) for item in items)
    return msgspec.json.encode(items, enc_hook=repr)


def _keyed(param: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else {param: value}


def _joined(url: str, response: Any, link: str) -> str:
    """The link made whole. A first URL may be a mere path; then the answer knows where it came from."""
    base = url if "://" in url else getattr(response, "url", url)
    return joined(str(base), link)
