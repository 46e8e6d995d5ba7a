"""Writing partners: imported under an external id made of the write, so that a repeated write meets its own partner.

Odoo has no upsert by a natural key. ``load`` (its import) creates or updates the record that bears an external id
(``ir.model.data``), in one transaction; what exists already is looked up by the match field before. Updates send only
what differs, after a look at the partner's change stamp.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import PermissionMissing, RecordRejected, StreamBroken, WriteConflict
from connectors.incremental import iso, parse_stamp
from connectors.odoo.client import OdooClient
from connectors.odoo.partners import MODEL, normalised
from connectors.writing import PartWriter

MODULE = "__kehu__"
"""Under this name, as if it were a module, stand the external ids of partners that we created. Never change it."""
_TARGETS = ("many2one", "one2many", "many2many")


class PartnerWriter(PartWriter):
    """Writes partners."""

    def __init__(self, client: OdooClient, known: Mapping[str, Mapping[str, Any]], match_field: str | None) -> None:
        self._client, self._known, self._match = client, known, match_field

    def _result(self, write: Write) -> WriteResult:
        try:
            body = self._checked(write.body)
            return self._create(write, body) if write.key is None else self._update(write, write.key, body)
        except RecordRejected as error:
            return WriteResult(write.key, error=error)

    def _checked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body without the key; unknown fields are refused by name before anything is sent."""
        for name in body:
            if name not in self._known and name != "id":
                raise RecordRejected("Odoo's partners have no field {path}.", path=name, rule="a field of res.partner")
        return {name: value for name, value in body.items() if name != "id"}

    # --- create

    def _create(self, write: Write, body: dict[str, Any]) -> WriteResult:
        ours = self._loaded_before(write.idempotency_key)
        if ours is not None:
            return self._update(write, ours, body)
        found = self._matched(body)
        if found is not None:
            return self._update(write, found, body)
        simple = {name: value for name, value in body.items() if self._loadable(name, value)}
        key = self._load(write.idempotency_key, simple)
        rest = {name: value for name, value in body.items() if name not in simple}
        if rest:
            self._client.call(MODEL, "write", [int(key)], write=True, vals=_values(rest))
        return WriteResult(key, created=True)

    def _loaded_before(self, idempotency_key: str) -> str | None:
        """The partner that an earlier try of this write has made."""
        domain = [["module", "=", MODULE], ["name", "=", external_name(idempotency_key)], ["model", "=", MODEL]]
        try:
            rows = self._client.call("ir.model.data", "search_read", domain=domain, fields=["res_id"], limit=1)
        except (StreamBroken, PermissionMissing):  # not for this user's eyes: the import finds it all the same
            return None
        known = [row["res_id"] for row in rows if isinstance(row, dict) and row.get("res_id")]
        return str(known[0]) if known and self._there([int(known[0])], []) else None

    def _matching(self, body: Mapping[str, Any]) -> Any:
        """The value of the match field; an empty text where there is none to match by."""
        value = body.get(self._match) if self._match else None
        return "" if value in (None, False) or isinstance(value, (list, dict)) else value

    def _matched(self, body: Mapping[str, Any]) -> str | None:
        """The one partner whose match field has this value. Several are a conflict: none is better than another."""
        value = self._matching(body)
        if value == "":
            return None
        domain = [[self._match, "=", value]]
        rows = self._client.call(MODEL, "search_read", domain=domain, fields=["id"], limit=2, order="id asc")
        if len(rows) > 1:
            raise WriteConflict(
                "Several partners in Odoo have the value {value} in {path}.", path=str(self._match), value=str(value)
            )
        return str(rows[0]["id"]) if rows else None

    def _loadable(self, name: str, value: Any) -> bool:
        """Whether the import takes it as text: everything but lists, and nothing that is empty."""
        kind = self._known[name].get("type")
        return value not in (None, False, "") and not isinstance(value, (list, dict)) and kind not in _TARGETS[1:]

    def _load(self, idempotency_key: str, body: Mapping[str, Any]) -> str:
        columns = {self._column(name): self._text(value) for name, value in body.items()}
        external = f"{MODULE}.{external_name(idempotency_key)}"
        told = self._client.call(
            MODEL, "load", write=True, fields=["id", *columns], data=[[external, *columns.values()]]
        )
        ids = told.get("ids") if isinstance(told, dict) else None
        if not ids:
            raise self._unloaded(told)
        return str(ids[0])

    def _column(self, name: str) -> str:
        """A field as the import names it; ``/.id`` says that a reference is given by its number in the database."""
        return f"{name}/.id" if self._known[name].get("type") == "many2one" else name

    @staticmethod
    def _text(value: Any) -> str:
        return ("1" if value else "0") if isinstance(value, bool) else str(value)

    def _unloaded(self, told: Any) -> RecordRejected:
        messages = told.get("messages") if isinstance(told, dict) else None
        first = messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else {}
        reason = str(first.get("message") or "no reason given")[:300]
        return RecordRejected(
            "{connection}: Odoo refused the record: {reason}",
            connection=self._client.connection,
            path=str(first.get("field") or "")[:80],
            rule=reason,
            reason=reason,
        )

    # --- update

    def _update(self, write: Write, key: str, body: Mapping[str, Any]) -> WriteResult:
        if not key.isdecimal():
            raise RecordRejected("{value} is no id of Odoo.", path="id", value=key, rule="a number")
        there = self._there([int(key)], [*body, "write_date"])
        if there is None:
            raise RecordRejected("There is no partner {key} in Odoo.", path="id", value=key, key=key)
        return self.settled(write, key, body, there)

    def settled(self, write: Write, key: str, body: Mapping[str, Any], there: Mapping[str, Any]) -> WriteResult:
        """Send what a partner, as it was just seen, has not yet."""
        changed = {name: value for name, value in body.items() if not self._same(name, value, there)}
        if changed:
            _ensure_seen(write, key, there)
            self._client.call(MODEL, "write", [int(key)], write=True, vals=_values(changed))
        return WriteResult(key)

    def _there(self, ids: list[int], names: list[str]) -> dict[str, Any] | None:
        rows = self._client.call(
            MODEL, "search_read", domain=[["id", "in", ids]], fields=["id", *names], limit=len(ids)
        )
        return normalised(rows[0], self._known) if rows else None

    def _same(self, name: str, value: Any, there: Mapping[str, Any]) -> bool:
        """Whether the partner has this value. Lists may be commands, whose effect only Odoo knows."""
        if name not in there or isinstance(value, (list, dict)):
            return False
        now = there[name]
        if isinstance(now, list) and self._known[name].get("type") == "many2one":
            now = now[0] if now else None
        empty = (None, False, "") if self._known[name].get("type") != "boolean" else ()
        return (value in empty and now in empty) or (value == now and isinstance(value, bool) == isinstance(now, bool))


def _ensure_seen(write: Write, key: str, there: Mapping[str, Any]) -> None:
    """Raise ``WriteConflict`` when the partner was changed after the state that the caller has last seen.

    Stamps are whole seconds: a change within the very second that was seen is not noticed.
    """
    changed, seen = parse_stamp(there.get("write_date")), parse_stamp(write.expected)
    if write.expected is None or changed is None or (seen is not None and changed <= seen):
        return
    raise WriteConflict(
        "{key} was changed in the target at {changed}, after we had read it.", key=key, changed=iso(changed)
    )


def external_name(idempotency_key: str) -> str:
    """An external id's name: letters and digits only, of bounded length, the same for each try."""
    return "w_" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]


def _values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Odoo takes them: false for an empty field."""
    return {name: False if value is None else value for name, value in body.items()}
