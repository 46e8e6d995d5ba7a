"""One read of a stream that is listed by ascending key: stable pages, whatever changes meanwhile.

Rows asked for by "key greater than the last" never move under the reader. Since the order says nothing of change
stamps, the stored value moves only when a read is complete, and then at most to where it began, by the source's own
clock (see ``connectors.incremental``). The cursor of a finished read also holds ``done``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.contract import Mode, Page, Read, Record, Rejected
from connectors.errors import CursorExpired, EndlessPages
from connectors.incremental import Mark, Scan

MAX_EMPTY = 50
"""A listing that gives more empty pages than this in a row, and still says there are more, is endless."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one page is asked for: rows behind ``after`` (a position of ``Part.next``; None: from the first one on),
    changed at or after ``since`` and before ``until``; ``changes`` when it is an incremental read.
    """

    after: Any
    since: datetime | None
    until: datetime | None
    size: int
    changes: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One page as it was fetched. ``next`` is the position behind it (None: it was the last one) and ``clock`` the
    source's time before it answered.
    """

    clock: datetime
    next: Any
    records: Sequence[Record] = ()
    deleted: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    total: int | None = None


def keyed_pages(
    request: Read, fetch: Callable[[Asked], Part], *, lookback: float = 0, coarse: float = 0
) -> Iterator[Page]:
    """The pages of one read. ``lookback`` and ``coarse`` are seconds, as ``Scan`` takes them.

    Raises ``CursorExpired`` for a cursor of another kind and ``EndlessPages`` for a position that comes twice.
    """
    if request.resumed and (request.cursor or {}).get("done"):
        yield Page((), dict(request.cursor or {}))
        return
    scan = Scan(request, began=None, lookback=lookback, coarse=coarse)
    since, until, position, started, empty = scan.since, scan.until, scan.resume, scan.resume is not None, 0
    if isinstance(since, int):
        raise CursorExpired("The stored position is not one this connector can continue from.")
    changes = request.mode is Mode.INCREMENTAL and since is not None
    while True:
        part = fetch(Asked(position, since, until, request.page_size, changes))
        if not started:
            scan, started = Scan(request, began=part.clock, lookback=lookback, coarse=coarse), True
        empty = 0 if part.records or part.deleted or part.rejected else empty + 1
        if part.next is not None and (part.next == position or empty > MAX_EMPTY):
            raise EndlessPages("The system gave the same place for the next page twice (page {page}).", page=position)
        stamps = [record.changed_at for record in part.records if record.changed_at is not None]
        cursor = dict(scan.page([Mark(max(stamps))] if stamps else [], part.next))
        if part.next is None:
            cursor = {**scan.end(), "done": True}
        yield Page(part.records, cursor, part.deleted, part.rejected, part.total)
        if part.next is None:
            return
        position = part.next
