"""The access token of WeCom and WeChat: asked for by a call of its own, and sent as a parameter of every other call."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable

from pydantic import SecretStr

from connectors.auth import Outgoing, Token, TokenAuth, Wire
from connectors.errors import StreamBroken
from connectors.response import Response
from connectors.tencent.answers import Judge, answered


class AccessToken(TokenAuth):
    """Subclasses ask for the token. Within its life the vendors give the same token again; one that was refused
    before its end is asked for once more ``anew``.
    """

    def __init__(self, judge: Judge, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._judge = judge

    @abstractmethod
    def ask(self, wire: Wire, *, anew: bool) -> Response:
        """The call that gives a token; ``anew``: not the one that is known."""

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the query."""
        outgoing.params.append(("access_token", token.value.get_secret_value()))

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Fetch a token. Raises what the code of a refusal means."""
        token = self._asked(wire, anew=False)
        refused_early = old is not None and old.fresh(self._clock())
        if refused_early and old is not None and token.value == old.value:
            token = self._asked(wire, anew=True)
        return token

    def _asked(self, wire: Wire, *, anew: bool) -> Token:
        response = self.ask(wire, anew=anew)
        self._judge.inspect(response)
        answer = answered(response)
        value, lifetime = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(value, str) or not value:
            raise StreamBroken(
                "{connection}: the system answered the login without an access token.",
                connection=wire.connection,
                remedy="Check the connection's `base_url`.",
            )
        seconds = float(lifetime) if isinstance(lifetime, (int, float)) and lifetime > 0 else None
        return Token(SecretStr(value), None if seconds is None else self._clock() + seconds, lifetime=seconds)
