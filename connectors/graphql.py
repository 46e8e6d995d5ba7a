"""GraphQL over HTTP with a budget of calculated cost, as Shopify and others meter it.

A service answers status 200 also for errors; each answer tells what the query cost, how many points are left and how
fast they come back (``extensions.cost``). Points belong to the account, not to this process: when fewer are left than
the query just made asks for, everyone on the account pauses, through the shared call budget, until they have come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from connectors.contract import Context
from connectors.errors import (
    ConnectorError,
    PermissionMissing,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
)
from connectors.http import Client
from connectors.response import Response

Kinds = Mapping[str, Callable[..., ConnectorError]]
"""What a service's error codes mean, by code."""


class TooCostly(StreamBroken):
    """The query can never be paid for: ask for less at once."""

    default_remedy = "Ask for smaller pages."


KINDS: Kinds = {"ACCESS_DENIED": PermissionMissing, "MAX_COST_EXCEEDED": TooCostly}
THROTTLED, FAILED = "THROTTLED", "INTERNAL_SERVER_ERROR"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a query asks for, and the account's points: the most, those left, those that come back each second."""

    requested: float
    maximum: float
    available: float
    rate: float

    @property
    def wait(self) -> float:
        """Seconds until a query that asks for as much as this one can be paid for."""
        return max(0.0, self.requested - self.available) / self.rate

    @classmethod
    def told(cls, extensions: Any) -> Cost | None:
        """The cost of an answer's ``extensions``; None where it tells none."""
        cost = extensions.get("cost") if isinstance(extensions, Mapping) else None
        status = cost.get("throttleStatus") if isinstance(cost, Mapping) else None
        if not isinstance(cost, Mapping) or not isinstance(status, Mapping):
            return None
        told = (cost.get("requestedQueryCost"), *map(status.get, ("maximumAvailable", "currentlyAvailable")))
        numbers = [float(n) if isinstance(n, int | float) and n >= 0 else None for n in told]
        rate = status.get("restoreRate")
        if None in numbers or not isinstance(rate, int | float) or rate <= 0:
            return None
        requested, maximum, available = (n or 0.0 for n in numbers)
        return cls(requested, maximum, available, float(rate))


class _Head(msgspec.Struct):
    """All of an answer but its data, which stays undecoded."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: Any = None
    extensions: Any = None


_HEAD = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer without errors. ``data`` is decoded each time it is asked for."""

    response: Response
    extensions: Any = None

    @property
    def data(self) -> dict[str, Any]:
        """The answer's data; empty where there is none."""
        found = self.response.json().get("data")
        return found if isinstance(found, dict) else {}


class GraphQL:
    """One GraphQL endpoint at ``path`` of a system. ``kinds`` are the meanings of the service's own error codes.

    Every query that answers with errors raises, also one that answers with some data too: what is null because it was
    not allowed must not pass for empty.
    """

    def __init__(self, context: Context, base_url: str, path: str, *, kinds: Kinds | None = None, **options: Any):
        self._path, self._kinds = path, {**KINDS, **(kinds or {})}
        self.http = Client(context, base_url, inspect=self._inspect, **options)

    def ask(self, document: str, variables: Mapping[str, Any] | None = None, *, read: bool = True) -> Reply:
        """One query, or with ``read=False`` one mutation that is safe to repeat. Raises ``connectors.errors``."""
        body = {"query": document, "variables": dict(variables or {})}
        response = self.http.post(self._path, json=body, read=read, idempotent=True)
        head = self._head(response)
        if head.errors:
            raise self._refusal(response, head, read)
        if bytes(head.data) == b"null":
            raise StreamBroken("{connection}: {path} answered without data.", **_where(response))
        return Reply(response, head.extensions)

    def _head(self, response: Response) -> _Head:
        head: _Head = response.parse(_HEAD.decode)
        return head

    def _inspect(self, response: Response) -> None:
        """Pause for points; raise what is worth another try of the same call."""
        head = self._head(response)
        cost, codes = Cost.told(head.extensions), {_code(error) for error in _listed(head.errors)}
        now = self.http.context.now()
        if cost is not None and cost.requested > cost.maximum > 0:
            raise TooCostly(
                "{connection}: a query asks for {requested} points and the account never has more than {maximum}.",
                requested=cost.requested,
                maximum=cost.maximum,
                **_where(response),
            )
        if THROTTLED in codes:
            until = now + timedelta(seconds=cost.wait if cost else 0)
            raise WaitUntil(
                "{connection}: the points for queries are used up for now.", until=until, **_where(response)
            )
        if FAILED in codes:
            raise RetryLater(
                "{connection}: {path} failed on the other side: {reason}", reason=_said(head.errors, response),
                **_where(response),
            )  # fmt: skip
        if cost is not None and cost.wait > 0:
            self.http.budget.pause_until(now + timedelta(seconds=cost.wait))

    def _refusal(self, response: Response, head: _Head, read: bool) -> ConnectorError:
        codes = [_code(error) for error in _listed(head.errors)]
        known = next((code for code in codes if code in self._kinds), None)
        kind = self._kinds[known] if known else StreamBroken if read else RecordRejected
        return kind(
            "{connection}: {path} was refused: {reason} ({code})",
            reason=_said(head.errors, response),
            code=known or next(filter(None, codes), "?"),
            **_where(response),
        )

    def close(self) -> None:
        """Give back the sockets."""
        self.http.close()


def _listed(errors: Any) -> list[Any]:
    """The errors one by one; some services answer a mere text."""
    return errors if isinstance(errors, list) else [errors] if errors else []


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, Mapping) else None
    code = extensions.get("code") if isinstance(extensions, Mapping) else None
    return code[:80] if isinstance(code, str) else ""


def _said(errors: Any, response: Response) -> str:
    """All messages with the fields they are about, masked and short."""
    texts = []
    for error in _listed(errors):
        message = error.get("message") if isinstance(error, Mapping) else error
        path = error.get("path") if isinstance(error, Mapping) else None
        named = [str(step) for step in path if isinstance(step, str)] if isinstance(path, list) else []
        texts.append(f"{message} [{'.'.join(named)}]" if named else str(message))
    return response.redactor.excerpt(" ".join(dict.fromkeys(texts)).encode(), 300)


def _where(response: Response) -> dict[str, Any]:
    return {"connection": response.connection, "path": response.path}
