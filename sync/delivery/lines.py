"""The queue of one endpoint in memory: a line for each customer, of which only the first may be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from sync.delivery.queue import Due
from sync.feed.events import Event


@dataclass(slots=True)
class Item:
    """A change to be delivered. ``event`` is loaded when it is sent, unless it was just read."""

    seq: int
    customer_id: int
    attempts: int = 0
    next_at: float = 0.0
    event: Event | None = None

    @property
    def due(self) -> Due:
        """As it is stored."""
        return Due(self.seq, self.customer_id, self.attempts, self.next_at)


class Lines:
    """Lines of items by customer. An item that is taken stays first in its line until it is done or put back."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[Item]] = {}
        self._heads: list[tuple[float, int, int]] = []
        self._held: set[int] = set()
        self.length = 0

    def add(self, items: Iterable[Item]) -> None:
        """Put items at the ends of their lines."""
        for item in items:
            line = self._lines.setdefault(item.customer_id, deque())
            line.append(item)
            self.length += 1
            if len(line) == 1:
                self._push(item)

    def take(self, now: float, most: int) -> Iterator[Item]:
        """The first of some lines that are due, in the order of the feed as far as they may."""
        while most > 0 and self._heads and self._heads[0][0] <= now:
            _, _, customer_id = heappop(self._heads)
            yield self._lines[customer_id][0]
            most -= 1

    def done(self, item: Item) -> None:
        """It was delivered, or given up: the next of its line may go."""
        line = self._lines[item.customer_id]
        line.popleft()
        self.length -= 1
        self._held.discard(item.customer_id)
        if line:
            self._push(line[0])
        else:
            del self._lines[item.customer_id]

    def put_back(self, item: Item) -> None:
        """It failed, or was not sent: its line waits until ``next_at``."""
        self._push(item)

    def hurry(self) -> list[Item]:
        """Whatever waits for another try may go at once; answers those items."""
        waiting = [self._lines[customer_id][0] for _, _, customer_id in self._heads]
        late = [item for item in waiting if item.next_at > 0]
        self._heads.clear()
        for item in waiting:
            item.next_at = 0.0
            self._push(item)
        return late

    def next_at(self) -> float | None:
        """When the next item is due; None if there is none."""
        return self._heads[0][0] if self._heads else None

    @property
    def moving(self) -> int:
        """How many items are in lines that are not held up by a failure, about."""
        return self.length - sum(len(self._lines[customer_id]) for customer_id in self._held)

    def _push(self, item: Item) -> None:
        if item.attempts:
            self._held.add(item.customer_id)
        heappush(self._heads, (item.next_at, item.seq, item.customer_id))
