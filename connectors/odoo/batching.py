"""Writing several partners with one look at them and one import, instead of some calls for each partner.

An import (``load``) is carried out whole or not at all: one bad record refuses its neighbours, too, and then each is
written alone, which tells what is wrong with whom. Which partner became of which row is asked for by the external ids,
and not by the order of the answer. Updates go one by one: each changes other fields, under a look at its own stamp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.contract import Write, WriteResult
from connectors.errors import PermissionMissing, RecordRejected, StreamBroken
from connectors.odoo.partners import MODEL, normalised
from connectors.odoo.writing import MODULE, PartnerWriter, external_name

AT_ONCE = 100


class Known(NamedTuple):
    """What was there before: partners by the external names of our writes, by values of the match field, by id."""

    ours: Mapping[str, int]
    matched: Mapping[str, list[int]]
    rows: Mapping[int, dict[str, Any]]


class Met(NamedTuple):
    """The partner that a write is about (None: a new one), and what no other write of the part may be about.

    ``alone``: nothing certain can be said of it from here.
    """

    key: int | None
    about: frozenset[str]
    alone: bool = False


class BatchWriter(PartnerWriter):
    """Writes partners, those of a batch after one look at all of them."""

    at_once = AT_ONCE

    def _together(self, part: Sequence[Write]) -> dict[int, WriteResult]:
        """Results by place; none for partners that have to be written alone."""
        known = self._seen_before(part)
        if known is None:
            return {}
        done: dict[int, WriteResult] = {}
        new: dict[int, dict[str, Any]] = {}
        met: set[str] = set()
        for place, write in enumerate(part):
            try:
                body = self._checked(write.body)
            except RecordRejected:
                continue
            key, about, alone = self._met(write, body, known)
            first = not about & met
            met |= about
            if alone or not first:
                continue
            if key is None:
                new[place] = body
                continue
            try:
                done[place] = self.settled(write, str(key), body, known.rows[key])
            except RecordRejected as error:
                done[place] = WriteResult(write.key, error=error)
        return done | self._imported({place: (part[place], body) for place, body in new.items()})

    def _met(self, write: Write, body: Mapping[str, Any], known: Known) -> Met:
        """What a write is about. One that must not overwrite what is newer is left to look for itself, just before."""
        if write.key is not None:
            number = int(write.key) if write.key.isdecimal() else 0
            return Met(number, frozenset({f"id:{write.key}"}), write.expected is not None or number not in known.rows)
        value, ours = str(self._matching(body)), known.ours.get(external_name(write.idempotency_key))
        about = {f"write:{write.idempotency_key}", *((f"match:{value}",) if value else ())}
        found = [ours] if ours is not None and ours in known.rows else known.matched.get(value, [])
        if not found:
            return Met(None, frozenset(about))
        about |= {f"id:{number}" for number in found}
        return Met(found[0], frozenset(about), len(found) > 1 or write.expected is not None)

    # --- looking

    def _seen_before(self, part: Sequence[Write]) -> Known | None:
        """What is there of all these; None where our external ids are not for this user's eyes."""
        names = [external_name(write.idempotency_key) for write in part if write.key is None]
        ours = self._external(names)
        if ours is None:
            return None
        bodies = [write.body for write in part if write.key is None]
        values = list(dict.fromkeys(value for body in bodies if (value := self._matching(body)) != ""))
        matched = self._matched_by(values) if values else {}
        if matched is None:
            return None
        ids = {int(write.key) for write in part if write.key is not None and write.key.isdecimal()}
        ids |= set(ours.values()) | {number for found in matched.values() for number in found}
        fields = sorted({name for write in part for name in write.body if name in self._known and name != "id"})
        return Known(ours, matched, self._rows(sorted(ids), fields))

    def _matched_by(self, values: Sequence[Any]) -> dict[str, list[int]] | None:
        """The partners that have these values of the match field; None where too many share them."""
        domain, most = [[self._match, "in", list(values)]], 5 * AT_ONCE
        rows = self._client.call(MODEL, "search_read", domain=domain, fields=[self._match], order="id asc", limit=most)
        found: dict[str, list[int]] = {}
        for row in rows:
            found.setdefault(str(row[self._match]), []).append(row["id"])
        return None if len(rows) >= most else found

    def _external(self, names: Sequence[str]) -> dict[str, int] | None:
        """The ids that external names of ours stand for."""
        if not names:
            return {}
        domain = [["module", "=", MODULE], ["name", "in", list(names)], ["model", "=", MODEL]]
        try:
            rows = self._client.call("ir.model.data", "search_read", domain=domain, fields=["name", "res_id"])
        except (StreamBroken, PermissionMissing):
            return None
        return {row["name"]: int(row["res_id"]) for row in rows if row.get("res_id")}

    def _rows(self, ids: Sequence[int], fields: Sequence[str]) -> dict[int, dict[str, Any]]:
        if not ids:
            return {}
        domain = [["id", "in", list(ids)]]
        rows = self._client.call(MODEL, "search_read", domain=domain, fields=["id", *fields, "write_date"])
        return {row["id"]: normalised(row, self._known) for row in rows}

    # --- importing

    def _imported(self, new: Mapping[int, tuple[Write, dict[str, Any]]]) -> dict[int, WriteResult]:
        """What became of new partners, imported with those that have the same fields."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, (_, body) in new.items():
            simple = tuple(sorted(name for name, value in body.items() if self._loadable(name, value)))
            if len(simple) == len(body):  # others need a second call each
                groups.setdefault(simple, []).append(place)
        done: dict[int, WriteResult] = {}
        for fields, places in groups.items():
            if len(places) > 1:
                done |= self._load_all(fields, {place: new[place] for place in places})
        return done

    def _load_all(
        self, fields: tuple[str, ...], group: Mapping[int, tuple[Write, dict[str, Any]]]
    ) -> dict[int, WriteResult]:
        names = {place: external_name(write.idempotency_key) for place, (write, _) in group.items()}
        columns = [self._column(name) for name in fields]
        data = [[f"{MODULE}.{names[place]}", *(self._text(body[name]) for name in fields)]
                for place, (_, body) in group.items()]  # fmt: skip
        try:
            told = self._client.call(MODEL, "load", write=True, fields=["id", *columns], data=data)
        except RecordRejected:
            return {}
        if not isinstance(told, dict) or not told.get("ids"):
            return {}
        made = self._external(list(names.values())) or {}
        return {place: WriteResult(str(made[name]), created=True) for place, name in names.items() if name in made}
