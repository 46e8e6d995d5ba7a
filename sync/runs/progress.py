"""How far a run is, how fast it goes, and when it may be done: worked out from its row, for people who watch."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from sync.master.tables import landing
from sync.runs.history import RunView
from sync.runs.states import Status


class Stage(StrEnum):
    """What a run is at, in this order."""

    QUEUED = "queued"
    OPENING = "opening"
    READING = "reading"
    MATCHING = "matching"
    DONE = "done"


class Progress(NamedTuple):
    """``share`` from 0 to 1 and ``left_seconds`` are None where the source does not say how much there is.

    ``rate`` is records a second since the start; ``pending`` are records of the stream that are stored and not yet
    matched.
    """

    stage: Stage
    share: float | None
    rate: float | None
    left_seconds: float | None
    seconds: float | None
    pending: int
    adds_up: bool


def progress(connection: Connection, run: RunView, now: datetime | None = None) -> Progress:
    """How a run goes."""
    pending = connection.execute(
        select(func.coalesce(func.sum(landing.c.records), 0)).where(landing.c.stream_id == run.stream_id)
    ).scalar_one()
    end = run.finished_at or now or datetime.now(UTC)
    seconds = None if run.started_at is None else max((end - run.started_at).total_seconds(), 0.0)
    rate = run.counts.read / seconds if seconds and run.counts.read else None
    share = left = None
    if run.expected:
        share = min(run.counts.read / run.expected, 1.0)
        left = max(run.expected - run.counts.read, 0) / rate if rate and run.open else None
    return Progress(_stage(run, int(pending)), share, rate, left, seconds, int(pending), run.counts.adds_up())


def _stage(run: RunView, pending: int) -> Stage:
    if not run.open:
        return Stage.DONE
    if run.started_at is None or run.status is Status.QUEUED:
        return Stage.QUEUED
    if run.pages == 0:
        return Stage.OPENING
    everything_read = run.expected is not None and run.counts.read >= run.expected
    return Stage.MATCHING if pending and everything_read else Stage.READING
