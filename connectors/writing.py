"""Writing record by record so that nothing is overwritten unseen: only what differs is sent, to what was seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, WriteConflict
from connectors.incremental import iso


class PartWriter(ABC):
    """Writes one stream in parts of ``at_once`` writes: several in one call where that can be, else one by one.

    Faults of one record are its result; all other errors stop the batch, to be repeated.
    """

    at_once = 1

    def write(self, batch: Sequence[Write]) -> list[WriteResult]:
        """One result per write, in order. What is not settled together is written alone."""
        results: list[WriteResult] = []
        for start in range(0, len(batch), self.at_once):
            part = batch[start : start + self.at_once]
            done = self._together(part) if len(part) > 1 else {}
            results += [done.get(place) or self._result(write) for place, write in enumerate(part)]
        return results

    def _together(self, part: Sequence[Write]) -> dict[int, WriteResult]:
        """Results by place, of writes that were settled in calls for several; none for those to be written alone."""
        return {}

    @abstractmethod
    def _result(self, write: Write) -> WriteResult:
        """Write one record alone."""


class RecordWriter(PartWriter):
    """Creates and updates record by record."""

    def _result(self, write: Write) -> WriteResult:
        try:
            return self._update(write, write.key) if write.key is not None else self._create(write)
        except RecordRejected as error:
            return WriteResult(write.key, error=error)

    @abstractmethod
    def _create(self, write: Write) -> WriteResult:
        """Create, or update what an earlier try of the same write has created."""

    @abstractmethod
    def _update(self, write: Write, key: str) -> WriteResult:
        """Update the record with this key."""


def ensure_seen(write: Write, *, key: str, etag: str | None, stamp: datetime | None) -> None:
    """Raise ``WriteConflict`` unless the record is as the caller has last seen it (by entity tag or change stamp)."""
    expected = write.expected
    if expected is None or expected == etag:
        return
    try:
        seen = iso(datetime.fromisoformat(expected))
    except ValueError:
        seen = None
    if seen is not None and (stamp is None or iso(stamp) <= seen):
        return
    raise WriteConflict(
        "{key} was changed in the target at {changed}, after we had read it.",
        key=key,
        changed="?" if stamp is None else iso(stamp),
    )


def differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """The fields whose values are not there yet; fields that the answer does not show count as different.

    An object is there if all that is wanted of it is; else the whole of what is wanted is sent.
    """
    return {name: value for name, value in wanted.items() if name not in there or not _holds(there[name], value)}


def _holds(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        return not differing(wanted, there)
    return bool(there == wanted)


def missing(what: str, key: str) -> RecordRejected:
    """The record to update is not there."""
    return RecordRejected("There is no {what} {key} in the target.", path="id", value=key, what=what, key=key)
