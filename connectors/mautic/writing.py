"""Writing contacts: looked up by email, then created or changed in part.

A ``PUT`` would clear what it does not name, so changes are ``PATCH``; blank values need ``overwriteWithBlank``. Several
contacts are looked at and changed together (``connectors.mautic.batches``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken, WriteConflict
from connectors.incremental import first_stamp, iso, parse_stamp
from connectors.mautic.batches import TOGETHER, Change, changed_together, seen_together
from connectors.mautic.client import MauticClient
from connectors.mautic.contacts import listed, one
from connectors.response import Response

_BESIDE = {"owner", "tags", "overwriteWithBlank", "id"}
"""Names in a body that are no field of the contact."""


class ContactWriter:
    """Writes contacts. Faults of one record are its result; all other errors stop the batch."""

    def __init__(self, client: MauticClient) -> None:
        self._client = client

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order."""
        times = Counter(write.key for write in batch)
        once = [(n, write) for n, write in enumerate(batch) if times[write.key] == 1 and str(write.key).isdecimal()]
        results: dict[int, WriteResult] = {}
        for start in range(0, len(once), TOGETHER):
            results |= self._together(dict(once[start : start + TOGETHER]))
        return [results.get(place) or self._result(write) for place, write in enumerate(batch)]

    # --- together

    def _together(self, part: Mapping[int, Write]) -> dict[int, WriteResult]:
        """The results of the contacts that can be changed together; all others are left to be written alone."""
        once = {place: str(write.key) for place, write in part.items()}
        if len(once) < 2:
            return {}
        there = seen_together(self._client, list(once.values()))
        results: dict[int, WriteResult] = {}
        changes: dict[int, Change] = {}
        for place, key in once.items():
            if key not in there:
                continue
            try:
                changed = self._changed(part[place], key, there[key])
            except RecordRejected as error:
                results[place] = WriteResult(key, error=error)
                continue
            if not changed:
                results[place] = WriteResult(key)
            elif not _blanks(changed):  # whether a batch takes the mark for blanks is not documented
                changes[place] = key, changed
        return results | self._sent(changes)

    def _sent(self, changes: Mapping[int, Change]) -> dict[int, WriteResult]:
        if len(changes) > 1 and changed_together(self._client, list(changes.values())):
            return {place: WriteResult(key) for place, (key, _) in changes.items()}
        results = {}
        for place, (key, changed) in changes.items():
            try:
                results[place] = self._send(key, changed)
            except RecordRejected as error:
                results[place] = WriteResult(key, error=error)
        return results

    # --- alone

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
        changed = self._changed(write, key, self._there(key))
        return self._send(key, changed) if changed else WriteResult(key)

    def _changed(self, write: Write, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """What of a contact differs; raises ``WriteConflict`` for one that was changed since we saw it."""
        now = _values(row)
        changed = {n: v for n, v in write.body.items() if n != "id" and (n in _BESIDE or _differs(v, now.get(n)))}
        if not set(changed) - {"overwriteWithBlank"}:  # an earlier try may have been heard, though its answer was lost
            return {}
        changed_at, seen = first_stamp(row.get("dateModified"), row.get("dateAdded")), parse_stamp(write.expected)
        if write.expected is not None and changed_at is not None and (seen is None or changed_at > seen):
            raise WriteConflict(
                "{key} was changed in the target at {changed}, after we had read it.", key=key, changed=iso(changed_at)
            )
        self._unique(write, key, row)
        return changed

    def _send(self, key: str, changed: Mapping[str, Any]) -> WriteResult:
        blank = {"overwriteWithBlank": True} if _blanks(changed) else {}
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
        row = one(self._client, key)
        if row is None:
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


def _blanks(changed: Mapping[str, Any]) -> bool:
    return "overwriteWithBlank" in changed or any(value in (None, "") for value in changed.values())


def _differs(value: Any, now: Any) -> bool:
    if value in (None, "") or now in (None, ""):
        return not (value in (None, "") and now in (None, ""))
    return str(value) != str(now)
