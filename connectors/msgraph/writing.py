"""Writing contacts: create under a mark of our own, update what differs under the contact's entity tag.

Graph has no upsert. A created contact carries a named property with the write's idempotency key, so that the same write
sent again meets its own contact. Several contacts are looked at and written together (``connectors.msgraph.batches``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.incremental import parse_stamp
from connectors.msgraph.batches import TOGETHER, Part, together
from connectors.odata.answers import answer_v4
from connectors.odata.client import ODataClient
from connectors.odata.literals import text, url
from connectors.odata.tracking import TrackedSet
from connectors.odata.writing import Writer, differing, ensure_seen, missing
from connectors.response import Response

MARK = "String {b6d8a1c4-9f0e-4f5b-8a57-2d1c7e3f9a60} Name KehuKey"
"""The named property of created contacts. Never change it."""
_OURS = frozenset({"id", "singleValueExtendedProperties"})

Row = Mapping[str, Any]


class _Change(NamedTuple):
    """A call that changes the contact with this key, or makes one (None)."""

    part: Part
    key: str | None


class ContactWriter(Writer):
    """Writes one address book."""

    def __init__(self, client: ODataClient, contacts: TrackedSet) -> None:
        super().__init__(client)
        self._path = contacts.path

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order: up to twenty together, and alone what could not be so."""
        times = Counter(_name(write) for write in batch)
        once = [(place, write) for place, write in enumerate(batch) if times[_name(write)] == 1]
        results: dict[int, WriteResult] = {}
        for start in range(0, len(once), TOGETHER):
            results |= self._in_batch(dict(once[start : start + TOGETHER]))
        return [results.get(place) or self._result(write) for place, write in enumerate(batch)]

    # --- together

    def _in_batch(self, part: Mapping[int, Write]) -> dict[int, WriteResult]:
        """The results of the writes that went well together, or were refused for good; all others are left out."""
        results: dict[int, WriteResult] = {}
        changes: dict[int, _Change] = {}
        looks = together(self._client, [self._look(write) for write in part.values()])
        for (place, write), look in zip(part.items(), looks, strict=True):
            try:
                change = None if look is None else self._change(write, look)
            except RecordRejected as error:
                results[place] = WriteResult(write.key, error=error)
                continue
            if isinstance(change, _Change):
                changes[place] = change
            elif change is not None:
                results[place] = change
        answers = together(self._client, [change.part for change in changes.values()])
        for (place, change), answer in zip(changes.items(), answers, strict=True):
            result = None if answer is None else self._outcome(change.key, answer)
            if result is not None:
                results[place] = result
        return results

    def _look(self, write: Write) -> Part:
        """The call that shows the contact to update, or those that carry the mark of this write."""
        return Part("GET", self._one(write.key) if write.key is not None else self._marked(write.idempotency_key))

    def _change(self, write: Write, look: Response) -> _Change | WriteResult | None:
        """What is to be sent, or the result where nothing is; None where it has to be seen alone."""
        if look.status == 404 and write.key is not None:
            raise missing("contact", write.key)
        if not look.ok:
            return None
        if write.key is not None:
            there: Row | None = self._client.entity(look)
        else:
            there = next(iter(answer_v4(look).rows), None)
        if there is None:
            return _Change(Part("POST", self._path, _marked_body(write)), None)
        key = write.key or str(there["id"])
        changed, headers = self._changed(write, key, there)
        return _Change(Part("PATCH", self._one(key), changed, headers), key) if changed else WriteResult(key)

    def _outcome(self, key: str | None, answer: Response) -> WriteResult | None:
        """The result of one call; None for a new contact without a key, which is found again by its mark."""
        if answer.ok:
            known = key or self._client.entity(answer).get("id")
            return WriteResult(str(known), created=key is None) if known else None
        error = self._client.error(answer, read=False)
        if not isinstance(error, RecordRejected):
            raise error
        return WriteResult(key, error=error)

    # --- alone

    def _create(self, write: Write) -> WriteResult:
        rows = self._client.page(self._marked(write.idempotency_key)).rows
        if rows and rows[0].get("id"):
            return self._brought(write, str(rows[0]["id"]), rows[0])
        created = self._client.entity(self._client.send("POST", self._path, _marked_body(write)))
        key = created.get("id")
        if not isinstance(key, str) or not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return WriteResult(key, created=True)

    def _update(self, write: Write, key: str) -> WriteResult:
        there = self._client.one(self._one(key))
        if there is None:
            raise missing("contact", key)
        return self._brought(write, key, there)

    def _brought(self, write: Write, key: str, there: Row) -> WriteResult:
        """Bring a contact that is there to what is wanted."""
        changed, headers = self._changed(write, key, there)
        if changed:
            self._client.send("PATCH", self._one(key), changed, headers=headers)
        return WriteResult(key)

    def _changed(self, write: Write, key: str, there: Row) -> tuple[Mapping[str, Any], dict[str, str]]:
        """What of a contact differs, and the entity tag under which it is sent. Raises ``WriteConflict``."""
        etag = there.get("@odata.etag")
        changed = differing(_body(write), there)
        if changed:  # else an earlier try of this very write was heard, though its answer was lost
            ensure_seen(write, key=key, etag=etag, stamp=parse_stamp(there.get("lastModifiedDateTime")))
        return changed, {"If-Match": str(etag)} if etag else {}

    def _one(self, key: str) -> str:
        return f"{self._path}/{quote(key, safe='')}"

    def _marked(self, value: str) -> str:
        """Where the contacts are that an earlier try of the write has created."""
        condition = f"ep/id eq {text(MARK)} and ep/value eq {text(value)}"
        return url(self._path, {"$filter": f"singleValueExtendedProperties/Any(ep: {condition})"})


def _name(write: Write) -> tuple[str, str]:
    """What must not come twice in one batch: the contact, or the mark of a new one."""
    return ("mark", write.idempotency_key) if write.key is None else ("key", write.key)


def _marked_body(write: Write) -> dict[str, Any]:
    mark = {"id": MARK, "value": write.idempotency_key}
    return {**_body(write), "singleValueExtendedProperties": [mark]}


def _body(write: Write) -> Mapping[str, Any]:
    return {name: value for name, value in write.body.items() if name not in _OURS}
