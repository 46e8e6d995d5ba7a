"""Writing customers: found by their number, created if there is none, updated under their entity tag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Mapping
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.incremental import parse_stamp
from connectors.odata.batching import Ask, JsonForm
from connectors.odata.client import ODataClient
from connectors.odata.literals import text
from connectors.odata.stepwise import Steps, StepWriter
from connectors.odata.writing import differing, ensure_seen, missing
from connectors.response import Response

LONGEST_NUMBER = 20
AT_ONCE = 100
"""Calls of one batch: the most that Business Central takes."""
_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


class CustomerWriter(StepWriter):
    """Writes the customers at ``path``. ``prefix`` begins the numbers that are made here; empty: none are made."""

    def __init__(self, client: ODataClient, path: str, prefix: str) -> None:
        super().__init__(client, JsonForm(), AT_ONCE)
        self._path, self._prefix = path, prefix

    def creating(self, write: Write) -> Steps:
        """Look for the number, then create or update."""
        number = self._number(write)
        known = yield from self._found(number)
        if known is not None:
            return (yield from self._changed(write, str(known.get("id")), known))
        response = yield from self.send("POST", self._path, {**self._body(write), "number": number})
        key = self._client.entity(response).get("id")
        if not isinstance(key, str) or not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return WriteResult(key, created=True)

    def updating(self, write: Write, key: str) -> Steps:
        """Look at the card, then send what differs."""
        if not _GUID.match(key):
            raise RecordRejected("{value} is no id of Business Central.", path="id", value=key, rule="a GUID")
        there = yield from self.one(f"{self._path}({key})")
        if there is None:
            raise missing("customer", key)
        return (yield from self._changed(write, key, there))

    def _changed(self, write: Write, key: str, there: Mapping[str, Any]) -> Steps:
        etag = there.get("@odata.etag")
        changed = differing(self._body(write), there)
        if changed:
            ensure_seen(write, key=key, etag=etag, stamp=parse_stamp(there.get("lastModifiedDateTime")))
            yield from self.send("PATCH", f"{self._path}({key})", changed, {"If-Match": str(etag or "*")})
        return WriteResult(key)

    def mark(self, write: Write) -> str:
        """The key, or else the number."""
        return write.key or f"number:{str(write.body.get('number') or write.idempotency_key).strip().upper()}"

    def _found(self, number: str) -> Generator[Ask, Response, dict[str, Any] | None]:
        answer = yield from self.page(self._path, {"$filter": f"number eq {text(number)}"})
        return next((row for row in answer.rows if row.get("number") == number), None)

    def _number(self, write: Write) -> str:
        """The customer's number, by which a repeated write finds it; made of the write itself if there is none."""
        given = str(write.body.get("number") or "").strip().upper()
        if given:
            return self._fitting(given)
        if not self._prefix:
            raise RecordRejected(
                "A new customer needs {path}, by which an existing one is looked up.",
                path="number",
                rule="not empty",
                remedy="Map a number, or set `number_prefix` so that numbers are made.",
            )
        digest = hashlib.sha256(write.idempotency_key.encode()).hexdigest().upper()
        return (self._prefix + digest)[:LONGEST_NUMBER]

    def _fitting(self, number: str) -> str:
        if len(number) > LONGEST_NUMBER:
            raise RecordRejected(
                "{value} is longer than a number may be in Business Central.",
                path="number",
                value=number,
                rule=f"at most {LONGEST_NUMBER} characters",
            )
        return number

    def _body(self, write: Write) -> dict[str, Any]:
        body = {name: value for name, value in write.body.items() if name != "id"}
        if body.get("number"):
            body["number"] = self._fitting(str(body["number"]).strip().upper())
        else:
            body.pop("number", None)
        return body
