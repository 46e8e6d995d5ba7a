"""The writes of one landing: source records, their parts and their blocking keys, gathered and then sent in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sync.master.bulk import Bulk, Columns, Row
from sync.master.deriving import Derived
from sync.master.inforce import InForce
from sync.master.records import LandedRecord, features_of, features_text, pack_ids
from sync.master.streams import StreamRef
from sync.master.tally import Tallying


@dataclass(slots=True)
class Change:
    """A main record to write; ``id`` is 0 while it has none. ``main`` is the customer of the record itself, if the
    mapping gives one, ``parts`` the further customers found inside it.
    """

    id: int
    version: int
    key: str
    hash: bytes
    raw: str
    changed_at: str | None
    main: Derived | None
    parts: dict[str, Derived]


_CONTENT: Columns = (
    ("id", "int8"),
    ("version", "int4"),
    ("features_version", "int4"),
    ("hash", "bytea"),
    ("raw", "text"),
    ("canonical", "text"),
    ("features", "text"),
    ("changed_at", "text"),
    ("landed_at", "timestamptz"),
    ("deleted_at", "timestamptz"),
)
_DERIVED: Columns = tuple(_CONTENT[place] for place in (0, 1, 2, 5, 6, 8, 9))
_DELETED: Columns = (("id", "int8"), ("version", "int4"), ("features_version", "int4"), ("deleted_at", "timestamptz"))


class _Stored(NamedTuple):
    """A stored record or part that is about to change; ``features`` as they are stored."""

    id: int
    key: str
    part: str
    version: int
    features_version: int
    canonical: str | None
    features: str | None
    deleted: bool


class Writes:
    """Gathers the changes of one page and sends them with one statement a table.

    ``batch`` holds what RESOLVE needs, ``new_main_ids`` the ids given to new records. Nothing is committed.
    """

    def __init__(self, bulk: Bulk, stream: StreamRef, force: InForce, now: datetime) -> None:
        self._bulk, self._stream, self._force, self._now = bulk, stream, force, bulk.instant(now)
        self.batch: list[LandedRecord] = []
        self.new_main_ids: list[int] = []
        self.rederived = 0
        self._live = 0
        self._rows: list[Row] = []
        self._updates: list[Row] = []
        self._derived_updates: list[Row] = []
        self._deletes: list[Row] = []
        self._keys_added: list[tuple[int, int]] = []
        self._keys_removed: list[Row] = []

    def add_new(self, changes: Sequence[Change]) -> None:
        """Records never seen before, with their parts."""
        ids = iter(self._bulk.record_ids(sum(1 + len(change.parts) for change in changes)) if changes else ())
        for change in changes:
            record_id = next(ids)
            self.new_main_ids.append(record_id)
            self._insert(record_id, change, "", None, change.main)
            for part, derived in change.parts.items():
                self._insert(next(ids), change, part, record_id, derived)

    def change(self, changes: Sequence[Change]) -> None:
        """Records with new content: updated in place, their parts added, updated or deleted."""
        if not changes:
            return
        stored = self._load([change.id for change in changes], of_main="NULL")
        added: list[tuple[Change, Derived]] = []
        for change in changes:
            before = stored[change.id]
            self._update_main(change, before[""])
            added += self._reconcile_parts(change, before)
        self._add_parts(added)

    def rederive(self, changes: Sequence[Change]) -> None:
        """The same raw content under another mapping: only what maps differently is written."""
        if not changes:
            return
        stored = self._load([change.id for change in changes])
        added: list[tuple[Change, Derived]] = []
        for change in changes:
            before = stored[change.id]
            length = len(self.batch) + len(added)
            self._update_derived(before[""], change.main)
            added += self._reconcile_parts(change, before)
            self.rederived += len(self.batch) + len(added) > length
        self._add_parts(added)

    def delete(self, record_ids: Sequence[int]) -> None:
        """Live records that are gone at their source, with all their parts."""
        if not record_ids:
            return
        for parts in self._load(record_ids).values():
            for stored in parts.values():
                self._delete(stored)

    def flush(self) -> int | None:
        """Send everything; answers the number of the landing row, or None when nothing awaits RESOLVE."""
        bulk, landing_id = self._bulk, self._queue()
        bulk.insert("source_record", self._rows)
        bulk.update("source_record", _CONTENT, self._updates)
        bulk.update("source_record", _DERIVED, self._derived_updates)
        bulk.update("source_record", _DELETED, self._deletes)
        bulk.apply(
            "DELETE FROM match_key WHERE (key, record_id) IN (SELECT key, record_id FROM {rows} r)",
            (("key", "int8"), ("record_id", "int8")),
            self._keys_removed,
        )
        bulk.insert_keys(self._keys_added)
        tallying = Tallying()
        tallying.records(self._stream.id, self._live)
        tallying.store(bulk)
        return landing_id

    def _insert(
        self, record_id: int, change: Change, part: str, parent_id: int | None, derived: Derived | None
    ) -> None:
        main = parent_id is None
        self._live += main
        canonical = features = None
        if derived is not None:
            canonical, features = derived.canonical.decode(), features_text(derived.features)
            self._keys_added += [(key, record_id) for key in derived.keys]
            self._await_resolve(record_id, 1, 1, change.key, part, derived)
        self._rows.append(
            (
                record_id,
                self._stream.id,
                change.key,
                part,
                parent_id,
                1,
                change.hash if main else None,
                change.raw if main else None,
                canonical,
                features,
                change.changed_at,
                self._now,
            )
        )

    def _update_main(self, change: Change, stored: _Stored) -> None:
        derived = change.main
        canonical = derived and derived.canonical.decode()
        features = derived and features_text(derived.features)
        since = self._since(stored, features, change.version)
        self._live += stored.deleted
        self._updates.append(
            (
                stored.id,
                change.version,
                since,
                change.hash,
                change.raw,
                canonical,
                features,
                change.changed_at,
                self._now,
                None,
            )
        )
        self._replace_keys(stored, derived, features)
        self._await_resolve(stored.id, change.version, since, change.key, "", derived)

    def _update_derived(self, stored: _Stored, derived: Derived | None) -> None:
        canonical = derived and derived.canonical.decode()
        features = derived and features_text(derived.features)
        if canonical == stored.canonical and features == stored.features and not stored.deleted:
            return
        version = stored.version + 1
        self._live += stored.deleted and stored.part == ""
        since = self._since(stored, features, version)
        self._derived_updates.append((stored.id, version, since, canonical, features, self._now, None))
        self._replace_keys(stored, derived, features)
        self._await_resolve(stored.id, version, since, stored.key, stored.part, derived)

    def _reconcile_parts(self, change: Change, before: dict[str, _Stored]) -> list[tuple[Change, Derived]]:
        wanted = change.parts
        for part, stored in before.items():
            if part == "":
                continue
            if part in wanted:
                self._update_derived(stored, wanted[part])
            else:
                self._delete(stored)
        return [(change, derived) for part, derived in wanted.items() if part not in before]

    def _add_parts(self, added: Sequence[tuple[Change, Derived]]) -> None:
        if added:
            for record_id, (change, derived) in zip(self._bulk.record_ids(len(added)), added, strict=True):
                self._insert(record_id, change, derived.part, change.id, derived)

    def _delete(self, stored: _Stored) -> None:
        if stored.deleted:
            return
        version = stored.version + 1
        self._deletes.append((stored.id, version, version, self._now))
        self._live -= stored.part == ""
        self._replace_keys(stored, None, None)
        self._await_resolve(stored.id, version, version, stored.key, stored.part, None)

    def _since(self, stored: _Stored, features: str | None, version: int) -> int:
        """The version since which a record has the features that it has in ``version``.

        While the match model is being switched, equal features need not mean equal keys: they count as new.
        """
        stand = features == stored.features and not stored.deleted and self._force.stage is None
        return stored.features_version if stand else version

    def _replace_keys(self, stored: _Stored, derived: Derived | None, features: str | None) -> None:
        """``features``: of ``derived``, as they are stored."""
        if stored.id in self._force.underived:  # it has no keys until the switch of versions comes to it
            return
        if features == stored.features and not stored.deleted:
            return
        known = None if stored.deleted else features_of(stored.features)
        before = set(self._force.keys(known)) if known else set()
        after = set(derived.keys) if derived else set()
        self._keys_removed += [(key, stored.id) for key in sorted(before - after)]
        self._keys_added += [(key, stored.id) for key in after - before]

    def _queue(self) -> int | None:
        if not self.batch:
            return None
        ids = pack_ids(record.id for record in self.batch)
        return self._bulk.insert_landing((self._stream.id, ids, len(self.batch), self._now))

    def _await_resolve(
        self, record_id: int, version: int, since: int, key: str, part: str, derived: Derived | None
    ) -> None:
        found = (None, None, ()) if derived is None else derived[1:]
        self.batch.append(LandedRecord(record_id, version, since, self._stream.id, key, part, *found))

    def _load(self, main_ids: Sequence[int], *, of_main: str = "canonical") -> dict[int, dict[str, _Stored]]:
        """Main records with their parts. ``of_main``: what is read of a main record's customer; NULL: nothing."""
        head = "id, parent_id, source_id, part, version, coalesce(features_version, version)"
        tail = "features, deleted_at IS NOT NULL"
        rows = self._bulk.fetch(
            f"SELECT {head}, {of_main}, {tail} FROM source_record WHERE id {{ints}} "  # noqa: S608 - fixed columns
            f"UNION ALL SELECT {head}, canonical, {tail} FROM source_record WHERE parent_id {{ints}}",
            list(main_ids),
            list(main_ids),
        )
        records: dict[int, dict[str, _Stored]] = defaultdict(dict)
        for record_id, parent_id, key, part, version, since, canonical, features, deleted in rows:
            stored = _Stored(record_id, key, part, version, since, canonical, features, bool(deleted))
            records[parent_id or record_id][part] = stored
        return records
