"""Writing contacts: looked up by email, then created or changed in part.

A ``PUT`` would clear what it does not name, so changes are ``PATCH``; blank values need ``overwriteWithBlank``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken, WriteConflict
from connectors.incremental import first_stamp, iso, parse_stamp
from connectors.mautic.client import MauticClient
from connectors.mautic.contacts import listed
from connectors.response import Response

_BESIDE = {"owner", "tags", "overwriteWithBlank", "id"}
"""Names in a body that are no field of the contact."""


class ContactWriter:
    """Writes contacts, one after the other. Faults of one record are its result; all other errors stop the batch."""

    def __init__(self, client: MauticClient) -> None:
        self._client = client

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order."""
        return [self._result(write) for write in batch]

    def _result(self, write: Write) -> WriteResult:
        try:
            if write.key is not None:
                return self._update(write, write.key)
            return self._create(write)
        except RecordRejected as error:
            return WriteResult(write.key, error=error)

    def _create(self, write: Write) -> WriteResult:
        email = str(write.body.get("email") or "").strip()
        if not email:
            raise RecordRejected("A new record needs {path}, by which an existing one is looked up.", path="email")
        found = self._found(email)
        if found is not None:
            return self._update(write, found)
        response = self._client.send("POST", "/contacts/new", dict(write.body), idempotent=False)
        return WriteResult(self._key(response), created=response.status == 201)

    def _found(self, email: str) -> str | None:
        """The contact with this very address; the search also finds others that are like it."""
        response = self._client.get("/contacts", {"search": f"email:{email}", "limit": 30, "minimal": "true"})
        same = [row for row in listed(response) if str(_values(row).get("email") or "").lower() == email.lower()]
        return str(same[0]["id"]) if same else None

    def _update(self, write: Write, key: str) -> WriteResult:
        row = self._there(key)
        changed_at, seen = first_stamp(row.get("dateModified"), row.get("dateAdded")), parse_stamp(write.expected)
        if write.expected is not None and changed_at is not None and (seen is None or changed_at > seen):
            raise WriteConflict(
                "{key} was changed in the target at {changed}, after we had read it.", key=key, changed=iso(changed_at)
            )
        self._unique(write, key, row)
        now = _values(row)
        changed = {n: v for n, v in write.body.items() if n != "id" and (n in _BESIDE or _differs(v, now.get(n)))}
        if set(changed) - {"overwriteWithBlank"}:
            blank = {"overwriteWithBlank": True} if any(v in (None, "") for v in changed.values()) else {}
            self._client.send("PATCH", f"/contacts/{key}/edit", {**changed, **blank}, idempotent=True)
        return WriteResult(key)

    def _unique(self, write: Write, key: str, row: Mapping[str, Any]) -> None:
        """Refuse an address that another contact has: Mautic would merge the two, which cannot be undone."""
        email = str(write.body.get("email") or "").strip()
        if not email or email.lower() == str(_values(row).get("email") or "").lower():
            return
        other = self._found(email)
        if other is not None and other != key:
            raise WriteConflict("Another contact in Mautic has the value of {path}.", path="email")

    def _there(self, key: str) -> Mapping[str, Any]:
        if not key.isdecimal():
            raise RecordRejected("{value} is no id of Mautic.", path="id", value=key, rule="a number")
        response = self._client.get(f"/contacts/{key}", allow=frozenset({404}))
        found = response.json(lenient=True) if response.ok else None
        row = found.get("contact") if isinstance(found, Mapping) else None
        if not isinstance(row, Mapping):
            raise RecordRejected("There is no contact {key} in Mautic.", path="id", value=key, key=key)
        return row

    def _key(self, response: Response) -> str:
        found = response.json(lenient=True)
        row = found.get("contact") if isinstance(found, Mapping) else None
        key = row.get("id") if isinstance(row, Mapping) else None
        if not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=response.connection
            )
        return str(key)


def _values(row: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = row.get("fields")
    found = fields.get("all") if isinstance(fields, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _differs(value: Any, now: Any) -> bool:
    if value in (None, "") or now in (None, ""):
        return not (value in (None, "") and now in (None, ""))
    return str(value) != str(now)
