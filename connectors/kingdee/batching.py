"""Writing several customers with one ``BatchSave``: quicker, and never less certain than one call each.

What a batch leaves behind that is refused in part is not documented. So a record counts as written only when the whole
batch succeeded and the answer names it, or when a look afterwards shows that it is there as wanted; every other record
is written alone, which looks first and tells what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.kingdee.customers import KEY, NUMBER
from connectors.kingdee.writing import CustomerWriter
from connectors.listed.numbered import whole_number
from connectors.listed.stream import Row
from connectors.writing import ensure_seen

AT_ONCE = 50
"""Customers of one look or one ``BatchSave``: few enough to be answered well within the time-out."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One record of the batch: where it stands there, the customer it meets (None: a new one), and what is sent."""

    place: int
    write: Write
    there: Row | None
    model: Row

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields to change, which all records of one call share; none of a new customer."""
        return () if self.there is None else tuple(sorted(name for name in self.model if name != KEY))


class BatchWriter(CustomerWriter):
    """Writes the customers of one data centre, several in one call where it can."""

    at_once = AT_ONCE

    def _together(self, part: Sequence[Write]) -> dict[int, WriteResult]:
        """Results by place; none for records that have to be written alone."""
        done: dict[int, WriteResult] = {}
        groups: dict[tuple[str, ...], list[Planned]] = {}
        for one in self._planned(part):
            if one.there is not None and not one.fields:
                done[one.place] = WriteResult(self.key(one.there))
            else:
                groups.setdefault(one.fields, []).append(one)
        for fields, group in groups.items():
            if len(group) > 1:
                done |= self._saved(fields, group)
        return done

    # --- before

    def _planned(self, part: Sequence[Write]) -> list[Planned]:
        """What to send for each record that nothing speaks against; a customer is there once, at its first place."""
        try:
            known = self._known(part)
        except StreamBroken:  # a list in a filter may look like an attack; each is then asked for by itself
            return []
        planned, seen = [], set[str]()
        for place, write in enumerate(part):
            there = known.get(self._mark(write))
            mark = self._mark(write) if there is None else self.key(there)
            one = None if mark in seen else self._plan(place, write, there)
            seen.add(mark)
            planned += [] if one is None else [one]
        return planned

    def _known(self, writes: Iterable[Write]) -> dict[str, Row]:
        """The customers that these writes speak of, by what ``_mark`` says of the writes."""
        keys: set[int] = set()
        numbers: dict[str, set[str]] = {}
        for write in writes:
            if write.key is not None:
                keys |= {number for number in [whole_number(write.key)] if number is not None}
            elif number := self._wanted_number(write):
                numbers.setdefault(self.organization(write), set()).add(number)
        found = {str(row[KEY]): row for row in self.by_keys(keys)}
        for organization, these in numbers.items():
            for row in self.by_numbers(these, organization):
                found[f"{organization}/{row[NUMBER]}"] = row
        return found

    def _mark(self, write: Write) -> str:
        return write.key or f"{self.organization(write)}/{self._wanted_number(write)}"

    def _wanted_number(self, write: Write) -> str:
        try:
            return self._number(write)
        except RecordRejected:  # told when it is written alone
            return ""

    def _plan(self, place: int, write: Write, there: Row | None) -> Planned | None:
        """None for what is told, or done better, one by one."""
        try:
            if there is None:
                body = {**self.body(write), NUMBER: self._number(write)}
                return None if write.key is not None else Planned(place, write, None, self.new(write, body))
            key, changed = self.key(there), self.changes(write, there)
            if changed:
                ensure_seen(write, key=key, etag=None, stamp=self.changed(there))
        except RecordRejected:
            return None
        if write.key is None and self.unfinished(there):
            return None
        return Planned(place, write, there, {KEY: int(key), **changed})

    # --- after

    def _saved(self, fields: tuple[str, ...], group: Sequence[Planned]) -> dict[int, WriteResult]:
        status = self._client.batch_save([one.model for one in group], fields)
        entities = [entity for entity in status.get("SuccessEntitys") or [] if isinstance(entity, dict)]
        if status.get("IsSuccess") is True and not status.get("Errors"):
            keys = self._named(group, entities)
        else:
            keys = self._found(group)
        return {one.place: self._told(one, keys[one.place]) for one in group if one.place in keys}

    @staticmethod
    def _named(group: Sequence[Planned], entities: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """The keys of the records that a success names, by place: a changed one by its id, a new one by its number."""
        ids = {whole_number(entity.get("Id")): entity for entity in entities}
        numbers = {str(entity.get("Number")): whole_number(entity.get("Id")) for entity in entities}
        new = {one.place: numbers.get(str(one.model[NUMBER])) for one in group if one.there is None}
        old = {one.place: one.model[KEY] for one in group if one.there is not None and one.model[KEY] in ids}
        return {place: str(key) for place, key in {**new, **old}.items() if key}

    def _found(self, group: Sequence[Planned]) -> dict[int, str]:
        """The keys of those that are there as wanted, after a batch that was refused in part."""
        known = self._known(one.write for one in group)
        rows = {one.place: known.get(self._mark(one.write)) for one in group}
        return {
            one.place: self.key(row)
            for one in group
            if (row := rows[one.place]) is not None and not self.changes(one.write, row)
        }

    def _told(self, one: Planned, key: str) -> WriteResult:
        if one.there is not None:
            return WriteResult(key)
        try:
            self.approve(key)
        except RecordRejected as error:
            return WriteResult(None, error=error)
        return WriteResult(key, created=True)
