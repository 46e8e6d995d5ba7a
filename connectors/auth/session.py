"""Logging in by a call of the system's own: it answers a token or a session cookie, which later calls carry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import SecretStr

from connectors.auth.base import Outgoing, Wire
from connectors.auth.tokens import Token, TokenAuth
from connectors.errors import BadCredentials
from connectors.response import Response


class SessionLogin(TokenAuth):
    """A login call, and where its answer's token goes.

    ``body`` is the login request, sent as JSON or as a form; ``SecretStr`` values may stand anywhere in it. The token
    is read from ``token`` (a dotted path in the answer, e.g. ``data.token``), ``token_header`` (a header of the
    answer) or ``cookie`` (a cookie's name; ``*`` for all of them). A cookie goes back as a cookie, a token into
    ``header`` by ``template`` or, with ``place="query"``, into the parameter of that name. ``expect`` names values
    the answer must hold for the login to count, for systems that refuse with status 200. ``lifetime`` is how many
    seconds a session lives, where it is known; ``lifetime_path`` where the answer tells it.
    """

    def __init__(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        method: str = "POST",
        encoding: Literal["json", "form", "query"] = "json",
        token: str = "",
        token_header: str = "",
        cookie: str = "",
        place: Literal["header", "query"] = "header",
        header: str = "Authorization",
        template: str = "Bearer {token}",
        expect: Mapping[str, Any] | None = None,
        lifetime: float | None = None,
        lifetime_path: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock)
        self._path, self._body, self._method, self._encoding = path, body, method, encoding
        self._token_path, self._token_header, self._cookie = token, token_header, cookie
        self._place, self._header, self._template = place, header, template
        self._expect, self._lifetime, self._lifetime_path = dict(expect or {}), lifetime, lifetime_path

    def secrets(self) -> Sequence[SecretStr]:
        """The secrets known beforehand."""
        return tuple(_secrets(self._body))

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the token into the request."""
        value = token.value.get_secret_value()
        if self._cookie:
            outgoing.headers["Cookie"] = value
        elif self._place == "query":
            outgoing.params.append((self._header, value))
        else:
            outgoing.headers[self._header] = self._template.replace("{token}", value)

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Fetch a token."""
        body = _revealed(self._body)
        response = wire.request(
            self._method,
            self._path,
            json=body if self._encoding == "json" else None,
            form=body if self._encoding == "form" else None,
            params=body if self._encoding == "query" else None,
            read=True,
            allow=(400, 401, 403),
            authenticated=False,
        )
        value = self._found(response) if response.ok else ""
        if not value:
            raise BadCredentials(
                "{connection}: the login was refused (status {status}){excerpt}",
                connection=wire.connection,
                status=response.status,
                excerpt=response.excerpt(),
            )
        lifetime = self._lives(response)
        ends = None if lifetime is None else self._clock() + lifetime
        return Token(SecretStr(value), expires_at=ends, lifetime=lifetime)

    def _found(self, response: Response) -> str:
        """The token, or an empty text when the answer is no login."""
        for path, wanted in self._expect.items():
            if dotted(response.json(), path) != wanted:
                return ""
        if self._cookie:
            chosen = {n: v for n, v in response.cookies.items() if self._cookie in ("*", n)}
            return "; ".join(f"{name}={value}" for name, value in chosen.items())
        if self._token_header:
            return response.headers.get(self._token_header, "")
        value = dotted(response.json(), self._token_path)
        return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""

    def _lives(self, response: Response) -> float | None:
        told = dotted(response.json(), self._lifetime_path) if self._lifetime_path else None
        try:
            return float(told) if told is not None else self._lifetime
        except (TypeError, ValueError):
            return self._lifetime


def dotted(value: Any, path: str) -> Any:
    """The value at a dotted path (numbers index lists), or None. An empty path is the value itself."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _secrets(value: Any) -> list[SecretStr]:
    if isinstance(value, SecretStr):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [secret for item in inner for secret in _secrets(item)]


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {name: _revealed(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_revealed(item) for item in value]
    return value
