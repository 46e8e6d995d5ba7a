"""How an endpoint is: whether it is the endpoint that fails, or a customer's event; and when that is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sync.delivery import retrying
from sync.delivery.endpoints import Endpoint
from sync.delivery.sending import Outcome

DISTINCT = 3
"""An endpoint is at fault when events of so many customers fail in a row; of fewer, it may be the events."""


@dataclass(slots=True)
class Health:
    """Counts failures in a row. ``failing_since`` is None while the endpoint is not at fault."""

    failures: int = 0
    failing_since: datetime | None = None
    resume_at: float = 0.0
    delivered_at: datetime | None = None
    gone: bool = False
    news: list[str] = field(default_factory=list)
    _customers: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, endpoint: Endpoint) -> Health:
        """As it is stored."""
        return cls(endpoint.failures, endpoint.failing_since, endpoint.resume_at, endpoint.delivered_at)

    def note(self, customer_id: int, outcome: Outcome, now: float) -> None:
        """Take in what became of an attempt. ``news`` then has what is to be told: failing, recovered or gone."""
        if outcome.delivered:
            self._well(outcome)
            return
        self.failures += 1
        self._customers.add(customer_id)
        if outcome.gone and not self.gone:
            self.gone = True
            self.news.append("gone")
        pause = retrying.pause(self.failures)
        at_fault = self.failing_since is not None or len(self._customers) >= DISTINCT
        if pause and at_fault:
            self.resume_at = max(self.resume_at, now + max(pause, min(outcome.wish, retrying.LONGEST_WISH)))
            if self.failing_since is None:
                self.failing_since = outcome.at
                self.news.append("failing")

    @property
    def hopeless(self) -> bool:
        """Whether nothing was accepted for days."""
        since = self.failing_since
        return since is not None and datetime.now(UTC) - since >= retrying.DISABLE_AFTER

    @property
    def over(self) -> bool:
        """Whether the endpoint is to be disabled."""
        return self.gone or self.hopeless

    def _well(self, outcome: Outcome) -> None:
        self.failures, self.resume_at, self.delivered_at = 0, 0.0, outcome.at
        self._customers.clear()
        if self.failing_since is not None:
            self.failing_since = None
            self.news.append("recovered")
