"""Writing business partners: created once by a mark of ours, updated under entity tags, parts by their own."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import BadConfiguration, RecordRejected, StreamBroken, WriteConflict
from connectors.odata.batching import Ask, MultipartForm
from connectors.odata.client import ODataClient
from connectors.odata.csrf import CsrfSession
from connectors.odata.literals import path_text, plain_v2, text
from connectors.odata.stepwise import Steps, StepWriter
from connectors.odata.writing import differing, ensure_seen, missing
from connectors.response import Response
from connectors.sap_s4hana.partners import KEY, PATH, Partners, partner_key

AT_ONCE = 50
"""Calls of one batch: SAP takes its time for each, and answers none before all are done."""
MARKS = "A_BuPaIdentification"
PARTS: Mapping[str, tuple[str, str]] = {
    "to_BusinessPartnerAddress": ("A_BusinessPartnerAddress", "AddressID"),
    "to_BusinessPartnerTax": ("A_BusinessPartnerTaxNumber", "BPTaxType"),
}
"""The parts an update can change: their entity set and the field that tells one of a partner's from another."""


class PartnerWriter(StepWriter):
    """Writes business partners. ``mark_type`` is the identification type that marks those created here."""

    def __init__(self, client: ODataClient, partners: Partners, mark_type: str) -> None:
        super().__init__(client, MultipartForm(), AT_ONCE)
        self._partners, self._mark_type, self._changes = partners, mark_type, CsrfSession(client)

    def creating(self, write: Write) -> Steps:
        """Look for the mark of an earlier try, then create the partner with all its parts."""
        number = self._mark(write)
        known = yield from self._marked(number)
        if known is not None:
            return WriteResult(known)
        mark = {"BPIdentificationType": self._mark_type, "BPIdentificationNumber": number}
        body = {name: value for name, value in write.body.items() if name != KEY}
        body["to_BuPaIdentification"] = [*body.get("to_BuPaIdentification", []), mark]
        made = yield from self.send("POST", PATH, body)
        key = self._client.entity(made).get(KEY)
        if not isinstance(key, str) or not key:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return WriteResult(partner_key(key), created=True)

    def _mark(self, write: Write) -> str:
        if not self._mark_type:
            raise BadConfiguration(
                "{connection}: business partners cannot be created without an identification type to mark them.",
                setting="identification_type",
                connection=self._client.connection,
                remedy="Make a type of your own in SAP and set `identification_type`; see the connector's README.",
            )
        return "KEHU" + hashlib.sha256(write.idempotency_key.encode()).hexdigest()[:40].upper()

    def _marked(self, number: str) -> Generator[Ask, Response, str | None]:
        """The partner that an earlier try has created."""
        condition = f"BPIdentificationType eq {text(self._mark_type)} and BPIdentificationNumber eq {text(number)}"
        rows = (yield from self.page(MARKS, {"$filter": condition})).rows
        found = (row for row in rows if row.get("BPIdentificationNumber") == number)
        return next((partner_key(str(row.get(KEY))) for row in found), None)

    def updating(self, write: Write, key: str) -> Steps:
        """Look at the partner and its parts, then send what differs, each under its own tag."""
        key = partner_key(key)
        scalars, parts = _taken_apart(write)
        path = f"{PATH}({path_text(key)})"
        there = yield from self.one(path, {"$expand": ",".join(parts)})
        if there is None:
            raise missing("business partner", key)
        if _lacks(there, scalars, parts):
            ensure_seen(write, key=key, etag=_etag(there), stamp=self._partners.changed(there))
        sent = yield from self._patch(path, scalars, there)
        for name, items in parts.items():
            for item in items:
                now: Mapping[str, Any] | None = there
                if sent:  # a change of the partner or of a part may move the tags of all of them
                    now = yield from self.one(path, {"$expand": ",".join(parts)})
                sent |= yield from self._write_part(key, name, item, _rows(there, name), _rows(now or {}, name))
        return WriteResult(key)

    def _patch(self, path: str, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> Generator[Ask, Response, bool]:
        """Send what differs; whether anything did."""
        changed = differing(wanted, plain_v2(there))
        if changed:
            yield from self.send("PATCH", path, changed, {"If-Match": _etag(there) or "*"})
        return bool(changed)

    def _write_part(
        self,
        key: str,
        name: str,
        item: Mapping[str, Any],
        before: list[Mapping[str, Any]],
        rows: list[Mapping[str, Any]],
    ) -> Generator[Ask, Response, bool]:
        """Change the part that the item names; else add it, unless one like it is there. Whether anything was sent."""
        entity, own = PARTS[name]
        named, was = _named(own, item, rows), _named(own, item, before)
        if was is not None and (named is None or plain_v2(named) != plain_v2(was)):
            raise WriteConflict(
                "{key} was changed in the target at {changed}, after we had read it.", key=key, changed="?", path=name
            )
        if named is not None:
            wanted = {field: value for field, value in item.items() if field not in (own, KEY)}
            path = f"{entity}({KEY}={path_text(key)},{own}={path_text(str(item[own]))})"
            return (yield from self._patch(path, wanted, named))
        if any(not differing(item, plain_v2(row)) for row in rows):
            return False
        yield from self.send("POST", f"{PATH}({path_text(key)})/{name}", dict(item))
        return True

    def _alone(self, ask: Ask) -> Response:
        if ask.reads:
            return super()._alone(ask)
        return self._changes.send(ask.method, ask.path, ask.body, ask.headers)

    def _batch(self, content: bytes, headers: Mapping[str, str], *, reads: bool) -> Response:
        return self._changes.batch(content, headers, reads=reads)


def _taken_apart(write: Write) -> tuple[dict[str, Any], dict[str, list[Mapping[str, Any]]]]:
    """Plain fields and parts. Raises ``RecordRejected`` for parts that an update cannot change."""
    scalars: dict[str, Any] = {}
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for name, value in write.body.items():
        if name == KEY:
            continue
        if not name.startswith("to_"):
            scalars[name] = value
        elif name in PARTS and isinstance(value, list) and all(_flat(item) for item in value):
            parts[name] = value
        else:
            raise RecordRejected(
                "{path} is written only when a business partner is created.",
                path=name,
                rule=f"one of {', '.join(PARTS)}, as a list of objects without further parts",
            )
    return scalars, parts


def _lacks(there: Mapping[str, Any], scalars: Mapping[str, Any], parts: Mapping[str, list[Mapping[str, Any]]]) -> bool:
    """Whether anything that is wanted is not there yet."""
    if differing(scalars, plain_v2(there)):
        return True
    for name, items in parts.items():
        rows, own = _rows(there, name), PARTS[name][1]
        for item in items:
            named = _named(own, item, rows)
            if all(differing(item, plain_v2(row)) for row in (rows if named is None else [named])):
                return True
    return False


def _rows(there: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    nested = there.get(name)
    return nested.get("results", []) if isinstance(nested, Mapping) else []


def _named(own: str, item: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The part that an item names by its own field."""
    return next((row for row in rows if item.get(own) and row.get(own) == item[own]), None)


def _flat(item: Any) -> bool:
    return isinstance(item, Mapping) and not any(str(name).startswith("to_") for name in item)


def _etag(row: Mapping[str, Any]) -> str | None:
    found = row.get("__metadata")
    etag = found.get("etag") if isinstance(found, Mapping) else None
    return etag if isinstance(etag, str) and etag else None
