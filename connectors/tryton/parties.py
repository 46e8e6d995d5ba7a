"""Reading parties: everything by id, or what changed by change stamp, with their parts.

A party's own change stamp does not move when a phone number or an address of it changes, so the stamps of its parts
are followed too: each model has its own position (stamp, id), and every page advances one of them. Reading a page's
parties again from there can only repeat records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from connectors.contract import Field, Mode, Page, Read, Record
from connectors.errors import BadConfiguration, ConnectorError, EndlessPages, PermissionMissing, StreamBroken
from connectors.tryton.client import TrytonClient
from connectors.tryton.config import TrytonConfig
from connectors.tryton.parts import (
    IDS,
    NAMED,
    OWN_FIELDS,
    PARTS,
    PARTY,
    STAMPS,
    TYPES,
    Part,
    changed_at,
)
from connectors.tryton.values import plain, stamp_of, tagged
from connectors.wording import phrase_of

LOOKBACK = 300
"""Seconds: Tryton stamps with the start of a transaction, which may commit this much later.

A read steps back by this from the time of the read before (by the server's clock), not from the newest stamp seen: in a
system at rest nothing is read twice.
"""
IDS_PER_BATCH = 5000

Position = list[Any]
"""[change stamp or None, id]: everything up to and including this record has been read."""


class Feed(NamedTuple):
    """One model's changes in the order of one of its stamps; ``name`` is its place in the cursor."""

    name: str
    model: str
    stamp: str


class Parties:
    """The stream of parties of one database. The definitions of its fields are asked for once."""

    def __init__(self, client: TrytonClient, config: TrytonConfig) -> None:
        self._client, self._config = client, config
        self._definitions: dict[str, Mapping[str, Any]] = {}
        self._wanted: list[str] | None = None

    # --- what there is

    def fields(self) -> list[Field]:
        """The fields of the records, as Tryton defines them."""
        own = self._described("", PARTY, [*self._own(), *STAMPS])
        parts = [
            field for part in self._parts() for field in self._described(f"{part.name}[].", part.model, part.fields)
        ]
        names = [Field(part.name, "array", part.name) for part in self._parts()]
        ours = [Field("contact_of", "object"), Field("changed_at", "string")]
        return [Field("id", "number", "ID"), *own, *names, *parts, *ours]

    def count(self) -> int:
        """How many parties there are, archived ones included."""
        return int(self._client.call(f"model.{PARTY}.search_count", [], active_test=False))

    def ids(self) -> Iterator[list[str]]:
        """All keys in batches, archived parties included: to archive is not to delete."""
        after = 0
        while True:
            domain = [["id", ">", after]]
            found = self._client.call(
                f"model.{PARTY}.search", domain, 0, IDS_PER_BATCH, [["id", "ASC"]], active_test=False
            )
            if not found:
                return
            after = found[-1]
            yield [str(number) for number in found]

    # --- reading

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of parties, in the order of their ids or of their changes."""
        cursor = dict(request.cursor or {})
        finished = cursor.get("phase") == "changes"
        if request.mode is Mode.FULL and request.resumed and finished:
            yield Page([], cursor)
        elif request.mode is Mode.FULL or not (finished or _bounded(request)):
            yield from self._everything({} if finished else cursor, request.page_size)
        else:
            yield from self._changes(cursor, request)

    def party(self, key: int) -> dict[str, Any] | None:
        """One party as it is now, or None."""
        rows = self._fetch([key])
        return rows[0] if rows else None

    def _everything(self, cursor: dict[str, Any], size: int) -> Iterator[Page]:
        positions = cursor.get("positions") or self._newest()
        after, read_at = int(cursor.get("after", 0)), cursor.get("read_at") or self._client.now()
        end = {"phase": "changes", "positions": positions, "read_at": read_at}
        total = self.count()
        while True:
            rows = self._search([["id", ">", after]], size)
            records = [self._record(row) for row in rows]
            if len(rows) < size:
                yield Page(records, end, total=total)
                return
            after = rows[-1]["id"]
            yield Page(records, {**end, "phase": "full", "after": after}, total=total)

    def _newest(self) -> dict[str, Position]:
        """Where following changes starts, asked before the first page so that what changes meanwhile is read again."""
        newest: dict[str, Position] = {}
        for feed in self._feeds():
            domain = [] if feed.stamp == "id" else [[feed.stamp, "!=", None]]
            newest_first = [[name, "DESC"] for name in dict.fromkeys((feed.stamp, "id"))]
            rows = self._rows(feed, domain, 1, newest_first)
            newest[feed.name] = _position(feed, rows[0]) if rows else [None, 0]
        return newest

    def _start(self, cursor: dict[str, Any], request: Read) -> dict[str, Position]:
        positions: dict[str, Position] = cursor.get("positions") or {}
        if request.resumed:
            return positions
        if request.since is not None:
            since = request.since.isoformat()
            return {feed.name: [since, 0] for feed in self._feeds() if feed.stamp != "id"}
        seconds = LOOKBACK if request.lookback is None else request.lookback
        settled = _back(cursor["read_at"], seconds) if "read_at" in cursor else ""
        return {name: _earlier(position, settled, seconds) for name, position in positions.items()}

    def _changes(self, cursor: dict[str, Any], request: Read) -> Iterator[Page]:
        positions = self._start(cursor, request)
        before = cursor.get("read_at") if request.resumed else None
        end = {"phase": "changes", "read_at": before or self._client.now()}
        for feed in self._feeds():
            if request.since is not None and feed.stamp == "id":
                continue  # a backfill goes by stamps
            position, full = positions.get(feed.name) or [None, 0], True
            while full:
                rows = self._changed(feed, position, request)
                full = len(rows) >= request.page_size
                if rows:
                    position = _advanced(feed, position, rows[-1])
                    positions = {**positions, feed.name: position}
                    records = [self._record(row) for row in self._fetch(_owners(feed.model, rows))]
                    yield Page(records, {**end, "positions": positions})
        yield Page([], {**end, "positions": positions})

    def _changed(self, feed: Feed, position: Position, request: Read) -> list[dict[str, Any]]:
        stamp, after = position
        if feed.stamp == "id":
            domain: list[Any] = [["id", ">", after]]
        elif feed.stamp == "create_date":
            domain = [["write_date", "=", None]]
        else:
            domain = [["write_date", "!=", None]]
        if stamp is not None:
            at = tagged(stamp)
            domain.append(["OR", [feed.stamp, ">", at], ["AND", [feed.stamp, "=", at], ["id", ">", after]]])
        if request.until is not None and feed.stamp != "id":
            domain.append([feed.stamp, "<=", tagged(request.until.isoformat())])
        order = [[name, "ASC"] for name in dict.fromkeys((feed.stamp, "id"))]
        return self._rows(feed, domain, request.page_size, order)

    def _rows(self, feed: Feed, domain: list[Any], size: int, order: list[Any]) -> list[dict[str, Any]]:
        fields = [feed.stamp, *_owner(feed.model)]
        found: list[dict[str, Any]] = self._client.call(
            f"model.{feed.model}.search_read", domain, 0, size, order, fields, active_test=False
        )
        return found

    def _feeds(self) -> list[Feed]:
        """Everything whose change is a party's change.

        ``write_date`` may be empty until the first edit, so records never edited are followed by creation. Relations
        are a view over two tables that has no stamps: new ones are followed by id.
        """
        models = [PARTY, *(part.model for part in self._parts() if part.stamped)]
        feeds = [Feed(f"{model}.{stamp}", model, stamp) for model in models for stamp in STAMPS]
        return feeds + [Feed(part.model, part.model, "id") for part in self._parts() if not part.stamped]

    # --- one party

    def _search(self, domain: list[Any], size: int | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.call(
            f"model.{PARTY}.search_read", domain, 0, size, [["id", "ASC"]], self._fields(), active_test=False
        )
        return found

    def _fetch(self, keys: Sequence[int]) -> list[dict[str, Any]]:
        return self._search([["id", "in", list(keys)]], None) if keys else []

    def _record(self, row: Mapping[str, Any]) -> Record:
        changed = changed_at(row)
        body = {**self.document(row), "changed_at": changed}
        return Record(str(row["id"]), orjson.dumps(body, option=orjson.OPT_SORT_KEYS), changed)

    def document(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The record's body: plain values, parts without their stamps and without archived ones."""
        body: dict[str, Any] = plain(row)
        for part in PARTS:
            items = body.get(part.name)
            if isinstance(items, list):
                body[part.name] = [_without_stamps(item) for item in items if _in_use(item)]
        return {**body, "contact_of": self._contact_of(body.get("relations") or [])}

    def _contact_of(self, relations: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The first related party whose relation says that this one is its contact person."""
        for relation in relations:
            role = (relation.get("type") or {}).get("name")
            if role in self._config.contact_relations:
                return {"id": relation.get("to"), "role": role}
        return None

    def _fields(self) -> list[str]:
        if self._wanted is None:
            own = [self._dotted("", PARTY, name) for name in self._own()]
            parts = [
                self._dotted(f"{part.name}.", part.model, name)
                for part in self._parts()
                for name in [*part.fields, *(STAMPS if part.stamped else ())]
                if name in self._defined(part.model)
            ]
            self._wanted = [*own, *STAMPS, *parts]
        return self._wanted

    def _dotted(self, prefix: str, model: str, name: str) -> str:
        """The field as it is asked for: pointers to other records by what they are called."""
        pointer = self._defined(model)[name]["type"] in ("many2one", "many2many", "one2many")
        plainly = not pointer or name in IDS
        return f"{prefix}{name}" if plainly else f"{prefix}{name}.{NAMED.get(name, 'rec_name')}"

    def _own(self) -> list[str]:
        defined = self._defined(PARTY)
        for name in self._config.extra_fields:
            if name not in defined:
                raise BadConfiguration(
                    "{setting} names {field}, which party.party does not have.",
                    setting="extra_fields",
                    field=name,
                    remedy="Check the spelling, and that the module which brings the field is activated.",
                )
        known = [name for name in OWN_FIELDS if name in defined]
        return list(dict.fromkeys([*known, *self._config.extra_fields]))

    def _parts(self) -> list[Part]:
        defined = self._defined(PARTY)
        return [part for part in PARTS if part.name in defined and self._defined(part.model)]

    def _defined(self, model: str) -> Mapping[str, Any]:
        """The definitions of a model's fields; empty for a part that this user may not read."""
        if model not in self._definitions:
            try:
                self._definitions[model] = self._client.call(f"model.{model}.fields_get", [])
            except (PermissionMissing, StreamBroken) as error:
                if model == PARTY:
                    raise _unreadable(error) from error
                self._definitions[model] = {}
        return self._definitions[model]

    def _described(self, prefix: str, model: str, names: Sequence[str]) -> list[Field]:
        defined = self._defined(model)
        return [
            Field(prefix + name, TYPES.get(defined[name]["type"], "any"), str(defined[name].get("string") or name))
            for name in names
            if name in defined
        ]


def _unreadable(error: ConnectorError) -> PermissionMissing:
    return PermissionMissing(
        "The parties cannot be read: {reason}",
        reason=phrase_of(error),
        remedy="Give the integration user access to the parties, and activate the module party in Tryton.",
    )


def _bounded(request: Read) -> bool:
    return request.since is not None or request.until is not None


def _position(feed: Feed, row: Mapping[str, Any]) -> Position:
    return [None if feed.stamp == "id" else stamp_of(row[feed.stamp]), row["id"]]


def _advanced(feed: Feed, position: Position, row: Mapping[str, Any]) -> Position:
    """The position of a page's last row, which must lie behind the one that the page was asked from."""
    after = _position(feed, row)
    if (after[0] or "", after[1]) <= (position[0] or "", position[1]):
        raise EndlessPages("Tryton repeats changes of {model} that were read before.", model=feed.model)
    return after


def _earlier(position: Position, settled: str, seconds: int) -> Position:
    """A position stepped back to where everything was surely committed when it was read last."""
    stamp = position[0]
    return position if stamp is None or stamp <= settled else [settled or _back(stamp, seconds), 0]


def _back(stamp: str, seconds: int) -> str:
    earlier = datetime.fromisoformat(stamp) - timedelta(seconds=seconds)
    return earlier.isoformat(timespec="microseconds")


def _owner(model: str) -> list[str]:
    return [part.party for part in PARTS if part.model == model]


def _owners(model: str, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The parties that these changed rows belong to, each once, in order."""
    name = (_owner(model) or ["id"])[0]
    return list(dict.fromkeys(row[name] for row in rows if row[name] is not None))


def _in_use(item: Any) -> bool:
    return not (isinstance(item, Mapping) and item.get("active") is False)


def _without_stamps(item: Any) -> Any:
    return {name: value for name, value in item.items() if name not in STAMPS} if isinstance(item, Mapping) else item
