"""A token that expires: cached, renewed a little before its end and once when refused, by one thread at a time."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from connectors.auth.base import Auth, Outgoing, Wire

MARGIN = 60.0
"""Seconds before its end at which a token is renewed (a tenth of its life, where that is shorter)."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, when it ends (seconds of the clock in use; None: unknown), and the refresh token that came with it."""

    value: SecretStr
    expires_at: float | None = None
    refresh_token: SecretStr | None = None
    lifetime: float | None = None

    def fresh(self, now: float) -> bool:
        """Whether it can still be used without risking its end on the way."""
        if self.expires_at is None:
            return True
        margin = MARGIN if self.lifetime is None else min(MARGIN, self.lifetime / 10)
        return now < self.expires_at - margin


class TokenAuth(Auth):
    """Base of all flows with a token. Subclasses say how to obtain one and where it is put.

    ``clock`` is wall time in epoch seconds, so that a stored token keeps its meaning across restarts.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None

    @abstractmethod
    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Fetch a token. ``old`` is the one it replaces. Raises ``BadCredentials`` when the system refuses."""

    @abstractmethod
    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the request."""

    def apply(self, outgoing: Outgoing, wire: Wire) -> None:
        """Add the credentials."""
        token = self._token
        if token is None or not token.fresh(self._clock()):
            token = self._replace(wire, token)
        outgoing.credential = token
        self.place(outgoing, token)

    def renew(self, outgoing: Outgoing, wire: Wire) -> bool:
        """Replace the token that was refused."""
        used = outgoing.credential
        self._replace(wire, used if isinstance(used, Token) else None)
        return True

    def _replace(self, wire: Wire, used: Token | None) -> Token:
        """A newer token than ``used``: fetched, unless another thread has done so while we waited for the lock."""
        with self._lock:
            if self._token is None or self._token is used:
                token = self.obtain(wire, self._token)
                wire.redactor.add(*(s for s in (token.value, token.refresh_token) if s is not None))
                self._token = token
            return self._token
