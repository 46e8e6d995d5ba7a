"""Writing records as a manifest describes it: update by key, upsert, or look up and then create."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.response import Response
from connectors.rest.listing import Wire, merged
from connectors.rest.manifest import RestStream
from connectors.rest.manifest_writing import Current, Send
from connectors.rest.slicing import find, put
from connectors.rest.stamps import reader, writer, zone
from connectors.rest.templates import fill, places
from connectors.writing import differing, ensure_seen, missing


class Writer:
    """Writes to one stream. Faults of one record are its result; all other errors stop the batch, to be repeated."""

    def __init__(self, wire: Wire, stream: RestStream) -> None:
        assert stream.write is not None  # noqa: S101 - only streams that can be written have a writer
        self._wire, self._stream, self._spec = wire, stream, stream.write

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order."""
        return [self.alone(write) for write in batch]

    def alone(self, write: Write) -> WriteResult:
        """Write one record, in calls of its own."""
        try:
            return self._one(write)
        except RecordRejected as error:
            return WriteResult(write.key, error=error)

    def _one(self, write: Write) -> WriteResult:
        spec, key = self._spec, write.key
        if key is None and spec.upsert is None and spec.find is not None:
            key = self.found(write)
        if key is not None and spec.update is not None:
            return self._changed(spec.update, write, key)
        if key is None and spec.upsert is not None:
            return self._send(spec.upsert, write, None)
        if key is None and spec.create is not None:
            return self._send(spec.create, write, None)
        raise RecordRejected(
            "{connection}: this stream offers no way to {verb} a record.",
            connection=self._wire.client.connection,
            verb="create" if key is None else "update",
        )

    def found(self, write: Write) -> str | None:
        """The key of the record that is already there; None if there is none."""
        spec = self._spec.find
        assert spec is not None  # noqa: S101 - asked by the caller
        values = self.values(write, None)
        require([spec.path, spec.params, spec.body], values)
        answer = self._call(spec, fill(spec.body, values), values, write, read=True, allow=spec.absent)
        if answer.status in spec.absent:
            return None
        rows = find(answer.json(), self._stream.records if spec.records is None else spec.records)
        first = rows[0] if isinstance(rows, list) and rows else rows
        return _text(find(first, spec.key or self._stream.key[0])) if isinstance(first, dict) else None

    def _changed(self, update: Send, write: Write, key: str) -> WriteResult:
        """Update, after a look at what is there where the manifest says how."""
        spec = self._spec.current
        if spec is None:
            return self._send(update, write, key)
        there = self._there(spec, write, key)
        held = find(there, spec.fields)
        held = held if isinstance(held, dict) else {}
        changed = differing(write.body, held)
        if not changed:  # an earlier try of this very write may have been heard, though its answer was lost
            return WriteResult(key)
        ensure_seen(write, key=key, etag=None, stamp=self._stamp(there))
        return self._send(update, replace(write, body=merged(held, changed) if spec.whole else changed), key)

    def _there(self, spec: Current, write: Write, key: str) -> dict[str, Any]:
        values = self.values(write, key)
        answer = self._wire.send(spec, values, read=False, params=fill(spec.params, values), idempotent=True)
        found = find(answer.json(), spec.record)
        if not isinstance(found, dict):
            raise missing("record", key)
        return found

    def _stamp(self, there: Mapping[str, Any]) -> datetime | None:
        """When the record was last changed; None where it does not say."""
        local = zone(str(fill(self._stream.zone, self._wire.values)))
        read = reader(self._stream.stamps, local)
        for path in self._stream.changed_at:
            try:
                found = read(find(there, path))
            except (ValueError, TypeError):
                continue  # a stamp that cannot be read says nothing
            if found is not None:
                return datetime.fromisoformat(found)
        return None

    def _send(self, spec: Send, write: Write, key: str | None) -> WriteResult:
        values = self.values(write, key)
        require([spec.path, spec.envelope], values)
        record = merged(fill(spec.body or {}, values), write.body)
        response = self._call(spec, _wrapped(spec, record, values), values, write, read=False)
        known = self._key(spec, response) or key
        if known is None:
            raise RecordRejected(
                "{connection}: the answer to a write holds no key at {path}.",
                connection=self._wire.client.connection,
                path=spec.key or self._stream.key[0],
            )
        new = key is None and (
            response.status == 201 or (spec is self._spec.create and not self._spec.idempotency_header)
        )
        return WriteResult(known, created=new)

    def _call(
        self, spec: Any, body: Any, values: Mapping[str, Any], write: Write, *, read: bool, allow: Sequence[int] = ()
    ) -> Response:
        return self._wire.send(
            spec,
            values,
            read=read,
            params=fill(spec.params, values),
            json=None if spec.method == "GET" else body,
            headers={} if read else self._headers(write),
            idempotent=True if read else self._repeatable(spec),
            allow=allow,
        )

    def _repeatable(self, spec: Send) -> bool:
        """Whether a write whose answer never came may be sent again within the same call."""
        return spec is not self._spec.create or bool(self._spec.idempotency_header)

    def _headers(self, write: Write) -> dict[str, str]:
        headers = {}
        if self._spec.idempotency_header:
            headers[self._spec.idempotency_header] = write.idempotency_key
        if self._spec.expected_header and write.expected is not None:
            headers[self._spec.expected_header] = self._expected(write.expected)
        return headers

    def _expected(self, expected: str) -> str:
        """A change stamp as the system writes it; anything else (a version) as it is."""
        try:
            stamp = datetime.fromisoformat(expected)
        except ValueError:
            return expected
        local = zone(str(fill(self._stream.zone, self._wire.values)))
        since = self._stream.incremental
        notation = (since.format if since else "") or self._stream.stamps
        return str(writer(notation, local)(stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)))

    def _key(self, spec: Send, response: Response) -> str | None:
        if not response.body.strip():
            return None
        path = spec.key or (f"{spec.wrap}.{self._stream.key[0]}" if spec.wrap else self._stream.key[0])
        return _text(find(response.json(), path))

    def values(self, write: Write, key: str | None) -> dict[str, Any]:
        """What stands for places when this record is written under this key."""
        fields = {f"body.{name}": value for name, value in write.body.items()}
        expected = None if write.expected is None else self._expected(write.expected)
        return {
            **self._wire.values, **fields,
            "key": key, "idempotency_key": write.idempotency_key, "expected": expected,
        }  # fmt: skip


def require(templates: Any, values: Mapping[str, Any]) -> None:
    """Raise RecordRejected for a record without the fields by which it is looked up or addressed."""
    for name in sorted(set(places(templates))):
        if name.startswith("body.") and values.get(name) in (None, ""):
            raise RecordRejected(
                "A new record needs {path}, by which an existing one is looked up.", path=name.removeprefix("body.")
            )


def _wrapped(spec: Send, record: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    if not spec.wrap:
        return record
    body: dict[str, Any] = fill(spec.envelope, values)
    put(body, spec.wrap, record)
    return body


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
