"""What could not be landed: kept with payload, field, rule and remedy, and closed by itself when it lands after all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from xxhash import xxh3_64_hexdigest

from sync.database import upsert
from sync.master.bulk import bulk_for
from sync.master.landing import Rejection
from sync.master.tombstones import PersonErased
from sync.runs import clock
from sync.runs.tables import quarantine
from sync.runs.wording import failure, packed, storable

LONGEST_KEY = 500

OPEN, IGNORED, RESOLVED = "open", "ignored", "resolved"


def open_keys(connection: Connection, stream_id: int) -> set[str]:
    """The source ids of a stream that stand in quarantine."""
    rows = bulk_for(connection).fetch(
        "SELECT source_id FROM quarantine WHERE stream_id = ? AND state = 'open'", stream_id
    )
    return {row[0] for row in rows}


def lock(connection: Connection, stream_id: int, source_ids: Collection[str]) -> None:
    """Lock these open rows before their records are landed: a replay locks in the same order."""
    if source_ids and connection.dialect.name == "postgresql":
        bulk_for(connection).fetch(
            "SELECT id FROM quarantine WHERE stream_id = ? AND state = 'open' AND source_id {texts} "
            "ORDER BY id FOR UPDATE",
            stream_id,
            list(source_ids),
        )


def keep(connection: Connection, stream_id: int, run_id: int | None, rejections: Sequence[Rejection]) -> int:
    """Store rejected records, one open row per key. Answers how many of them a human said to ignore.

    A record that was ignored stays ignored for as long as it comes with the same content. One whose person was erased
    is ignored from the beginning, and nothing of it is kept.
    """
    if not rejections:
        return 0
    rows = {row["source_id"]: row for row in (_row(stream_id, run_id, rejection) for rejection in rejections)}
    ignored = _still_ignored(connection, stream_id, rows)
    fresh = [row for key, row in rows.items() if key not in ignored]
    if fresh:
        connection.execute(_upsert(connection), fresh)
    ignored |= {row["source_id"] for row in fresh if row["state"] == IGNORED}
    return sum(key_of(rejection) in ignored for rejection in rejections)


def resolve(connection: Connection, stream_id: int, source_ids: Collection[str], note: str) -> int:
    """Close open rows whose records landed (or are gone). Answers how many."""
    if not source_ids:
        return 0
    bulk = bulk_for(connection)
    return bulk.run(
        "UPDATE quarantine SET state = 'resolved', closed_at = ?, note = ? "
        "WHERE stream_id = ? AND state = 'open' AND source_id {texts}",
        bulk.instant(clock.now()),
        note,
        stream_id,
        list(source_ids),
    )


def resolve_unseen(connection: Connection, stream_id: int, read_began: datetime) -> int:
    """Close open rows that a complete full read has not met again: the source has them no longer."""
    bulk = bulk_for(connection)
    return bulk.run(
        "UPDATE quarantine SET state = 'resolved', closed_at = ?, note = 'gone at the source' "
        "WHERE stream_id = ? AND state = 'open' AND last_seen_at < ?",
        bulk.instant(clock.now()),
        stream_id,
        bulk.instant(read_began),
    )


def known_ids(connection: Connection, stream_id: int, source_ids: Iterable[str]) -> list[int]:
    """The ids of source records with these keys: what is rejected today may stand in the master from before."""
    keys = [key for key in source_ids if key == storable(key, LONGEST_KEY)]
    if not keys:
        return []
    rows = bulk_for(connection).fetch(
        "SELECT id FROM source_record WHERE stream_id = ? AND part = '' AND source_id {texts}", stream_id, keys
    )
    return [row[0] for row in rows]


def key_of(rejection: Rejection) -> str:
    """The source id under which a rejection is kept; made unique where the key itself cannot be stored."""
    kept = storable(rejection.source_id, LONGEST_KEY)
    if kept and kept == rejection.source_id:
        return kept
    return f"{kept[:400]}#{xxh3_64_hexdigest(rejection.payload)}"


def _row(stream_id: int, run_id: int | None, rejection: Rejection) -> dict[str, Any]:
    error, now = rejection.error, clock.now()
    why, erased = failure(error), isinstance(error, PersonErased)
    return {
        "stream_id": stream_id,
        "source_id": key_of(rejection),
        "run_id": run_id,
        "state": IGNORED if erased else OPEN,
        "code": why.code,
        "path": storable(str(getattr(error, "path", ""))),
        "value": storable(str(getattr(error, "value", ""))),
        "rule": storable(str(getattr(error, "rule", ""))),
        "message": packed(why.message.template, why.message.params),
        "remedy": why.remedy,
        "payload": rejection.payload,
        "changed_at": rejection.changed_at,
        "attempts": 1,
        "first_seen_at": now,
        "last_seen_at": now,
        "closed_at": now if erased else None,
    }


def _still_ignored(connection: Connection, stream_id: int, rows: dict[str, dict[str, Any]]) -> set[str]:
    bulk = bulk_for(connection)
    known = bulk.fetch(
        "SELECT id, source_id, payload FROM quarantine WHERE stream_id = ? AND state = 'ignored' AND source_id {texts}",
        stream_id,
        list(rows),
    )
    same = {row[1]: row[0] for row in known if bytes(row[2]) == rows[row[1]]["payload"]}
    if same:
        bulk.run(
            "UPDATE quarantine SET attempts = attempts + 1, last_seen_at = ? WHERE id {ints}",
            bulk.instant(clock.now()),
            list(same.values()),
        )
    return set(same)


def _upsert(connection: Connection) -> Any:
    statement: Any = upsert(connection, quarantine)
    latest = ("run_id", "code", "path", "value", "rule", "message", "remedy", "payload", "changed_at", "last_seen_at")
    return statement.on_conflict_do_update(
        index_elements=["stream_id", "source_id"],
        index_where=text("state = 'open'"),
        set_={name: statement.excluded[name] for name in latest} | {"attempts": quarantine.c.attempts + 1},
    )
