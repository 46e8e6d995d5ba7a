"""Page numbers, watched for what moves under them.

A record that is deleted during the read shifts all later ones one place forward, and the next page passes over one that
nobody has seen. Systems that number pages also count their records: when the count shrinks between two pages, or fewer
rows came than were counted, the list is read again from its first page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.errors import CursorExpired, EndlessPages, RetryLater
from connectors.listed.stream import Found

PASSES = 4
"""How often a list is read, at most, that changes while it is read."""


_DIGITS = 19
"""Of the largest 64-bit number."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """One numbered page as the system answers it; ``total`` records on ``pages`` pages, where it tells."""

    rows: Sequence[Any]
    at: datetime
    total: int | None = None
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """The number of the next page, how many rows came before it, and how many the system counted then."""

    page: int = 1
    seen: int = 0
    total: int | None = None

    def behind(self, answer: Numbered) -> _Place:
        """The place after this page."""
        total = self.total if answer.total is None else answer.total
        return _Place(self.page + 1, self.seen + len(answer.rows), total)

    def shifted(self, answer: Numbered) -> bool:
        """Whether records have gone since the page before."""
        return self.page > 1 and None not in (self.total, answer.total) and answer.total < self.total  # type: ignore[operator]

    def ends(self, answer: Numbered) -> bool:
        """Whether this page is the last one."""
        if not answer.rows:
            return True
        if answer.pages is not None:
            return self.page >= answer.pages
        return answer.total is not None and self.seen + len(answer.rows) >= answer.total

    def stored(self) -> dict[str, Any]:
        """As it stands in a cursor."""
        return {"page": self.page, "seen": self.seen, "total": self.total}


def numbered_pages(ask: Callable[[int], Numbered], start: Any = None) -> Iterator[Found]:
    """All pages from a position on. ``ask`` fetches the page of a number, the first is 1.

    A list that comes up short twice in the same way is as long as it gets: its last page says so (``short``). Raises
    ``EndlessPages`` where the number is ignored, ``RetryLater`` where the list never holds still.
    """
    place, before, short = _restored(start), (), None
    for tried in range(1, PASSES + 1):
        again = {**_Place().stored(), "pass": tried}
        while True:
            answer = ask(place.page)
            if place.page > 1 and answer.rows and answer.rows == before:
                raise EndlessPages(
                    "Page {page} repeats an earlier page: the system ignores the paging.", page=place.page
                )
            after = place.behind(answer)
            found = Found(answer.rows, answer.at, after.stored(), answer.total)
            if place.shifted(answer):
                yield replace(found, next=again)
                break
            if place.ends(answer):
                missing = after.total is not None and after.seen < after.total
                if not missing or short == (after.seen, after.total):
                    yield replace(found, next=None, short=missing)
                    return
                short = (after.seen, after.total)
                yield replace(found, next=again)
                break
            yield found
            place, before = after, answer.rows  # type: ignore[assignment]
        place, before = _Place(), ()
    raise RetryLater("The system's list changes faster than it can be read.")


def whole_number(value: Any) -> int | None:
    """A count that may be written as text; None where it is none."""
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _restored(start: Any) -> _Place:
    if start is None:
        return _Place()
    try:
        return _Place(int(start["page"]), int(start["seen"]), whole_number(start["total"]))
    except (KeyError, TypeError, ValueError):
        raise CursorExpired("The stored position is not one this connector can continue from.") from None
