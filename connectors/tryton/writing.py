"""Creating and updating parties, safely repeatable.

Tryton has no idempotency keys. A created party carries an identifier ``kehu:<idempotency key>``; the same write sent
again finds it. An update adds what the party lacks and changes what it names; nothing is ever removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import ConnectorError, NeedsHuman, RecordRejected, RetryLater, WaitUntil, WriteConflict
from connectors.tryton.client import TrytonClient
from connectors.tryton.parts import PARTY, changed_at
from connectors.writing import PartWriter, differing

MARK = "kehu:"
SCALARS = frozenset({"name", "code", "active"})
PARTS: Mapping[str, tuple[str, ...]] = {
    "contact_mechanisms": ("type", "value"),
    "identifiers": ("type", "code"),
    "addresses": ("street", "postal_code", "city"),
}
"""The parts that can be written, and by which fields one of them is recognised as already there."""
POINTERS = {"country": ("country.country", "code"), "subdivision": ("country.subdivision", "name")}


class PartyWriter(PartWriter):
    """Writes parties of one database."""

    def __init__(self, client: TrytonClient) -> None:
        self._client = client
        self._pointed: dict[tuple[str, str], int | None] = {}

    def _result(self, write: Write) -> WriteResult:
        try:
            if write.key is not None:
                return self._update(write, write.key)
            known = self._written_before(write)
            return WriteResult(str(known)) if known is not None else self._create(write)
        except (NeedsHuman, RetryLater, WaitUntil):
            raise
        except ConnectorError as error:
            return WriteResult(write.key, error=error)

    def _written_before(self, write: Write) -> int | None:
        domain = [["identifiers.code", "=", MARK + write.idempotency_key]]
        found = self._search(PARTY, domain)
        return found[0] if found else None

    def _create(self, write: Write) -> WriteResult:
        values = self.new(write)
        self._code_is_free(values)
        (key,) = self._client.call(f"model.{PARTY}.create", [values], write=True)
        return WriteResult(str(key), created=True)

    def new(self, write: Write) -> dict[str, Any]:
        """A new party as Tryton takes it, with the mark of its write."""
        values = self._scalars(write.body)
        for name in PARTS:
            items = [self._values(name, item) for item in _items(write.body, name)]
            if name == "identifiers":
                items.append({"code": MARK + write.idempotency_key})
            if items:
                values[name] = [["create", items]]
        return values

    def _update(self, write: Write, key: str) -> WriteResult:
        number = number_of(key)
        rows = self.current([number])
        if not rows:
            raise RecordRejected("There is no party {key} in Tryton.", path="id", value=key, key=number)
        values = self.changes(write, rows[0])
        self._code_is_free(values, number)
        if values:
            lock = {lock_of(number): rows[0]["_timestamp"]}
            self._client.call(f"model.{PARTY}.write", [number], values, write=True, _timestamp=lock)
        return WriteResult(key)

    def changes(self, write: Write, row: Mapping[str, Any]) -> dict[str, Any]:
        """What a party lacks. Raises ``WriteConflict`` where it lacks something and is newer than last seen."""
        values, newest = differing(self._scalars(write.body), row), changed_at(row)
        for name in PARTS:
            actions = self._actions(name, _items(write.body, name), row.get(f"{name}.") or [])
            if actions:
                values[name] = actions
        if values and write.expected is not None and newest is not None and newest > write.expected:
            raise WriteConflict("Party {key} was changed in Tryton at {changed}.", key=write.key, changed=newest)
        return values

    def current(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """These parties as they are now, with what their parts are recognised by."""
        fields = ["_timestamp", "create_date", "write_date", *sorted(SCALARS)]
        for name, recognised in PARTS.items():
            fields += [f"{name}.{field}" for field in (*recognised, "create_date", "write_date")]
        domain = [["id", "in", list(numbers)]]
        rows: list[dict[str, Any]] = self._client.call(
            f"model.{PARTY}.search_read", domain, 0, len(numbers), None, fields, active_test=False
        )
        return rows

    def _actions(self, name: str, wanted: list[Mapping[str, Any]], there: list[Mapping[str, Any]]) -> list[Any]:
        """What to do to a party's parts: change those named by id, add those it lacks."""
        known = {_face(name, item) for item in there}
        ids = {item["id"] for item in there}
        actions: list[Any] = []
        for item in wanted:
            values = self._values(name, item)
            if item.get("id") in ids:
                actions.append(["write", [item["id"]], values])
            elif _face(name, values) not in known:
                known.add(_face(name, values))
                actions.append(["create", [values]])
        return actions

    def _scalars(self, body: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(body) - SCALARS - set(PARTS) - {"id"})
        if unknown:
            raise RecordRejected(
                "Tryton's parties are not written with the field {field}.",
                path=unknown[0],
                field=unknown[0],
                rule=f"one of {', '.join(sorted(SCALARS | set(PARTS)))}",
            )
        return {name: body[name] for name in sorted(SCALARS) if name in body}

    def _code_is_free(self, values: Mapping[str, Any], number: int | None = None) -> None:
        """Codes are unique; asked beforehand because Tryton's refusal does not say which rule was broken."""
        if not values.get("code"):
            return
        taken = [key for key in self._search(PARTY, [["code", "=", values["code"]]]) if key != number]
        if taken:
            raise WriteConflict(
                "The code {code} belongs to party {other} already.", path="code", code=values["code"], other=taken[0]
            )

    def _values(self, name: str, item: Mapping[str, Any]) -> dict[str, Any]:
        """One part with pointers as ids; `id` and empty values left out."""
        values = {field: value for field, value in item.items() if field != "id" and value is not None}
        for field, (model, by) in POINTERS.items():
            if isinstance(values.get(field), Mapping):
                values[field] = values[field].get(by)
            if isinstance(values.get(field), str):
                values[field] = self._pointed_at(model, by, values[field])
        if name == "addresses" and "street" in values:
            values["street_unstructured"] = values.pop("street")
        return values

    def _pointed_at(self, model: str, by: str, value: str) -> int | None:
        if (model, value) not in self._pointed:
            found = self._search(model, [[by, "=", value]])
            self._pointed[model, value] = found[0] if found else None
        return self._pointed[model, value]

    def _search(self, model: str, domain: list[Any]) -> list[int]:
        found: list[int] = self._client.call(f"model.{model}.search", domain, 0, 2, None, active_test=False)
        return found


def _items(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = body.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise RecordRejected("{path} must be a list of objects.", path=name, rule="a list of objects")
    return items


def _face(name: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes two parts the same: compared without regard to case and blanks at the ends."""
    fields = PARTS[name]
    values = [item.get("street_unstructured", item.get("street")) if f == "street" else item.get(f) for f in fields]
    return tuple(str(value or "").strip().casefold() for value in values)


def number_of(key: str) -> int:
    """A party's id. Raises ``RecordRejected`` for a key that is none."""
    if not key.isdecimal():
        raise RecordRejected("{value} is no id of a party.", path="id", value=key, rule="a whole number")
    return int(key)


def lock_of(number: int) -> str:
    """How the context names the party whose time stamp is given."""
    return f"{PARTY},{number}"
