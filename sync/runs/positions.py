"""Where reading stands: which read a run takes part in, and from which cursor each partition goes on.

A stream has at most one full read open (``generation`` above ``closed_generation``). A full read that was interrupted
is gone on with by whichever run comes next; a backfill has positions of its own and moves nobody else's, a run that
follows hints has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from connectors.contract import Cursor, Deletes, Mode
from sync.master.streams import StreamRef
from sync.runs import clock, events, hints
from sync.runs.declared import Declared
from sync.runs.states import Level, RunMode
from sync.runs.tables import seen_page, stream_cursor, stream_state, sync_run

STREAM_POSITION = 0
"""``stream_cursor.run_id`` of the stream's own position."""


@dataclass(frozen=True, slots=True)
class Position:
    """From where one partition is read. ``pages`` of this read are stored already."""

    owner: int
    partition: str
    reading: Mode
    cursor: Cursor | None
    pages: int

    @property
    def resumed(self) -> bool:
        """Whether to go on exactly at the cursor: an incremental read that just begins looks back first."""
        return self.pages > 0


class Reading(NamedTuple):
    """What a run reads. ``keeps_seen``: which records were seen is stored, since deletes are swept at the end."""

    mode: RunMode
    generation: int
    keeps_seen: bool


class _Stream(NamedTuple):
    generation: int
    closed_generation: int
    swept_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.generation > self.closed_generation


def begun(connection: Connection, run_id: int, declared: Declared) -> Reading | None:
    """The reading that a run began before it was interrupted; None if it has not begun."""
    row = connection.execute(select(sync_run.c.mode, sync_run.c.generation).where(sync_run.c.id == run_id)).one()
    if row.generation is None:
        return None
    mode = RunMode(row.mode)
    return Reading(mode, row.generation, keeps_seen(mode, declared))


def begin(
    connection: Connection,
    stream: StreamRef,
    run_id: int,
    mode: RunMode,
    declared: Declared,
    partitions: Sequence[str],
    *,
    only_sweep: bool = False,
) -> Reading:
    """Decide what a run that just starts reads, and set its positions. Called once per run.

    ``only_sweep``: a human has accepted the deletes that the last full read has found; nothing is read again.
    """
    state = _Stream(
        *connection.execute(
            select(stream_state.c.generation, stream_state.c.closed_generation, stream_state.c.swept_at)
            .where(stream_state.c.id == stream.id)
            .with_for_update()
        ).one()
    )
    chosen = mode if mode in (RunMode.BACKFILL, RunMode.HINTED) else _chosen(connection, stream, mode, declared, state)
    generation = state.generation
    if chosen is RunMode.BACKFILL:
        _place(connection, stream, run_id, partitions, Mode.FULL)
    elif chosen is RunMode.INCREMENTAL:
        _abandon_sweep(connection, stream, state)
        _step(connection, stream, partitions)
    elif chosen is RunMode.FULL and state.is_open and unread(connection, stream, STREAM_POSITION):
        events.add(connection, run_id, Level.INFO, "Going on with the full read that was interrupted.")
    elif chosen is RunMode.FULL and not (state.is_open and only_sweep):
        generation += 1
        _open_generation(connection, stream, generation, partitions)
    begun = {"mode": chosen, "generation": generation, "hinted_to": hints.newest(connection, stream.id) or None}
    connection.execute(update(sync_run).where(sync_run.c.id == run_id).values(begun))
    return Reading(chosen, generation, keeps_seen(chosen, declared))


def keeps_seen(mode: RunMode, declared: Declared) -> bool:
    """Whether a run of this mode ends in a sweep of what it has not seen.

    A complete full read knows all that is there, so it also finds what a delete feed lost while its cursor was lost.
    """
    return mode is RunMode.FULL and declared.deletes is not Deletes.NONE


def unread(connection: Connection, stream: StreamRef, owner: int) -> list[Position]:
    """The partitions that still have to be read, in a fixed order."""
    rows = connection.execute(
        select(stream_cursor.c.partition, stream_cursor.c.reading, stream_cursor.c.cursor, stream_cursor.c.pages)
        .where(
            stream_cursor.c.stream_id == stream.id,
            stream_cursor.c.run_id == owner,
            stream_cursor.c.complete.is_(False),
        )
        .order_by(stream_cursor.c.partition)
    )
    return [Position(owner, row.partition, Mode(row.reading), _loaded(row.cursor), row.pages) for row in rows]


def complete(connection: Connection, stream: StreamRef, position: Position) -> None:
    """The partition was read to its end."""
    connection.execute(
        update(stream_cursor)
        .where(
            stream_cursor.c.stream_id == stream.id,
            stream_cursor.c.run_id == position.owner,
            stream_cursor.c.partition == position.partition,
        )
        .values(complete=True, updated_at=clock.now())
    )


