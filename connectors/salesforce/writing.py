"""Writing rows: updates by id and upserts by an External ID field, up to 200 in one call, each with its own result.

Salesforce's collections (``/composite/sobjects``) answer one result per record. Where an org has them not, records go
one by one. An update sends only what differs from the row as it stands, and nothing when it is newer than last seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from connectors.contract import Write, WriteResult
from connectors.errors import BadConfiguration, RecordRejected, RetryLater, StreamBroken, WriteConflict
from connectors.incremental import iso, parse_stamp
from connectors.salesforce.client import SalesforceClient, Told
from connectors.salesforce.objects import SalesObject, soql_text

AT_ONCE = 200
_GONE = frozenset({404, 405})
_READ_ONLY = {"Id", "attributes", "SystemModstamp", "IsDeleted", "CreatedDate", "LastModifiedDate"}


class ObjectWriter:
    """Writes one object. Faults of one record are its result; all other errors stop the batch, to be repeated."""

    def __init__(self, client: SalesforceClient, what: SalesObject, external: str | None, *, strict: bool) -> None:
        self._client, self._what, self._external, self._strict = client, what, external, strict
        self._single = False

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order. Two writes of one record in a batch go in two calls, in order."""
        results: list[WriteResult | None] = [None] * len(batch)
        for group in self._groups(batch):
            self._write([(number, batch[number]) for number in group], results)
        for result in results:
            if result is not None and isinstance(result.error, RetryLater):
                raise result.error  # a locked row: the batch may be sent again as it is
        return [result or WriteResult(None) for result in results]

    def _write(self, group: Sequence[tuple[int, Write]], results: list[WriteResult | None]) -> None:
        there = self._there([write.key for _, write in group if write.key is not None], group)
        updates: list[tuple[int, dict[str, Any]]] = []
        upserts: list[tuple[int, dict[str, Any]]] = []
        for number, write in group:
            try:
                body = self._body(write)
                if write.key is None:
                    upserts.append((number, self._addressed(write, body)))
                    continue
                changed = self._changed(write, write.key, body, there)
                if not changed:
                    results[number] = WriteResult(write.key)
                elif self._strict:
                    results[number] = self._locked(write.key, changed, there[write.key])
                else:
                    updates.append((number, {"Id": write.key, **changed}))
            except RecordRejected as error:
                results[number] = WriteResult(write.key, error=error)
        self._send(updates, "/composite/sobjects", self._update_one, results)
        path = f"/composite/sobjects/{self._what.kind.name}/{self._external}"
        self._send(upserts, path, self._upsert_one, results)

    def _groups(self, batch: Sequence[Write]) -> list[list[int]]:
        """Numbers of writes that may go together: at most ``AT_ONCE``, no record twice."""
        groups: list[list[int]] = []
        seen: set[str] = set()
        for number, write in enumerate(batch):
            mark = write.key or f"new:{write.body.get(self._external or '') or write.idempotency_key}"
            if not groups or len(groups[-1]) >= AT_ONCE or mark in seen:
                groups.append([])
                seen = set()
            groups[-1].append(number)
            seen.add(mark)
        return groups

    # --- what is sent

    def _body(self, write: Write) -> dict[str, Any]:
        for name in write.body:
            if name not in self._what.types and name != "attributes":
                raise RecordRejected(
                    "{object} has no field {path} that this user may see.", object=self._what.kind.name, path=name
                )
        return {name: value for name, value in write.body.items() if name not in _READ_ONLY}

    def _addressed(self, write: Write, body: dict[str, Any]) -> dict[str, Any]:
        """The body with its External ID: its own, or else one made of the write, the same for each try."""
        if self._external is None or self._external not in self._what.types:
            raise BadConfiguration(
                "{connection}: a new record of {object} needs an External ID field; {field} is none there.",
                setting="external_id_field",
                connection=self._client.connection,
                object=self._what.kind.name,
                field=self._external or "-",
                remedy="Make a unique text field marked External ID on the object, let the user see it, and name it "
                "in `external_id_field`.",
            )
        given = body.get(self._external)
        return {**body, self._external: given if given not in (None, "") else write.idempotency_key[:255]}

    def _there(self, keys: Sequence[str], group: Sequence[tuple[int, Write]]) -> dict[str, dict[str, Any]]:
        """The rows to be updated as they stand, in as few calls as addresses may be long."""
        names = {name for _, write in group for name in write.body if name in self._what.types}
        columns = list(dict.fromkeys(["Id", "SystemModstamp", *sorted(names - {"Id"})]))
        good = [key for key in dict.fromkeys(keys) if key.isalnum()]
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(good), AT_ONCE):
            wanted = ",".join(soql_text(key) for key in good[start : start + AT_ONCE])
            answer = self._client.get("/query", params={"q": self._what.soql(columns, [f"Id IN ({wanted})"])})
            found |= {str(row["Id"]): row for row in answer.json(lenient=True).get("records", [])}
        return found

    def _changed(
        self, write: Write, key: str, body: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        row = there.get(key)
        if row is None:
            raise RecordRejected(
                "There is no {what} {key} in the target.", path="Id", what=self._what.kind.name, key=key
            )
        changed = {name: value for name, value in body.items() if _different(value, row.get(name))}
        stamp, seen = parse_stamp(row.get("SystemModstamp")), parse_stamp(write.expected)
        if changed and write.expected is not None and stamp is not None and (seen is None or stamp > seen):
            raise WriteConflict(
                "{key} was changed in the target at {changed}, after we had read it.", key=key, changed=iso(stamp)
            )
        return changed

    # --- sending

    def _send(
        self,
        records: Sequence[tuple[int, dict[str, Any]]],
        path: str,
        one: Callable[[dict[str, Any]], WriteResult],
        results: list[WriteResult | None],
    ) -> None:
        if not records:
            return
        answers = None if self._single else self._collection(path, [body for _, body in records])
        if answers is None:
            answers = [_caught(one, body) for _, body in records]
        for (number, _), answer in zip(records, answers, strict=True):
            results[number] = answer

    def _collection(self, path: str, bodies: Sequence[dict[str, Any]]) -> list[WriteResult] | None:
        """The results of one call; None where the org has no collections, or refuses this one as a whole.

        It does so for one value of a wrong type among two hundred records; nothing of them is written then.
        """
        kind = {"attributes": {"type": self._what.kind.name}}
        body = {"allOrNone": False, "records": [{**kind, **_named(record)} for record in bodies]}
        try:
            response = self._client.call("PATCH", path, json=body, read=False, allow=_GONE)
        except RecordRejected:
            return None
        if response.status in _GONE:
            self._single = True
            return None
        told = response.json(lenient=True)
        if not isinstance(told, list) or len(told) != len(bodies):
            raise StreamBroken(
                "{connection}: Salesforce did not answer a result for each record.", connection=self._client.connection
            )
        return [self._result(item, record) for item, record in zip(told, bodies, strict=True)]

    def _result(self, item: Any, record: Mapping[str, Any]) -> WriteResult:
        told = item if isinstance(item, Mapping) else {}
        key = told.get("id") or record.get("Id")
        if told.get("success") is True and key:
            return WriteResult(str(key), created=bool(told.get("created")))
        errors = told.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
        return WriteResult(record.get("Id"), error=self._client.of(Told(first)))

    def _update_one(self, record: dict[str, Any]) -> WriteResult:
        key = record["Id"]
        fields = {name: value for name, value in record.items() if name != "Id"}
        self._client.call("PATCH", f"/sobjects/{self._what.kind.name}/{key}", json=fields, read=False)
        return WriteResult(key)

    def _upsert_one(self, record: dict[str, Any]) -> WriteResult:
        external = str(self._external)
        fields = {name: value for name, value in record.items() if name != external}
        value = quote(str(record[external]), safe="")
        path = f"/sobjects/{self._what.kind.name}/{external}/{value}"
        response = self._client.call("PATCH", path, json=fields, read=False, allow=frozenset({300}))
        if response.status == 300:
            raise WriteConflict(
                "Several records in Salesforce have the value {value} in {path}.", path=external, value=str(value)
            )
        told = response.json(lenient=True) if response.body.strip() else {}
        key = told.get("id") if isinstance(told, Mapping) else None
        if not key:  # older versions answer an update without a body
            key = self._found(external, str(record[external]))
        return WriteResult(key, created=response.status == 201)

    def _found(self, external: str, value: str) -> str:
        soql = self._what.soql(["Id"], [f"{external} = {soql_text(value)}"], " LIMIT 1")
        rows = self._client.get("/query", params={"q": soql}).json(lenient=True).get("records") or []
        if not rows:
            raise StreamBroken(
                "{connection}: the answer to a write does not tell the key.", connection=self._client.connection
            )
        return str(rows[0]["Id"])

    def _locked(self, key: str, changed: dict[str, Any], there: Mapping[str, Any]) -> WriteResult:
        """One update that holds only if the row is still as we have just seen it (to the second)."""
        stamp = parse_stamp(there.get("SystemModstamp"))
        headers = {} if stamp is None else {"If-Unmodified-Since": format_datetime(stamp, usegmt=True)}
        self._client.call(
            "PATCH", f"/sobjects/{self._what.kind.name}/{key}", json=changed, headers=headers, read=False
        )  # fmt: skip
        return WriteResult(key)


def _caught(one: Callable[[dict[str, Any]], WriteResult], record: dict[str, Any]) -> WriteResult:
    try:
        return one(record)
    except RecordRejected as error:
        return WriteResult(record.get("Id"), error=error)


def _named(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record as collections take it: the id is called ``id`` there."""
    return {"id" if name == "Id" else name: value for name, value in record.items()}


def _different(value: Any, now: Any) -> bool:
    return not (value == now and isinstance(value, bool) == isinstance(now, bool)) and not (
        value in (None, "") and now in (None, "")
    )
