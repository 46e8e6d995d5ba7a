"""The wire: Odoo's External API in both its forms, chosen by the server's version.

JSON-2 (since Odoo 19): ``POST /json/2/<model>/<method>`` with named arguments and a bearer key. JSON-RPC (before; gone
with Odoo 20): ``execute_kw`` at ``/jsonrpc`` with user id and password in each call. All arguments are passed by name,
except the ids, so that one call serves both; XML-RPC offers nothing that JSON-RPC has not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.auth import Bearer
from connectors.contract import Context
from connectors.errors import BadCredentials, ConnectorError, StreamBroken
from connectors.http import Client
from connectors.odoo.config import OdooConfig
from connectors.odoo.faults import Fault, error_for, fault_of, no_database
from connectors.response import Response
from connectors.statuses import error_of

JSON2_SINCE = 19
_EXPLAINED = frozenset({400, 401, 403, 404, 405, 409, 422, 500})
"""Statuses whose body tells the reason; the others are the HTTP client's."""

_GONE = frozenset({403, 404, 405, 410})
"""What a server without JSON-RPC, or a proxy that closes it, answers there."""


class OdooClient:
    """Calls methods of models of one Odoo database. Construction does no I/O."""

    def __init__(self, config: OdooConfig, context: Context) -> None:
        self._config, self._context = config, context
        self.connection = context.connection
        self._http = Client(
            context, config.base_url, auth=Bearer(config.api_key), headers={"X-Odoo-Database": config.database}
        )
        self._json2 = {"json2": True, "jsonrpc": False}.get(config.protocol)
        self._uid: int | None = None
        self._version: str | None = None
        self.clock = datetime.now(UTC)
        self.context: dict[str, Any] = {"lang": config.language, "active_test": False, "tz": "UTC"}
        if config.companies:
            self.context["allowed_company_ids"] = list(config.companies)

    @property
    def json2(self) -> bool:
        """Whether JSON-2 is spoken; asks the server's version the first time."""
        if self._json2 is None:
            version = self.version()
            self._json2 = not version or _major(version) >= JSON2_SINCE
        return self._json2

    def version(self) -> str:
        """The server's version, e.g. ``18.0``; an empty text where it does not tell (as Odoo 20 will not here)."""
        if self._version is None:
            answer = self._rpc_answer("common", "version", [], allow=_GONE)
            told = answer.get("result") if isinstance(answer, Mapping) else None
            self._version = str(told.get("server_version", "")) if isinstance(told, Mapping) else ""
        return self._version

    def login(self) -> str:
        """Log in; the user's id as text. Raises BadCredentials."""
        if self.json2:
            told = self.call("res.users", "context_get")
            return str(told.get("uid", "?")) if isinstance(told, Mapping) else "?"
        return str(self._authenticated())

    def call(
        self, model: str, method: str, ids: Sequence[int] | None = None, *, write: bool = False, **named: Any
    ) -> Any:
        """The result of a method of a model, or of these records. All calls made here may be sent twice.

        ``write`` says that the call changes a record: a refusal is then about this record instead of the stream.
        """
        if self.json2:
            return self._call_json2(model, method, ids, write, named)
        params = [] if ids is None else [list(ids)]
        key = self._config.api_key.get_secret_value()
        args = [self._config.database, self._authenticated(), key, model, method, params]
        answer = self._rpc_answer("object", "execute_kw", [*args, {**named, "context": self.context}], write=write)
        return self._result(answer, f"{model}.{method}", write)

    def close(self) -> None:
        """Give back the sockets."""
        self._http.close()

    # --- JSON-2

    def _call_json2(
        self, model: str, method: str, ids: Sequence[int] | None, write: bool, named: Mapping[str, Any]
    ) -> Any:
        body = {**named, "context": self.context} | ({} if ids is None else {"ids": list(ids)})
        response = self._post(f"/json/2/{model}/{method}", body, write, authenticated=True, allow=_EXPLAINED)
        if response.ok:
            return response.json(lenient=True)
        told = fault_of(_parsed(response))
        raise self._refusal(response, told, f"{model}.{method}", write)

    def _refusal(self, response: Response, told: Fault | None, call: str, write: bool) -> ConnectorError:
        if told is not None:
            told = told._replace(text=response.redactor.text(told.text))
            return error_for(told, connection=self.connection, call=call, write=write)
        if response.status == 404 and not write:
            return no_database(self.connection)  # no model is asked for that every Odoo has not
        return error_of(response, read=not write)

    # --- JSON-RPC

    def _authenticated(self) -> int:
        if self._uid is None:
            key = self._config.api_key.get_secret_value()
            args = [self._config.database, self._config.user, key, {}]
            uid = self._result(self._rpc_answer("common", "authenticate", args), "common.authenticate", write=False)
            if not isinstance(uid, int) or isinstance(uid, bool):
                raise BadCredentials(
                    "{connection}: Odoo refused the user {user} or the key.",
                    connection=self.connection,
                    user=self._config.user,
                )
            self._uid = uid
        return self._uid

    def _rpc_answer(
        self, service: str, method: str, args: list[Any], *, write: bool = False, allow: frozenset[int] = frozenset()
    ) -> Any:
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": 1}
        response = self._post("/jsonrpc", body, write, authenticated=False, allow=allow)
        return _parsed(response)

    def _result(self, answer: Any, call: str, write: bool) -> Any:
        error = answer.get("error") if isinstance(answer, Mapping) else None
        if isinstance(error, Mapping):
            told = fault_of(error.get("data")) or Fault("", str(error.get("message", ""))[:300])
            told = told._replace(text=self._http.redactor.text(told.text))
            failed = error_for(told, connection=self.connection, call=call, write=write)
            if isinstance(failed, BadCredentials):
                self._uid = None
            raise failed
        if not isinstance(answer, Mapping) or "result" not in answer:
            raise StreamBroken(
                "{connection}: {call} answered something that is not Odoo's.", connection=self.connection, call=call
            )
        return answer["result"]

    def _post(self, path: str, body: Any, write: bool, *, authenticated: bool, allow: frozenset[int]) -> Response:
        response = self._http.post(
            path, json=body, read=not write, idempotent=True, allow=allow, authenticated=authenticated
        )
        ours = self._context.now()
        self.clock = min(ours, response.date or ours)
        return response


def _parsed(response: Response) -> Any:
    try:
        return response.json(lenient=True)
    except ConnectorError:
        if response.ok:
            raise
        return None


def _major(version: str) -> int:
    """The series of ``18.0``, ``saas~18.2`` or ``19.0+e``; 0 where there is none."""
    digits = version.removeprefix("saas~").partition(".")[0]
    return int(digits) if digits.isdecimal() else 0
