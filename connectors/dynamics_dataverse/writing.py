"""Writing accounts and contacts: upsert under an id of our own or an alternate key, update under an entity tag."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any
from uuid import UUID, uuid5

from connectors.contract import Write, WriteResult
from connectors.errors import BadConfiguration, RecordRejected, StreamBroken
from connectors.incremental import parse_stamp
from connectors.odata.answers import deleted_key
from connectors.odata.batching import Ask, Form
from connectors.odata.client import ODataClient
from connectors.odata.literals import path_text, text
from connectors.odata.stepwise import Steps, StepWriter
from connectors.odata.writing import differing, ensure_seen, missing
from connectors.response import Response

NAMESPACE = UUID("6f0f2b0e-5d43-4c0c-9f5e-2a3c8a7d1e90")
"""Ids of created rows are made of this and the write's idempotency key. Never change it."""
_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_UNSAFE = re.compile(r"""[/<>*%&:\\?+#"']""")
"""Characters that an alternate key's value must not have in a URL (Microsoft Learn, *Use an alternate key*)."""
AT_ONCE = 100
"""Calls of one batch; Dataverse takes a thousand, and answers none before all are done."""
_SHOWN = {"Prefer": "return=representation"}


class DataverseWriter(StepWriter):
    """Writes one table. ``alternate`` is a column with an active alternate key, or None."""

    def __init__(
        self, client: ODataClient, path: str, key: str, alternate: str | None, form: Form | None = None
    ) -> None:
        super().__init__(client, form, AT_ONCE)
        self._path, self._key, self._alternate = path, key, alternate

    def creating(self, write: Write) -> Steps:
        """Upsert by the alternate key where the record has one, else create under an id of our own."""
        body = self._body(write)
        natural = body.get(self._alternate) if self._alternate else None
        if natural is None or natural == "":
            return (yield from self._create_once(write, body))
        if isinstance(natural, str) and not _UNSAFE.search(natural):
            return (yield from self._upsert(natural, body))
        known = yield from self._found(str(natural))
        if known is None:
            return (yield from self._create_once(write, body))
        return (yield from self.updating(write, known))

    def mark(self, write: Write) -> str:
        """The key, or else the value of the alternate key."""
        natural = write.body.get(self._alternate) if self._alternate else None
        return write.key or f"new:{natural or write.idempotency_key}"

    def _create_once(self, write: Write, body: Mapping[str, Any]) -> Steps:
        """Create under an id made of the idempotency key: the same write sent again meets its own row."""
        key = str(uuid5(NAMESPACE, f"{self._path}:{write.idempotency_key}"))
        response = yield from self.send(
            "PATCH", f"{self._path}({key})", body,
            {**_SHOWN, "If-None-Match": "*"}, allow=frozenset({412}), idempotent=True,
        )  # fmt: skip
        if response.ok:
            return WriteResult(self._key_of(response) or key, created=True)
        there = yield from self.one(f"{self._path}({key})", {"$select": self._key})
        if there is not None:
            return WriteResult(key)
        raise self._client.error(response, read=False)

    def _upsert(self, natural: str, body: Mapping[str, Any]) -> Steps:
        fields = {name: value for name, value in body.items() if name != self._alternate}
        path = f"{self._path}({self._alternate}={path_text(natural)})"
        response = yield from self.send("PATCH", path, fields, _SHOWN, allow=frozenset({404}), idempotent=True)
        if response.status == 404:
            raise BadConfiguration(
                "{connection}: {column} is no active alternate key of {table}.",
                setting="alternate_key",
                connection=self._client.connection,
                column=self._alternate,
                table=self._path,
                remedy="Activate the key in Power Apps, or leave the setting `alternate_key` out.",
            )
        key = self._key_of(response)
        if key is None:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return WriteResult(key, created=response.status == 201)

    def _found(self, natural: str) -> Generator[Ask, Response, str | None]:
        params = {"$select": self._key, "$filter": f"{self._alternate} eq {text(natural)}"}
        rows = (yield from self.page(self._path, params)).rows
        return str(rows[0][self._key]) if rows else None

    def updating(self, write: Write, key: str) -> Steps:
        """Look at the row, then send what differs under its entity tag."""
        if not _GUID.match(key):
            raise RecordRejected("{value} is no id of Dataverse.", path="id", value=key, rule="a GUID")
        path = f"{self._path}({key})"
        there = yield from self.one(path)
        if there is None:
            raise missing(self._path, key)
        etag = there.get("@odata.etag")
        changed = differing(self._body(write), there)
        if changed:
            ensure_seen(write, key=key, etag=etag, stamp=parse_stamp(there.get("modifiedon")))
            yield from self.send("PATCH", path, changed, {"If-Match": str(etag or "*")})
        return WriteResult(key)

    def _body(self, write: Write) -> dict[str, Any]:
        return {name: value for name, value in write.body.items() if name != self._key}

    def _key_of(self, response: Response) -> str | None:
        """The key in the answer: the row itself, or the header that names it."""
        shown = self._client.entity(response).get(self._key)
        if isinstance(shown, str) and shown:
            return shown
        return deleted_key({"@removed": {}, "id": response.headers.get("OData-EntityId", "")})
