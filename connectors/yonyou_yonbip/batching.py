"""Changing several customers with two calls: one that looks at them all, one that saves what differs.

Calls are scarce (some 40 a minute), and one call each for looking and saving would take hours for a customer base. What
the look does not show in a way that can be relied upon, and what a call that was refused in part has not changed, is
written alone. New customers are always made one by one: the interface for batches is not safe to repeat for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.listed.stream import Row
from connectors.writing import ensure_seen
from connectors.yonyou_yonbip.customers import COPY, DETAILS_AT_ONCE
from connectors.yonyou_yonbip.writing import SAVE, CustomerWriter


class BatchWriter(CustomerWriter):
    """Writes the customers of one tenant, changes of several in one call."""

    at_once = DETAILS_AT_ONCE

    def _together(self, part: Sequence[Write]) -> dict[int, WriteResult]:
        """Results by place; none for customers that have to be written alone."""
        first: dict[str, int] = {}
        for place, write in enumerate(part):
            if write.key is not None and COPY not in write.key:
                first.setdefault(write.key, place)  # a second write of a customer comes after the first
        if len(first) < 2:
            return {}
        done: dict[int, WriteResult] = {}
        rows: dict[int, Row] = {}
        for key, there in self._there(list(first)).items():
            place = first[key]
            try:
                changed = self.changes(part[place], there)
                if changed:
                    ensure_seen(part[place], key=key, etag=None, stamp=self.changed(there))
                    rows[place] = self.row(key, there, changed)
                else:
                    done[place] = WriteResult(key)
            except RecordRejected as error:
                done[place] = WriteResult(key, error=error)
        if len(rows) > 1 and self._saved(list(rows.values())):
            done |= {place: WriteResult(part[place].key) for place in rows}
        return done

    def _there(self, keys: Sequence[str]) -> dict[str, Row]:
        try:
            return self._customers.detailed(keys)
        except (StreamBroken, RecordRejected):
            return {}

    def _saved(self, rows: Sequence[Row]) -> bool:
        """Whether all of them were saved."""
        try:
            self._client.change(SAVE, {"data": list(rows)}, idempotent=True)
        except RecordRejected:
            return False
        return True
