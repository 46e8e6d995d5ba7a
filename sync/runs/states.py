"""The words for what a run is, does and came from; stored as they are written here."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a run stands. ``partial``: everything was read, and something is in quarantine or waits for a human."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.SUCCEEDED, Status.PARTIAL, Status.FAILED, Status.CANCELLED})


class RunMode(StrEnum):
    """What a run reads: everything, what changed since the cursor, a range without moving the cursor, or the records
    that webhooks spoke of.
    """

    FULL = "full"
    INCREMENTAL = "incremental"
    BACKFILL = "backfill"
    HINTED = "hinted"


class Trigger(StrEnum):
    """Who asked for a run."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"


class Level(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
