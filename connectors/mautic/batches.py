"""Several contacts in one call: looked at by a search for their ids, and changed together.

What is done together is only ever quicker: a contact that the search does not bring is asked for alone, and unless
every change of a call is told to have been made, each is sent again alone (made twice, a change is the same).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Page
from connectors.errors import RecordRejected, StreamBroken
from connectors.mautic.client import MauticClient
from connectors.mautic.contacts import is_anonymous, listed, one, record_of

TOGETHER = 100
"""Mautic is said to take 200; a smaller call ends before the time-outs of small hosts."""

Change = tuple[str, Mapping[str, Any]]
"""The id of a contact, and the fields to change."""


def fetched(client: MauticClient, keys: Sequence[str]) -> Page:
    """Single contacts as they are now. Gone are those that are not there, and visitors whom nobody knows."""
    asked = [key for key in dict.fromkeys(keys) if key.isdecimal()]
    there: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(asked), TOGETHER):
        part = asked[start : start + TOGETHER]
        brought = seen_together(client, part) if len(part) > 1 else {}
        rows = ((key, brought.get(key) or one(client, key)) for key in part)
        there |= {key: row for key, row in rows if row is not None and not is_anonymous(row)}
    return Page([record_of(row) for row in there.values()], {}, [key for key in asked if key not in there])


def seen_together(client: MauticClient, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Those of these contacts that one search brings, by id; all others have to be asked for alone."""
    params = {"search": f"ids:{','.join(keys)}", "limit": len(keys), "start": 0}
    try:
        rows = listed(client.get("/contacts", params))
    except StreamBroken:
        return {}
    wanted = set(keys)
    return {str(row["id"]): row for row in rows if str(row["id"]) in wanted}


def changed_together(client: MauticClient, changes: Sequence[Change]) -> bool:
    """Change contacts in one call; whether Mautic says of each that it was changed."""
    body = [{"id": int(key), **fields} for key, fields in changes]
    try:
        response = client.send("PATCH", "/contacts/batch/edit", body, idempotent=True)
    except RecordRejected:
        return False
    found = response.json(lenient=True)
    codes = found.get("statusCodes") if isinstance(found, Mapping) else None
    codes = list(codes.values()) if isinstance(codes, Mapping) else codes
    return isinstance(codes, list) and len(codes) == len(changes) and all(code in (200, 201) for code in codes)
