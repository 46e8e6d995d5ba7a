"""Writing down what stewards do: one numbered row an act, the source records it is about, and what it takes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from sync import audit
from sync.errors import Misused
from sync.master.bulk import bulk_for
from sync.master.records import pack_ids
from sync.stewardship.errors import UnknownDecision

DECIDE, MERGE, EXCLUDE, UNMERGE, PIN, UNPIN, UNDO = "decide", "merge", "exclude", "unmerge", "pin", "unpin", "undo"
_COUNTER = "steward"
_LONGEST_NAME, _LONGEST_REASON = 120, 4_000


@dataclass(frozen=True, slots=True)
class Steward:
    """Who decides, and why. Raises Misused for nobody, or for a text that is too long."""

    name: str
    reason: str = ""

    def __post_init__(self) -> None:
        for text, limit in ((self.name, _LONGEST_NAME), (self.reason, _LONGEST_REASON)):
            if len(text) > limit or not _is_text(text):
                raise Misused(
                    "Names have at most {longest_name} characters and reasons {longest_reason}, all of them text.",
                    longest_name=_LONGEST_NAME,
                    longest_reason=_LONGEST_REASON,
                    remedy="Shorten it, and leave out characters that are not text.",
                )
        if not self.name.strip():
            raise Misused("A decision needs a name: who decides?", remedy="Add --by NAME.")


class Act(NamedTuple):
    """An act as it was written down."""

    id: int
    act: str
    verdict: str | None
    field: str | None
    value: str | None
    target: int | None
    by: str
    reason: str
    at: datetime
    undone_by: int | None


_COLUMNS = "id, act, verdict, field, value, target_id, decided_by, reason, decided_at, undone_by"


def next_number(connection: Connection) -> int:
    """The number of the next act. Stewards take turns from here to the commit, so that no two contradict each other."""
    return bulk_for(connection).numbers(_COUNTER, 1)[0]


def write(
    connection: Connection,
    number: int,
    act: str,
    by: Steward,
    sides: Mapping[int, int],
    *,
    verdict: str | None = None,
    field: str | None = None,
    value: Any = None,
    target: int | None = None,
) -> None:
    """Write an act about the records in ``sides`` (record to side) under its number."""
    bulk = bulk_for(connection)
    bulk.run(
        "INSERT INTO steward_decision (id, act, verdict, field, value, target_id, decided_by, reason, decided_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        number,
        act,
        verdict,
        field,
        orjson.dumps(value).decode() if field is not None else None,
        target,
        by.name,
        by.reason,
        bulk.instant(datetime.now(UTC)),
    )
    bulk.run_many(
        "INSERT INTO steward_anchor (record_id, decision_id, side) VALUES (?, ?, ?)",
        [(record, number, side) for record, side in sorted(sides.items())],
    )
    who = audit.actor() if audit.actor() != audit.SYSTEM else f"steward:{by.name}"
    details = {"by": by.name, "verdict": verdict, "field": field, "target": target, "records": len(sides)}
    audit.record(connection, who, f"steward.{act}", f"decision:{number}", details)


def take_back(connection: Connection, acts: Iterable[int], by_act: int) -> None:
    """Mark acts as taken back by a later one."""
    bulk_for(connection).run(
        "UPDATE steward_decision SET undone_by = ? WHERE undone_by IS NULL AND id {ints}", by_act, sorted(acts)
    )


def restore(connection: Connection, by_act: int) -> list[int]:
    """Put in force again what an act had taken back; answers the acts that hold again, in whole or in part."""
    bulk = bulk_for(connection)
    restored = [row[0] for row in bulk.fetch("SELECT id FROM steward_decision WHERE undone_by = ?", by_act)]
    bulk.run("UPDATE steward_decision SET undone_by = NULL WHERE id {ints}", restored)
    named = anchors(connection, [by_act])
    back = bulk.fetch(
        "SELECT DISTINCT decision_id FROM steward_anchor WHERE record_id {ints} AND undone_by = ?", named, by_act
    )
    bulk.run("UPDATE steward_anchor SET undone_by = NULL WHERE record_id {ints} AND undone_by = ?", named, by_act)
    return sorted({*restored, *(row[0] for row in back)})


def load(connection: Connection, number: int) -> Act:
    """The act of a number. Raises UnknownDecision."""
    found = load_all(connection, [number])
    if not found:
        raise UnknownDecision("There is no decision {decision}.", decision=number)
    return found[0]


def load_all(connection: Connection, numbers: Iterable[int]) -> list[Act]:
    """Acts by number, ascending."""
    wanted = sorted({number for number in numbers if 0 < number < 1 << 63})
    rows = bulk_for(connection).fetch(
        f"SELECT {_COLUMNS} FROM steward_decision WHERE id {{ints}} ORDER BY id",  # noqa: S608 - fixed columns
        wanted,
    )
    return [act_of(row) for row in rows]


def latest(connection: Connection, record_ids: Iterable[int] | None, limit: int, before: int | None) -> list[Act]:
    """The newest acts first: all, or those about any of the records; below a number to page on."""
    about = "id IN (SELECT decision_id FROM steward_anchor WHERE record_id {ints})"
    values: list[Any] = [before if before is not None else (1 << 63) - 1]
    if record_ids is not None:
        values.append(sorted(set(record_ids)))
    rows = bulk_for(connection).fetch(
        f"SELECT {_COLUMNS} FROM steward_decision WHERE id < ? "  # noqa: S608 - fixed columns
        f"{'AND ' + about if record_ids is not None else ''} ORDER BY id DESC LIMIT ?",
        *values,
        limit,
    )
    return [act_of(row) for row in rows]


def sides(connection: Connection, number: int) -> dict[int, int]:
    """The records an act names, with their sides; those that an exclusion took out are left out."""
    rows = bulk_for(connection).fetch(
        "SELECT record_id, side FROM steward_anchor WHERE decision_id = ? AND undone_by IS NULL ORDER BY record_id",
        number,
    )
    return dict(rows)


def anchors(connection: Connection, numbers: Iterable[int]) -> list[int]:
    """All records that some acts name."""
    rows = bulk_for(connection).fetch(
        "SELECT DISTINCT record_id FROM steward_anchor WHERE decision_id {ints} ORDER BY record_id", sorted(numbers)
    )
    return [row[0] for row in rows]


def queue(connection: Connection, record_ids: Iterable[int]) -> int | None:
    """Queue records for RESOLVE, as a landing does; answers its number, None where no record is named."""
    bulk, wanted = bulk_for(connection), sorted(set(record_ids))
    if not wanted:
        return None
    rows = bulk.fetch(
        "INSERT INTO landing (stream_id, record_ids, records, landed_at) "
        "SELECT stream_id, ?, ?, ? FROM source_record WHERE id = ? RETURNING id",
        pack_ids(wanted),
        len(wanted),
        bulk.instant(datetime.now(UTC)),
        wanted[0],
    )
    return int(rows[0][0])


def lock_out(connection: Connection, record_id: int, merges: Iterable[int], by_act: int) -> None:
    """Take a record out of merges: an exclusion is the later and more particular word."""
    bulk_for(connection).run(
        "UPDATE steward_anchor SET undone_by = ? WHERE record_id = ? AND undone_by IS NULL AND decision_id {ints}",
        by_act,
        record_id,
        sorted(merges),
    )


def act_of(row: tuple[Any, ...]) -> Act:
    """An act from a row of ``_COLUMNS``."""
    number, act, verdict, field, value, target, by, reason, at, undone_by = row
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return Act(number, act, verdict, field, value, target, by, reason, moment, undone_by)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
