"""The records that webhooks named, read again one by one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connectors.contract import Page, Record, Rejected
from connectors.errors import RecordRejected, StreamBroken
from connectors.rest.listing import Lister, Wire
from connectors.rest.manifest import RestStream
from connectors.rest.manifest_calls import One
from connectors.rest.slicing import Sliced
from connectors.rest.templates import fill


class Fetcher:
    """Fetches single records of one stream. Keys that are gone, or now belong to another record, count as deleted."""

    def __init__(self, wire: Wire, stream: RestStream, spec: One) -> None:
        self._wire, self._spec, self._lister = wire, spec, Lister(wire, stream)

    def fetch(self, keys: Sequence[str]) -> Page:
        """The records of these keys as they are now; the cursor says nothing."""
        records: list[Record] = []
        rejected: list[Rejected] = []
        deleted: list[str] = []
        for key in dict.fromkeys(keys):
            if not key.strip("."):  # would lead to another path
                continue
            try:
                found = self._asked(key)
            except (StreamBroken, RecordRejected) as reason:  # for this one record; the others are still asked for
                rejected.append(Rejected(key, b"", reason))
                continue
            records += found.records
            rejected += found.rejected
            if key not in {record.key for record in found.records} and not found.rejected:
                deleted.append(key)
        return Page(records, {}, deleted, rejected)

    def _asked(self, key: str) -> Sliced:
        spec, values = self._spec, {**self._wire.values, "key": key}
        answer = self._wire.send(
            spec, values, read=True, allow=spec.absent, params=fill(spec.params, values),
            json=fill(spec.body, values) if spec.method != "GET" else None,
        )  # fmt: skip
        if answer.status in spec.absent or answer.status == 204:
            return Sliced()
        return self._lister.single(msgspec.Raw(answer.utf8()), spec.record)
