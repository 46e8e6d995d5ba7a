"""The wire: JSON-RPC calls with a session that renews itself, and Tryton's errors in our words.

Since 7.8 the calls of a database go to ``/<database>/rpc/``, before that to ``/<database>/``; the login finds out
which. Application errors come with HTTP 200 and a list under ``error`` (trytond/protocols/jsonrpc.py).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import SecretStr

from connectors.auth.base import Outgoing, Wire
from connectors.auth.tokens import Token, TokenAuth
from connectors.contract import Context
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WriteConflict,
)
from connectors.http import Client
from connectors.response import Response
from connectors.tryton.config import TrytonConfig

LAYOUTS = ("{database}/rpc/", "{database}/")
PASSING = ("locked", "timeout", "timed out", "serializ", "deadlock", "connection", "too many")
"""Words in the text of a server's fault that say it may pass: database locks and lost connections."""


class TrytonSession(TokenAuth):
    """``common.db.login`` answers user id and session token; both go into the Authorization header."""

    def __init__(self, config: TrytonConfig) -> None:
        super().__init__()
        self._config = config
        self.path = LAYOUTS[0].format(database=config.database)

    def secrets(self) -> Sequence[SecretStr]:
        """The password."""
        return (self._config.password,)

    def place(self, outgoing: Outgoing, token: Token) -> None:
        """Put the session into the request's header."""
        outgoing.headers["Authorization"] = f"Session {token.value.get_secret_value()}"

    def obtain(self, wire: Wire, old: Token | None) -> Token:
        """Log in; the first layout that the server knows is kept. Raises BadCredentials or BadConfiguration."""
        for layout in LAYOUTS:
            self.path = layout.format(database=self._config.database)
            response = self._login(wire)
            if response.status not in (404, 405):
                return self._granted(wire, response)
        raise BadConfiguration(
            "{connection}: the Tryton server has no database {database}.",
            connection=wire.connection,
            database=self._config.database,
            setting="database",
            remedy="Check the settings `database` and `base_url` of the connection.",
        )

    def log_in(self, wire: Wire) -> None:
        """Log in unless that was done before; ``path`` is known afterwards."""
        if self._token is None:
            self._replace(wire, None)

    def _login(self, wire: Wire) -> Response:
        password = self._config.password.get_secret_value()
        parameters = [self._config.user, {"password": password}, self._config.language]
        body = {"id": 0, "method": "common.db.login", "params": parameters}
        return wire.request("POST", self.path, json=body, read=True, allow=(401, 403, 404, 405), authenticated=False)

    def _granted(self, wire: Wire, response: Response) -> Token:
        answer = response.json() if response.ok else {}
        found = answer.get("result") if isinstance(answer, dict) else None
        if not (isinstance(found, list) and len(found) >= 2):
            raise BadCredentials(
                "{connection}: Tryton refused the user {user} or its password.",
                connection=wire.connection,
                user=self._config.user,
                setting="password",
                remedy="Check the settings `user` and `password` of the connection.",
            )
        text = f"{self._config.user}:{found[0]}:{found[1]}"
        return Token(SecretStr(base64.b64encode(text.encode()).decode()))


class TrytonClient:
    """Calls methods of one Tryton database. Construction does no I/O."""

    def __init__(self, config: TrytonConfig, context: Context) -> None:
        self._session = TrytonSession(config)
        self._connection = context.connection
        self._http = Client(context, config.base_url, auth=self._session, inspect=_inspect)
        self.language = config.language
        self._context = context
        self._noted: datetime | None = None

    def call(self, method: str, *params: Any, write: bool = False, **more: Any) -> Any:
        """The result of ``method``; ``more`` joins the context. Raises the errors of ``connectors.errors``.

        ``write`` says that the call changes something: it is then not repeated when its answer never came, and a
        refusal is about this record instead of the stream.
        """
        self._session.log_in(self._http)  # finds the path on the first call
        context = {"language": self.language, **more}
        body = {"id": 1, "method": method, "params": [*params, context]}
        response = self._http.post(self._session.path, json=body, read=not write, idempotent=not write)
        self._noted = _date(response) or self._noted
        answer = response.json(lenient=True)
        if not isinstance(answer, dict) or not ({"result", "error"} & set(answer)):
            raise StreamBroken(
                "{connection}: {method} answered something that is no JSON-RPC.",
                connection=self._connection,
                method=method,
            )
        if "error" in answer:
            raise fault(answer["error"], connection=self._connection, method=method, write=write)
        return answer["result"]

    def now(self) -> str:
        """The time by the server's clock, as far as its answers tell it, in ISO 8601 UTC; never later than by ours."""
        ours = self._context.now()
        return min(ours, self._noted or ours).isoformat(timespec="microseconds")

    def version(self) -> str:
        """The server's series, e.g. ``8.2``; an empty text when it does not tell."""
        body = {"id": 1, "method": "common.server.version", "params": []}
        for path in ("rpc/", ""):
            try:
                answer = self._http.post(path, json=body, read=True, allow=(404, 405), authenticated=False)
                if answer.ok:
                    return str(answer.json().get("result", ""))
            except ConnectorError:
                continue
        return ""

    def close(self) -> None:
        """Give back the sockets."""
        self._http.close()


def fault(error: Any, *, connection: str, method: str, write: bool) -> ConnectorError:
    """The error of an answer's ``error`` list as one of ours."""
    kind, text = _parts(error)
    where = {"connection": connection, "method": method, "reason": text}
    if kind == "ConcurrencyException":
        return WriteConflict("{connection}: the record was changed in Tryton meanwhile ({reason}).", **where)
    if kind == "LoginException":
        return BadCredentials("{connection}: Tryton asks for another way to log in ({reason}).", **where)
    if kind in ("UserError", "UserWarning"):
        if write:
            return RecordRejected("{connection}: Tryton refused the record: {reason}", rule=text, **where)
        return PermissionMissing("{connection}: Tryton refused {method}: {reason}", **where)
    if any(word in text.lower() for word in PASSING):
        return RetryLater("{connection}: Tryton could not carry out {method} ({reason}).", **where)
    if write:
        return RecordRejected("{connection}: Tryton could not write the record ({reason}).", rule=text, **where)
    return StreamBroken("{connection}: {method} failed in Tryton ({reason}).", **where)


def _inspect(response: Response) -> None:
    """Ask for a new session when the answer says that ours is over (older servers say so with status 200)."""
    head = response.body[:300]
    if b'"error"' in head and (b'"401' in head or b'"403' in head or b"NotLogged" in head):
        raise BadCredentials("{connection}: the session has ended.", connection=response.connection)


def _date(response: Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _parts(error: Any) -> tuple[str, str]:
    """Kind and readable text of an ``error`` value; the traceback it may hold is left out."""
    if not isinstance(error, list) or not error:
        return "", str(error)[:300]
    kind, detail = str(error[0]), error[1] if len(error) > 1 else ""
    if kind in ("UserError", "UserWarning", "LoginException", "ConcurrencyException"):
        words = detail if isinstance(detail, list) else [detail]
        first = 1 if kind in ("UserWarning", "LoginException") and len(words) > 1 else 0
        return kind, str(words[first])[:300]
    return "", kind[:300]
