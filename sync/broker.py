"""The broker of a project: whether it answers, and the budgets of calls that processes share through it.

Its client is loaded when it is first needed: a sync by hand where no broker runs does without.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.budget import Budget, LocalBudget, Rate
from connectors.errors import BadConfiguration
from connectors.importing import IMPORTING

if TYPE_CHECKING:
    import redis


class Broker:
    """Redis at ``url``. ``socket`` is the one of the server that `kehu up` starts; None: somebody else runs it."""

    def __init__(self, url: str, socket: Path | None) -> None:
        self.url, self.socket = url, socket

    @property
    def embedded(self) -> bool:
        """Whether the broker is a Valkey server that `kehu up` starts."""
        return self.socket is not None

    def answers(self) -> bool:
        """Whether the broker can be reached now."""
        if self.socket is not None and not self.socket.exists():
            return False
        import redis

        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def budget(self, account: str, rate: Rate | None) -> Budget:
        """The budget of calls of an account at a vendor: shared through the broker wherever one runs."""
        if self.embedded and not self.answers():
            return LocalBudget(rate, account)
        with IMPORTING:
            from connectors.redis_budget import RedisBudget

        return RedisBudget(self._client, account, rate)

    def calls_left(self, account: str, rate: Rate | None) -> int | None:
        """How many calls the account may make now; None where that is not known."""
        if not self.answers():
            return None
        import redis

        from connectors.redis_budget import RedisBudget

        try:
            return RedisBudget(self._client, account, rate).left()
        except redis.RedisError:
            return None

    @cached_property
    def _client(self) -> redis.Redis:
        with IMPORTING:
            import redis

        try:
            return redis.Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=5)
        except ValueError:  # its text may quote the URL, and that a password
            raise BadConfiguration(
                "The broker's URL cannot be read.",
                setting="broker",
                remedy="Write it like redis://host:6379/0, the password as a reference.",
            ) from None
