"""Writing several records in one call, each with a result of its own.

What is batched is only ever quicker, never less certain: a call that is refused as a whole, and every record that its
answer is silent about, is written again alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected
from connectors.response import Response
from connectors.rest.listing import Wire, merged
from connectors.rest.manifest import RestStream
from connectors.rest.manifest_writing import Batch, Send
from connectors.rest.slicing import find, put
from connectors.rest.templates import fill
from connectors.rest.writing import Writer, require


@dataclass(frozen=True, slots=True)
class _Ready:
    """One record to send: its place in the caller's batch, and what is sent for it (numbered from 0 in each call)."""

    place: int
    write: Write
    key: str | None
    values: Mapping[str, Any]


class Batcher:
    """Writes to one stream. Faults of one record are its result; all other errors stop the batch, to be repeated."""

    def __init__(self, wire: Wire, stream: RestStream) -> None:
        assert stream.write is not None  # noqa: S101 - only streams that can be written are
        self._wire, self._stream, self._spec = wire, stream, stream.write
        self._writer = Writer(wire, stream)

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order."""
        if len(batch) < 2:
            return self._writer.write(batch)
        results: dict[int, WriteResult] = {}
        ready: dict[str, list[_Ready]] = {}
        for place, write in enumerate(batch):
            try:
                kind, one = self._prepared(place, write)
            except RecordRejected as error:
                results[place] = WriteResult(write.key, error=error)
                continue
            if kind:
                ready.setdefault(kind, []).append(one)
        for kind, ones in ready.items():
            for part in self._parts(getattr(self._spec.batch, kind), ones):
                results |= self._together(kind, part)
        return [results.get(place) or self._writer.alone(write) for place, write in enumerate(batch)]

    def _prepared(self, place: int, write: Write) -> tuple[str, _Ready]:
        """How this record is batched (empty: it is not), after a look for one that is already there."""
        batches, key = self._spec.batch, write.key
        kind = "upsert" if key is None and batches.upsert else ""
        if key is not None:
            kind = "update" if batches.update else ""
        elif not kind and batches.create and self._spec.upsert is None:
            key = self._writer.found(write) if self._spec.find else None
            kind = "create" if key is None else "update" if batches.update else ""
        values = self._writer.values(write, key)
        if kind:
            batch = getattr(batches, kind)
            require([batch.path, batch.each, batch.unique], values)
        return kind, _Ready(place, write, key, values)

    def _parts(self, batch: Batch, ones: Sequence[_Ready]) -> Iterator[list[_Ready]]:
        """As many as one call takes; what is not unique among them is left for later, to be written alone."""
        seen = set[str]()
        chosen = []
        for one in ones:
            name = str(fill(batch.unique, one.values)).casefold()
            if name not in seen:
                seen.add(name)
                chosen.append(one)
        for start in range(0, len(chosen), batch.max):
            yield chosen[start : start + batch.max]

    def _together(self, kind: str, part: Sequence[_Ready]) -> dict[int, WriteResult]:
        """The results of one call by their places; none for records that have to be written alone."""
        if len(part) < 2:
            return {}
        batch: Batch = getattr(self._spec.batch, kind)
        single: Send | None = getattr(self._spec, kind)
        items = [self._item(batch, single, number, one) for number, one in enumerate(part)]
        body: Any = items
        if batch.records:
            body = fill(batch.body or {}, self._wire.values)
            put(body, batch.records, items)
        try:
            response = self._wire.send(
                batch, self._wire.values, read=False, params=fill(batch.params, self._wire.values), json=body,
                idempotent=kind != "create",
            )  # fmt: skip
        except RecordRejected:
            return {}
        told = response.json() if response.body.strip() else None
        return dict(self._results(kind, batch, part, told, response))

    def _item(self, batch: Batch, single: Send | None, number: int, one: _Ready) -> dict[str, Any]:
        around = fill(batch.each, {**one.values, "number": number})
        record = merged(fill(single.body or {}, one.values), one.write.body) if single else dict(one.write.body)
        if not batch.wrap:
            return merged(around, record)
        put(around, batch.wrap, record)
        return dict(around)

    def _results(
        self, kind: str, batch: Batch, part: Sequence[_Ready], told: Any, response: Response
    ) -> Iterator[tuple[int, WriteResult]]:
        updated = {one.key: one for one in part if one.key is not None}
        found, failed = find(told, batch.results), find(told, batch.errors) if batch.errors else None
        for number, item in _numbered(found, batch.number, len(part), ordered=not batch.number):
            one, error = part[number], find(item, batch.error) if batch.error else None
            if error:
                yield one.place, self._failed(one, error, batch, response)
                continue
            key = find(item, batch.key or self._stream.key[0])
            if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
                continue
            if kind == "update" and str(key) not in updated:
                continue
            one = updated[str(key)] if kind == "update" else one
            new = kind == "create" or (kind == "upsert" and bool(batch.new and find(item, batch.new)))
            yield one.place, WriteResult(str(key), created=new)
        for number, error in _numbered(failed, batch.error_number, len(part), ordered=False):
            yield part[number].place, self._failed(part[number], error, batch, response)

    def _failed(self, one: _Ready, error: Any, batch: Batch, response: Response) -> WriteResult:
        return WriteResult(one.write.key, error=self._wire.client.of_record(error, batch.says, response))


def _numbered(items: Any, path: str, count: int, *, ordered: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each item with the number of its record; by order only where there are as many as records."""
    if not isinstance(items, list) or (ordered and len(items) != count):
        return
    for place, item in enumerate(items):
        number = place if ordered else find(item, path)
        if isinstance(item, Mapping) and str(number).isdecimal() and int(number) < count:
            yield int(number), item
