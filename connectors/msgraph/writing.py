"""Writing contacts: create under a mark of our own, update what differs under the contact's entity tag.

Graph has no upsert. A created contact carries a named property with the write's idempotency key, so that the same write
sent again meets its own contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.contract import Write, WriteResult
from connectors.errors import StreamBroken
from connectors.incremental import parse_stamp
from connectors.odata.client import ODataClient
from connectors.odata.literals import text
from connectors.odata.tracking import TrackedSet
from connectors.odata.writing import Writer, differing, ensure_seen, missing

MARK = "String {b6d8a1c4-9f0e-4f5b-8a57-2d1c7e3f9a60} Name KehuKey"
"""The named property of created contacts. Never change it."""
_OURS = frozenset({"id", "singleValueExtendedProperties"})


class ContactWriter(Writer):
    """Writes one address book."""

    def __init__(self, client: ODataClient, contacts: TrackedSet) -> None:
        super().__init__(client)
        self._path = contacts.path

    def _create(self, write: Write) -> WriteResult:
        known = self._marked(write.idempotency_key)
        if known is not None:
            return self._update(write, known)
        mark = {"id": MARK, "value": write.idempotency_key}
        body = {**_body(write), "singleValueExtendedProperties": [mark]}
        created = self._client.entity(self._client.send("POST", self._path, body))
        key = created.get("id")
        if not isinstance(key, str) or not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return WriteResult(key, created=True)

    def _marked(self, value: str) -> str | None:
        """The contact that an earlier try of the write has created."""
        condition = f"ep/id eq {text(MARK)} and ep/value eq {text(value)}"
        params = {"$filter": f"singleValueExtendedProperties/Any(ep: {condition})", "$select": "id"}
        rows = self._client.page(self._path, params).rows
        return str(rows[0]["id"]) if rows and rows[0].get("id") else None

    def _update(self, write: Write, key: str) -> WriteResult:
        path = f"{self._path}/{quote(key, safe='')}"
        there = self._client.one(path)
        if there is None:
            raise missing("contact", key)
        etag = there.get("@odata.etag")
        ensure_seen(write, key=key, etag=etag, stamp=parse_stamp(there.get("lastModifiedDateTime")))
        changed = differing(_body(write), there)
        if changed:
            self._client.send("PATCH", path, changed, headers={"If-Match": str(etag)} if etag else None)
        return WriteResult(key)


def _body(write: Write) -> Mapping[str, Any]:
    return {name: value for name, value in write.body.items() if name not in _OURS}
