"""Switching the version in force, and deriving everything anew: crash-safe, resumable, one state in force at a time.

A switch is one row in ``match_state``. From its beginning LAND derives by the new version and RESOLVE waits, so that
customers stay exactly as they were. Then, stage by stage, each batch a transaction with its cursor:

- ``keys``: features and keys of every record; what LAND writes meanwhile is left to it, or to us, by the cursor
- ``blocks``: crowded blocks are recorded and refined until there are none
- ``edges``: every record is compared with those before it; where they fit into memory, all are read once
- then one transaction queues all records to be settled and ends the switch; RESOLVE goes on, and finds for every
  neighbourhood all of its evidence there at once, so that each customer changes at most once.

Whoever holds the lease works on it; who dies is followed by the next (``kehu match use``, a worker, the sweeper).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import orjson
from sqlalchemy import Connection, func, insert, select, text, update

from mappings.fingerprint import DERIVATION
from sync.database import Database
from sync.errors import Refused
from sync.master import blocks
from sync.master.bulk import Bulk, bulk_for
from sync.master.candidates import Compare, find_edges, store_edges
from sync.master.inforce import InForce, lock_for_recording, lock_for_switch, reading_with
from sync.master.records import LandedRecord, features_of, features_text, pack_ids
from sync.master.tables import landing, match_state, match_switch, source_record
from sync.matching.active import ActiveVersion
from sync.runs import lease

if TYPE_CHECKING:
    from sync.matching.gathering import Gathered

KEYS, BLOCKS, EDGES = "keys", "blocks", "edges"
BATCH = 2_000
ELSEWHERE = 50_000
"""Records whose pairs are handed to another engine at a time: it takes a second to begin."""
PATIENCE = 900.0
"""Seconds that one such batch may take before others go on; SQLite lets nobody renew a lease meanwhile."""
_THINKING = "300000"
"""Milliseconds for which a batch may keep the server waiting: it is derived and compared between two statements."""
SETTLED_TOGETHER = 1_000
MEMBERS_TOGETHER = 100_000
"""Crowded blocks of so many members in all are refined at a time."""
LEASE = "match_switch"
PROGRAM, UPDATED = "kehu", "the program was updated"
_LONG_AGO = timedelta(minutes=1)  # landings younger than a grace are taken to be in the hands of who landed them


class Progress(NamedTuple):
    """How far a switch is: its stage (None: it is over), records done of all, and landings still to be settled."""

    stage: str | None
    done: int
    total: int
    unsettled: int


class Switch(NamedTuple):
    """One change of version, or rebuild, as it is listed."""

    number: int
    from_version: int | None
    to_version: int
    reason: str
    begun_by: str
    begun_at: datetime
    records: int
    derived_at: datetime | None
    finished_at: datetime | None
    changes: dict[str, int]


Told = Callable[[Progress], None]


def begin(connection: Connection, number: int, *, by: str, reason: str = "") -> int:
    """Put a version in force and queue everything to be derived anew; answers the number of the switch.

    The same version again is a rebuild: its recorded blocks stay. Raises NotFound, Refused if a switch is under way.
    """
    from sync.matching import store

    bulk = bulk_for(connection)
    lock_for_switch(bulk)
    lock_for_recording(bulk)
    store.get(connection, number)
    state = connection.execute(select(match_state)).one()
    if state.stage is not None:
        raise Refused(
            "A switch to version {number} is under way.",
            number=state.active,
            remedy="Wait for it; `kehu match versions` shows how far it is.",
        )
    last = connection.execute(select(func.max(source_record.c.id))).scalar_one() or 0
    live = select(func.count()).where(source_record.c.deleted_at.is_(None), source_record.c.features.is_not(None))
    row = {"from_version": state.active, "to_version": number, "reason": reason, "begun_by": by[:120]}
    row |= {"begun_at": datetime.now(UTC), "records": connection.execute(live).scalar_one()}
    switch = connection.execute(insert(match_switch).values(row).returning(match_switch.c.id)).scalar_one()
    if number != state.active:
        store.set_state(connection, state.active, store.RETIRED)
        store.set_state(connection, number, store.ACTIVE)
        bulk.run("DELETE FROM match_block WHERE version = ?", number)
    _empty(bulk, "match_key")
    _empty(bulk, "match_edge")
    values = {"active": number, "epoch": switch, "stage": KEYS, "cursor": 0, "last": last, "derivation": DERIVATION}
    connection.execute(update(match_state).values(values))
    return int(switch)


def follow_program(connection: Connection) -> int | None:
    """Have all derived anew after an update by which the program makes other features or keys; the switch's number.

    None: there is nothing to do, or a switch is under way. Old programs beside a new one leave its work alone.
    """
    state = connection.execute(select(match_state)).one()
    if state.stage is not None or (state.derivation or 0) >= DERIVATION:
        return None
    return begin(connection, state.active, by=PROGRAM, reason=UPDATED)


def go_on(
    database: Database,
    told: Told = lambda _: None,
    *,
    expiry: float = lease.EXPIRY,
    compare: Compare | None = None,
) -> bool:
    """Work on the switch that is under way, if any, until customers can be settled; answers whether it is done.

    ``compare`` weighs pairs elsewhere (``sync.matching.weighing``); whoever goes on after a crash may weigh them here.
    False: another process is at it, or was killed less than ``expiry`` seconds ago (``PATIENCE`` with ``compare``).
    Commits. Raises LeaseLost when it was taken over.
    """
    if under_way(database) is None:
        return True
    with database.transaction() as connection:
        held = lease.acquire(connection, LEASE, expiry=expiry if compare is None else PATIENCE)
    if held is None:
        return False
    source = ActiveVersion()
    gathered: Gathered | None = None
    with lease.kept(database, held) as keeper:
        while True:
            keeper.alive()
            if compare is None and gathered is None and _at_beginning_of_edges(database):
                from sync.matching.gathering import gather  # loads numpy

                gathered = gather(database, source, progress(database).total)
            with database.hot_transaction() as connection:
                more = _step(connection, source, compare, gathered)
                lease.renew(connection, held)
            if not more:
                break
            told(progress(database))
    with database.transaction() as connection:
        lease.release(connection, held)
    return True


def under_way(database: Database) -> str | None:
    """The stage of the switch under way; None if there is none."""
    with database.hot_reading() as connection:
        return connection.execute(select(match_state.c.stage)).scalar_one_or_none()


def progress(database: Database) -> Progress:
    """How far the latest switch is."""
    with database.reading() as connection:
        state = connection.execute(select(match_state)).one_or_none()
        unsettled = connection.execute(select(func.count()).where(landing.c.edges_known)).scalar_one()
    if state is None:
        return Progress(None, 0, 0, 0)
    return Progress(state.stage, state.cursor, state.last, unsettled)


def finish(database: Database) -> None:
    """Note the end of the latest switch once all of its records are settled."""
    with database.transaction() as connection:
        waiting = select(landing.c.id).where(landing.c.edges_known).exists()
        connection.execute(
            update(match_switch)
            .where(match_switch.c.finished_at.is_(None), match_switch.c.derived_at.is_not(None), ~waiting)
            .values(finished_at=datetime.now(UTC))
        )


def history(connection: Connection, limit: int = 20) -> list[Switch]:
    """The latest switches, newest first, with the changes of customers since each began to be settled."""
    rows = connection.execute(select(match_switch).order_by(match_switch.c.id.desc()).limit(limit)).all()
    found = []
    until = None
    for row in rows:
        found.append(_switch(connection, row, until))
        until = row.change_seq if row.change_seq is not None else until
    return found


def _switch(connection: Connection, row: object, until: int | None) -> Switch:
    r = row
    return Switch(
        r.id, r.from_version, r.to_version, r.reason, r.begun_by, r.begun_at, r.records, r.derived_at, r.finished_at,  # type: ignore[attr-defined]
        _changes(connection, r.change_seq, until),  # type: ignore[attr-defined]
    )  # fmt: skip


def _changes(connection: Connection, after: int | None, until: int | None) -> dict[str, int]:
    if after is None:
        return {}
    statement = "SELECT type, count(*) FROM change WHERE seq > :after AND (:until IS NULL OR seq <= :until) "
    rows = connection.execute(
        text(statement.replace(":until IS NULL", "CAST(:until AS BIGINT) IS NULL") + "GROUP BY type"),
        {"after": after, "until": until},
    )
    return {row[0]: row[1] for row in rows}


def _at_beginning_of_edges(database: Database) -> bool:
    """Whether there is no evidence yet: who goes on after a crash compares the rest batch by batch."""
    with database.reading() as connection:
        state = connection.execute(select(match_state.c.stage, match_state.c.cursor)).one_or_none()
    return state is not None and state.stage == EDGES and state.cursor == 0


def _step(
    connection: Connection, source: ActiveVersion, compare: Compare | None = None, gathered: Gathered | None = None
) -> bool:
    """One batch of the stage that it is at; answers whether there is more to do."""
    bulk = bulk_for(connection)
    if bulk.is_postgres:
        bulk.fetch("SELECT set_config('idle_in_transaction_session_timeout', ?, true)", _THINKING)
    stage, cursor, last = bulk.fetch("SELECT stage, cursor, last FROM match_state")[0]
    if stage == KEYS:
        lock_for_switch(bulk)
        cursor = _derive(bulk, source.in_force(bulk), cursor, last)  # kept: compiled once for all batches
        _at(bulk, *((KEYS, cursor) if cursor < last else (BLOCKS, 0)))
    elif stage == BLOCKS:
        if not _uncrowd(bulk, reading_with(source, bulk)):
            _at(bulk, EDGES, 0)
    elif stage == EDGES:
        if gathered is not None:
            cursor = gathered.store(bulk, cursor)
            cursor = last if gathered.done(cursor) else cursor
        else:
            cursor = _compare(bulk, source.in_force(bulk), cursor, last, compare)
        if cursor >= last:
            _queue(connection, bulk)
            return False
        _at(bulk, EDGES, cursor)
    return stage is not None


def _at(bulk: Bulk, stage: str | None, cursor: int) -> None:
    bulk.run("UPDATE match_state SET stage = ?, cursor = ?", stage, cursor)


def _derive(bulk: Bulk, force: InForce, after: int, last: int) -> int:
    """Features and keys of the next batch; answers up to which id."""
    rows = bulk.fetch(
        "SELECT id, canonical, features FROM source_record WHERE id > ? AND id <= ? "
        "AND deleted_at IS NULL AND canonical IS NOT NULL ORDER BY id LIMIT ?",
        after,
        last,
        BATCH,
    )
    changed, keys = [], []
    for record_id, canonical, known in rows:
        features = force.matcher.features(orjson.loads(canonical))
        written = features_text(features)
        if written != known:
            changed.append((written, record_id))
        keys += [(key, record_id) for key in force.keys(features)]
    bulk.apply(
        "UPDATE source_record SET features = r.features FROM {rows} r WHERE source_record.id = r.id",
        (("features", "text"), ("id", "int8")),
        changed,
    )
    blocks.insert_missing(bulk, keys)
    return rows[-1][0] if len(rows) == BATCH else last


def _uncrowd(bulk: Bulk, force: InForce) -> bool:
    """Record some of the blocks that are crowded; answers whether there were any."""
    lock_for_recording(bulk)
    rows = bulk.fetch(
        "SELECT key, count(*) FROM match_key GROUP BY key HAVING count(*) > ? ORDER BY count(*), key", force.cap
    )
    crowded: list[int] = []
    members = 0
    for key, size in rows:
        if key not in force.linked and (not crowded or members + size <= MEMBERS_TOGETHER):
            crowded.append(key)
            members += size
    if not crowded:
        return False
    found: dict[int, list[int]] = {key: [] for key in crowded}
    for key, record_id in bulk.fetch(
        "SELECT key, record_id FROM match_key WHERE key {ints} ORDER BY key, record_id", crowded
    ):
        found[key].append(record_id)
    blocks.record(bulk, force, found, any_edges=False)
    return True


def _compare(bulk: Bulk, force: InForce, after: int, last: int, compare: Compare | None) -> int:
    size = BATCH if compare is None else ELSEWHERE
    rows = bulk.fetch(
        "SELECT id, version, coalesce(features_version, version), stream_id, source_id, part, features "
        "FROM source_record WHERE id > ? AND id <= ? AND deleted_at IS NULL AND features IS NOT NULL "
        "ORDER BY id LIMIT ?",
        after,
        last,
        size,
    )
    batch = []
    for record_id, version, since, stream_id, source_id, part, written in rows:
        features = features_of(written) or ()
        keys = force.keys(features)
        batch.append(LandedRecord(record_id, version, since, stream_id, source_id, part, None, features, keys))
    found = find_edges(bulk, batch, force, senior_only=True, compare=compare)
    store_edges(bulk, found.edges, [])
    return rows[-1][0] if len(rows) == size else last


def _queue(connection: Connection, bulk: Bulk) -> None:
    """Queue all records to be settled, and end the switch."""
    lock_for_switch(bulk)
    rows = bulk.fetch(
        "SELECT id, stream_id FROM source_record WHERE deleted_at IS NULL AND features IS NOT NULL ORDER BY id"
    )
    at = datetime.now(UTC)
    queued = [rows[start : start + SETTLED_TOGETHER] for start in range(0, len(rows), SETTLED_TOGETHER)]
    waiting = [
        {"stream_id": some[0][1], "record_ids": pack_ids(row[0] for row in some), "records": len(some)}
        for some in queued
    ]
    if waiting:
        values = {"edges_known": True, "landed_at": at - _LONG_AGO}
        connection.execute(insert(landing), [{**one, **values} for one in waiting])
    _at(bulk, None, 0)
    last = connection.execute(text("SELECT coalesce(max(seq), 0) FROM change")).scalar_one()
    switch = select(match_state.c.epoch).scalar_subquery()
    connection.execute(update(match_switch).where(match_switch.c.id == switch).values(derived_at=at, change_seq=last))


def _empty(bulk: Bulk, table: str) -> None:
    bulk.run(f"TRUNCATE {table}" if bulk.is_postgres else f"DELETE FROM {table}")  # noqa: S608 - our own tables
