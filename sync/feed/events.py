"""Events: a change as consumers read it, rendered once and sent to all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from sync.feed.tokens import Token, encode
from sync.master.identity import public_id
from sync.master.lookup import moment
from sync.privacy.masking import without_ids

KINDS = ("created", "updated", "merged", "split", "erased", "deleted")
TYPES = tuple(f"customer.{kind}" for kind in KINDS)
"""What may become of a customer."""
SNAPSHOT = "customer.snapshot"
"""A customer as it is, given to a consumer that begins."""
_PERSONAL = ("golden", "set")
"""The parts of a body that hold personal data."""


class Event:
    """One event. Rendered lazily, with personal data or without; the bytes are kept for the next consumer."""

    __slots__ = ("_bare", "_frames", "_full", "at", "body", "cause", "customer_id", "kind", "size", "token", "version")

    def __init__(
        self, token: Token, customer_id: int, kind: str, version: int, body: str, at: Any, cause: str | None
    ) -> None:
        self.token, self.customer_id, self.kind, self.version = token, customer_id, kind, version
        self.body, self.at, self.cause, self.size = body, at, cause, len(body)
        self._full: bytes | None = None
        self._bare: bytes | None = None
        self._frames: dict[bool, bytes] = {}

    @property
    def type(self) -> str:
        """Its name, e.g. ``customer.updated``."""
        return f"customer.{self.kind}"

    def json(self, *, personal: bool) -> bytes:
        """The event as JSON, with all fields or without personal data."""
        if personal:
            if self._full is None:
                self._full = orjson.dumps(self.told(personal=True), option=orjson.OPT_UTC_Z)
            return self._full
        if self._bare is None:
            self._bare = orjson.dumps(self.told(personal=False), option=orjson.OPT_UTC_Z)
        return self._bare

    def frame(self, *, personal: bool) -> bytes:
        """The event in the format of server-sent events."""
        known = self._frames.get(personal)
        if known is None:
            head = f"id: {encode(self.token)}\nevent: {self.type}\ndata: ".encode()
            known = self._frames[personal] = b"%b%b\n\n" % (head, self.json(personal=personal))
        return known

    def told(self, *, personal: bool) -> dict[str, Any]:
        """The event as a document."""
        body = orjson.loads(self.body)
        before = None if self.version == 1 or self.kind == "snapshot" else self.version - 1
        return {
            "type": self.type,
            "token": encode(self.token),
            "at": moment(self.at),
            "customer": public_id(self.customer_id),
            "version": {"before": before, "after": self.version},
            "changed": changed_fields(body),
            "cause": None if self.cause is None else orjson.Fragment(self.cause),
            "data": body if personal else without_ids({n: body[n] for n in body if n not in _PERSONAL}),
        }


def changed_fields(body: Mapping[str, Any]) -> list[str]:
    """The names of the fields that a change's body sets or takes away."""
    named: Iterable[str] = (*body.get("golden", ()), *body.get("set", ()), *body.get("unset", ()))
    return sorted(set(named))


def of_rows(feed: int, rows: Iterable[Sequence[Any]], after: int | None = None) -> list[Event]:
    """The events of rows (seq, customer id, type, version, body, at, cause) of ``change``."""
    return [Event(Token(feed, seq, after), *rest) for seq, *rest in rows]
