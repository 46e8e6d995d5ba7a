"""Offset paging that notices when rows move under it.

A row that is deleted, or that moves to the end because it was just changed, shifts all rows after it one place
forward: the next offset then passes over a row that nobody has seen. So each request overlaps the page before by one
row. If that row is not the one we saw last, the pages before are looked through until a row of the last page turns
up, and reading goes on right after it. This needs an order that is stable, by whatever field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from connectors.errors import RetryLater
from connectors.paging import Batch, offset_pages
from connectors.rest.manifest import OffsetPages

MAX_STEPS = 1_000
"""How many pages are looked through, at most, to find the lost place again."""

Rows = Sequence[Any]


class SteadyOffsets:
    """Pages by offset for one read.

    ``ask`` fetches what stands at an offset; ``key`` gives a row's key (None for a row without),
    ``trim`` takes the first row, of that key, out of a page. A position is the
    offset that comes next and the last key before it, so that a read goes on after a crash as steadily.
    """

    def __init__(
        self,
        ask: Callable[[int], tuple[Rows, Any]],
        key: Callable[[Any], str | None],
        trim: Callable[[Any, str], Any],
        start: Any = None,
        *,
        overlap: bool = True,
    ) -> None:
        self._ask, self._key, self._trim, self._overlap = ask, key, trim, overlap
        self._at: int = start["at"] if start else 0
        self._seen: set[str] = {start["last"]} if start else set()
        self._last: str | None = start["last"] if start else None
        self._drift = 0

    def pages(self, spec: OffsetPages, size: int) -> Iterator[Batch[Any]]:
        """All pages from the position on."""

        def fetch(asked: dict[str, Any]) -> tuple[Rows, Any]:
            return self._steadily(asked[spec.offset], size)

        def total(page: Any) -> int | None:
            return None if page.total is None else page.total + self._drift

        batches = offset_pages(
            fetch,
            limit=size,
            param=spec.offset,
            limit_param=spec.limit,
            start=self._at,
            total=total if spec.total else None,
        )
        for batch in batches:
            following = None if batch.next is None else {"at": batch.next - self._drift, "last": self._last}
            yield Batch(batch.items, batch.response, following)

    def _steadily(self, offset: int, size: int) -> tuple[Rows, Any]:
        """New rows from where we stand; ``_drift`` is by how much less that is than the pager thinks."""
        at = offset - self._drift
        if not (self._overlap and self._seen and at):
            rows, page = self._ask(at)
        else:
            rows, page = self._ask(at - 1)
            if rows and self._key(rows[0]) == self._last is not None:
                rows, page = rows[1:], self._trim(page, self._last)
            else:
                rows, page, at = self._found_again(at, size)
                self._drift = offset - at
        if rows:
            self._seen = set(page.keys())
            self._last = self._key(rows[-1])
        return rows, page

    def _found_again(self, at: int, size: int) -> tuple[Rows, Any, int]:
        """Look backwards for a row of the last page; everything before it has been seen."""
        for _ in range(MAX_STEPS):
            at = max(0, at - size)
            rows, page = self._ask(at)
            known = [number for number, row in enumerate(rows, 1) if self._key(row) in self._seen]
            if known and known[-1] < len(rows):
                return rows[known[-1] :], page, at + known[-1]
            if known:
                after = at + len(rows)
                more, page = self._ask(after - 1)
                if more and self._key(more[0]) in self._seen:
                    return more[1:], page, after
            elif at == 0:
                return rows, page, 0
        raise RetryLater("The system's list changes faster than it can be read.")