def start_over(connection: Connection, stream: StreamRef, run_id: int) -> None:
    """The cursor is worth nothing any more: the run begins again, as a full read from nothing."""
    connection.execute(
        update(stream_state).where(stream_state.c.id == stream.id).values(closed_generation=stream_state.c.generation)
    )
    connection.execute(update(sync_run).where(sync_run.c.id == run_id).values(mode=RunMode.FULL, generation=None))


def close_generation(connection: Connection, stream: StreamRef, generation: int) -> None:
    """The full read ended and its deletes are swept: forget what was seen."""
    connection.execute(
        update(stream_state)
        .where(stream_state.c.id == stream.id)
        .values(closed_generation=generation, swept_at=clock.now())
    )
    connection.execute(delete(seen_page).where(seen_page.c.stream_id == stream.id))


def forget_backfill(connection: Connection, stream: StreamRef, run_id: int) -> None:
    """A backfill's positions go when it ends."""
    connection.execute(
        delete(stream_cursor).where(stream_cursor.c.stream_id == stream.id, stream_cursor.c.run_id == run_id)
    )


def _chosen(connection: Connection, stream: StreamRef, mode: RunMode, declared: Declared, state: _Stream) -> RunMode:
    if mode is RunMode.FULL or not declared.incremental or state.generation == 0:
        return RunMode.FULL
    if state.is_open and unread(connection, stream, STREAM_POSITION):
        return RunMode.FULL
    only_full_finds_deletes = declared.deletes is Deletes.SWEEP and not declared.ids
    if only_full_finds_deletes and sweep_due(state.swept_at, declared.sweep_every):
        return RunMode.FULL
    return RunMode.INCREMENTAL


def sweep_due(swept_at: datetime | None, every: int) -> bool:
    """Whether deletes were not looked for in the last ``every`` seconds."""
    return swept_at is None or clock.now() - swept_at > timedelta(seconds=every)


def is_open(connection: Connection, stream: StreamRef, generation: int) -> bool:
    """Whether this full read still awaits its sweep. What it has seen is forgotten afterwards."""
    closed = connection.execute(
        select(stream_state.c.closed_generation).where(stream_state.c.id == stream.id)
    ).scalar_one()
    return generation > int(closed)


def _abandon_sweep(connection: Connection, stream: StreamRef, state: _Stream) -> None:
    # Records that arrive from now on were not seen by that full read: sweeping later would delete them.
    if state.is_open:
        connection.execute(
            update(stream_state).where(stream_state.c.id == stream.id).values(closed_generation=state.generation)
        )
        connection.execute(delete(seen_page).where(seen_page.c.stream_id == stream.id))


def _open_generation(connection: Connection, stream: StreamRef, generation: int, partitions: Sequence[str]) -> None:
    connection.execute(
        update(stream_state)
        .where(stream_state.c.id == stream.id)
        .values(generation=generation, full_began_at=clock.now())
    )
    connection.execute(delete(seen_page).where(seen_page.c.stream_id == stream.id))
    forget_backfill(connection, stream, STREAM_POSITION)
    _place(connection, stream, STREAM_POSITION, partitions, Mode.FULL)


def _place(connection: Connection, stream: StreamRef, owner: int, partitions: Sequence[str], reading: Mode) -> None:
    row: dict[str, Any] = {"stream_id": stream.id, "run_id": owner, "cursor": None, "reading": reading.value}
    row |= {"complete": False, "pages": 0, "updated_at": clock.now()}
    rows = [{**row, "partition": partition} for partition in dict.fromkeys(partitions)]
    if rows:
        connection.execute(insert(stream_cursor), rows)


def _step(connection: Connection, stream: StreamRef, partitions: Sequence[str]) -> None:
    """Open the positions for the next incremental read; a partition never read before is read in full."""
    mine = (stream_cursor.c.stream_id == stream.id) & (stream_cursor.c.run_id == STREAM_POSITION)
    rows = connection.execute(
        select(stream_cursor.c.partition, stream_cursor.c.reading, stream_cursor.c.complete).where(mine)
    )
    known = {row.partition: row for row in rows}
    gone = [name for name in known if name not in set(partitions)]
    if gone:
        connection.execute(delete(stream_cursor).where(mine, stream_cursor.c.partition.in_(gone)))
    half_read = [name for name, row in known.items() if row.reading == Mode.FULL and not row.complete]
    connection.execute(
        update(stream_cursor)
        .where(mine, stream_cursor.c.partition.not_in(half_read))
        .values(reading=Mode.INCREMENTAL.value, complete=False, pages=0, updated_at=clock.now())
    )
    fresh = [name for name in partitions if name not in known]
    _place(connection, stream, STREAM_POSITION, fresh, Mode.FULL)


def _loaded(cursor: str | None) -> Cursor | None:
    return None if cursor is None else orjson.loads(cursor)
